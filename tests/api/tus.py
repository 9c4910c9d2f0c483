"""Uploads by hand, so that a test decides each header and each byte."""

import base64
import hashlib
import socket
from urllib.parse import urlsplit

from httpx import Client, Response

from tests.api.conftest import KEY

TUS = {"Tus-Resumable": "1.0.0"}
BINARY = {"Content-Type": "application/offset+octet-stream"}


def announce(client: Client, size: int, filename: str = "pictures.zip", **headers: str) -> Response:
    meta = {"Upload-Metadata": f"filename {base64.b64encode(filename.encode()).decode()}"}
    return client.post("/v1/uploads", headers={**TUS, "Upload-Length": str(size), **meta, **headers})


def begun(client: Client, size: int, filename: str = "pictures.zip") -> str:
    """Address of a new upload."""
    answer = announce(client, size, filename)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def send(client: Client, url: str, offset: int, content: object, **headers: str) -> Response:
    return client.patch(url, content=content, headers={**TUS, **BINARY, "Upload-Offset": str(offset), **headers})


def offset(client: Client, url: str) -> int:
    answer = client.head(url, headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"])


def checksum(content: bytes, name: str = "sha256") -> str:
    return f"{name} {base64.b64encode(hashlib.new(name, content).digest()).decode()}"


def break_off(address: str, url: str, offset: int, content: bytes, announced: int, **headers: str) -> None:
    """Send some of the bytes that a request announces, and hang up."""
    with open_request(address, url, offset, announced, **headers) as connection:
        connection.sendall(content)


def open_request(address: str, url: str, offset: int, announced: int, **headers: str) -> socket.socket:
    """A PATCH whose headers are sent and whose body is not."""
    parts = urlsplit(address)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=10)
    fields = {"Host": "localhost", "Authorization": f"Bearer {KEY}", **TUS, **BINARY, "Upload-Offset": str(offset)}
    fields |= {"Content-Length": str(announced), **headers}
    lines = [f"PATCH {url} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    connection.sendall("\r\n".join(lines).encode())
    return connection
