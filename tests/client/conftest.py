"""A server that answers what a test tells it to, over a real socket."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from pretext_client import Pretext, Retry

from tests.client.faults import Script, Seen


@pytest.fixture
def script() -> Iterator[Script]:
    told = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            told.seen.append(Seen(self.command, parts.path, query, headers, body))
            told.next(self.command, parts.path)(self)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815  names that http.server looks for

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield told
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_server_of_the_user(monkeypatch, tmp_path_factory):
    for name in ("PRETEXT_URL", "PRETEXT_API_KEY", "PRETEXT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PRETEXT_DATA_DIR", str(tmp_path_factory.mktemp("no-server")))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def client(script) -> Iterator[Pretext]:
    with Pretext(script.url, "secret", retry=Retry(times=3, first_seconds=0.01), timeout=5) as opened:
        yield opened
