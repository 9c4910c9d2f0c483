"""A receiver of webhooks: a real server on a real socket, which answers as it is told and remembers what it was sent."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CERTIFICATE = Path(__file__).parent / "receiver.test.pem"


@dataclass(frozen=True)
class Got:
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What it was sent, and what it answers: a status, or what a handler does. The last one is repeated."""

    url: str = ""
    port: int = 0
    got: list[Got] = field(default_factory=list)
    answers: list[int | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=lambda: [204])
    server_name: str | None = None
    """The name by which the last TLS connection asked for it."""

    @property
    def ids(self) -> list[str]:
        """`webhook-id` of each request."""
        return [one.headers["webhook-id"] for one in self.got]

    def wait(self, count: int, seconds: float = 15) -> list[Got]:
        """Wait until so many requests have come."""
        until = time.monotonic() + seconds
        while len(self.got) < count:
            assert time.monotonic() < until, f"{len(self.got)} of {count} requests came"
            time.sleep(0.01)
        return self.got


@contextmanager
def receiving(port: int = 0, *, tls: bool = False) -> Iterator[Receiver]:
    """Run a receiver."""
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.got.append(Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            answer = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            if callable(answer):
                answer(self)
            else:
                respond(self, answer)

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A sender that goes away is what some tests are about."""

    def note_name(_socket: ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
        told.server_name = name

    with Server(("127.0.0.1", port), Handler) as server:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            context.sni_callback = note_name
            server.socket = context.wrap_socket(server.socket, server_side=True)
        told.port = server.server_port
        told.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


def respond(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """Answer a request."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
