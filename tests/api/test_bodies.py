"""Bodies of requests that come too slowly, too short, too long, or without an end."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from httpx import Client

from api.services import Services
from records.queries import jobs
from records.settings import Settings
from tests import factories
from tests.api.conftest import KEY
from tests.api.test_uploads import files_in, until
from tests.api.tus import begun, offset, open_request

PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


@pytest.fixture
def settings(settings: Settings) -> Settings:
    settings.body_seconds = 0.3
    return settings


@contextmanager
def raw(address: str, head: str) -> Iterator[socket.socket]:
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        method_and_path, _, fields = head.partition("\n")
        lines = [f"{method_and_path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {KEY}", *fields.split("\n"), "", ""]
        connection.sendall("\r\n".join(lines).encode())
        yield connection


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


FORM = "POST /v1/datasets\nContent-Type: multipart/form-data; boundary=b\n"


class TestTooSlow:
    def test_a_form_is_ended_and_leaves_nothing(self, address: str, stored: Path):
        with raw(address, f"{FORM}Content-Length: 1000000") as connection:
            connection.sendall(PART + bytes(1000))
            answer = answer_of(connection)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"request_timeout" in answer
        assert b"less than 4,096 bytes in 0.3 s" in answer
        assert files_in(stored) == []

    def test_drops_do_not_keep_it_alive(self, address: str):
        with raw(address, f"{FORM}Content-Length: 1000000") as connection:
            connection.sendall(PART)
            connection.settimeout(0.02)
            started = time.monotonic()
            answer = b""
            while not answer and time.monotonic() - started < 8:
                connection.sendall(b"x")
                try:
                    answer = connection.recv(65536)
                except TimeoutError:
                    continue
        assert answer.startswith(b"HTTP/1.1 408")

    def test_json_is_ended_too(self, address: str):
        with raw(address, "POST /v1/jobs\nContent-Type: application/json\nContent-Length: 100") as connection:
            connection.sendall(b'{"kind":')
            assert answer_of(connection).startswith(b"HTTP/1.1 408")

    def test_of_an_upload_what_came_stays(self, client: Client, address: str):
        url = begun(client, 1_000_000)
        with open_request(address, url, 0, 1_000_000) as connection:
            connection.sendall(bytes(5000))
            assert answer_of(connection).startswith(b"HTTP/1.1 408")
        assert offset(client, url) == 5000

    def test_a_slow_answer_is_no_slow_body(self, client: Client, services: Services):
        """The events of a job are sent as long as it runs, and nothing more comes from the client."""
        with services.database.write() as session:
            job_id = factories.job(session, kind="ingest", spec={"filename": "a.zip"}).id
        started = time.monotonic()
        with client.stream("GET", f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"}) as answer:
            lines = answer.iter_lines()
            until(lambda: time.monotonic() - started > 0.7)
            with services.database.write() as session:
                jobs.cancel(session, job_id)
            assert any('"cancelled"' in line for line in lines)


class TestWrongLength:
    def test_a_form_that_is_longer_than_it_says_is_refused(self, address: str, stored: Path):
        body = PART + b"x" * 5000 + b"\r\n--b--\r\n"
        with raw(address, f"{FORM}Content-Length: {len(body) - 100}") as connection:
            connection.sendall(body)
            assert answer_of(connection).startswith(b"HTTP/1.1 400")
        until(lambda: files_in(stored) == [])

    def test_a_form_that_is_cut_where_it_says_is_refused(self, address: str, stored: Path):
        body = PART + b"x" * 5000
        with raw(address, f"{FORM}Content-Length: {len(body)}") as connection:
            connection.sendall(body)
            answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 422")
        assert b"ended before the end of the form" in answer
        assert files_in(stored) == []

    def test_of_a_part_that_is_longer_than_it_says_nothing_more_is_taken(self, client: Client, address: str):
        url = begun(client, 100)
        with open_request(address, url, 0, 50) as connection:
            connection.sendall(b"x" * 60)
            assert answer_of(connection).startswith(b"HTTP/1.1 400")
        assert offset(client, url) <= 50

    @pytest.mark.parametrize("length", ["-5", "5, 6", "0x10", "99999999999999999999999"])
    def test_what_is_no_length_is_refused(self, address: str, length: str, stored: Path):
        with raw(address, f"{FORM}Content-Length: {length}") as connection:
            connection.sendall(PART)
            assert connection.recv(65536).startswith(b"HTTP/1.1 4")
        assert files_in(stored) == []


class TestNoLength:
    def test_json_is_refused(self, address: str):
        with raw(address, "POST /v1/jobs\nContent-Type: application/json\nTransfer-Encoding: chunked") as connection:
            assert connection.recv(65536).startswith(b"HTTP/1.1 411")

    def test_what_is_no_upload_is_no_way_around(self, address: str):
        for path in ("/v1/jobs", "/v1/uploadsx", "/v1/datasets"):
            head = f"POST {path}\nContent-Type: application/offset+octet-stream\nTransfer-Encoding: chunked"
            with raw(address, head) as connection:
                assert connection.recv(65536).startswith(b"HTTP/1.1 411")
