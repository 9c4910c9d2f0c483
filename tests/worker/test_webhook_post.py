"""One request: where it goes, and what a receiver can and cannot do with it."""

import ssl
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address, ip_network

import pytest

from records.receivers import Address, Receivers
from tests.receivers import CERTIFICATE, Receiver, receiving, respond
from worker.webhooks.post import Poster, PostError, Reply

_LOOPBACK = Receivers(http=True, networks=[ip_network("127.0.0.0/8")])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as told:
        yield told


@pytest.fixture
def secure() -> Iterator[Receiver]:
    with receiving(tls=True) as told:
        yield told


class Names:
    """A resolver that says what a test tells it, and counts."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    def __call__(self, host: str, _port: int) -> list[Address]:
        self.asked.append(host)
        return [ip_address(text) for text in self.addresses]


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


def post(url: str, rules: Receivers = _LOOPBACK, seconds: float = 5, **more: object) -> Reply:
    return Poster(rules, seconds, **more).post(rules.target(url), {"webhook-id": "evt_1"}, b'{"a": 1}')


class TestAddresses:
    def test_are_looked_up_once_and_connected_to(self, receiver: Receiver):
        names = Names("127.0.0.1")
        assert post(f"http://anything.test:{receiver.port}/in?a=b", resolve=names).status == 204
        (got,) = receiver.got
        assert (names.asked, got.path, got.body) == (["anything.test"], "/in?a=b", b'{"a": 1}')
        assert (got.headers["host"], got.headers["webhook-id"]) == (f"anything.test:{receiver.port}", "evt_1")

    def test_that_are_not_public_are_never_connected_to(self, receiver: Receiver):
        rules = Receivers(http=True)
        for url, more in (
            (f"http://anything.test:{receiver.port}/", {"resolve": Names("127.0.0.1")}),
            (f"http://anything.test:{receiver.port}/", {"resolve": Names("8.8.8.8", "127.0.0.1")}),
            (f"http://anything.test:{receiver.port}/", {"resolve": Names("::ffff:127.0.0.1")}),
            (f"http://localhost:{receiver.port}/", {}),
        ):
            with pytest.raises(PostError, match="not public"):
                post(url, rules, **more)
        assert receiver.got == []

    def test_are_tried_in_turn(self, receiver: Receiver):
        assert post(f"http://anything.test:{receiver.port}/", resolve=Names("127.0.0.9", "127.0.0.1")).status == 204

    def test_that_cannot_be_found_are_told(self):
        with pytest.raises(PostError, match="cannot be resolved"):
            post("http://no-such-name.invalid/")

    def test_of_a_slow_resolver_cost_no_more_than_the_time_that_there_is(self):
        began = time.monotonic()
        with pytest.raises(PostError, match=r"within 0\.2 s"):
            post("http://slow.test/", seconds=0.2, resolve=lambda _host, _port: time.sleep(2) or [])
        assert time.monotonic() - began < 1.5

    def test_where_nobody_listens_are_told(self):
        with pytest.raises(PostError, match="refused"):
            post("http://127.0.0.1:9/")


class TestTls:
    def test_is_of_the_name_although_the_connection_is_to_an_address(self, secure: Receiver):
        reply = post(f"https://receiver.test:{secure.port}/", resolve=Names("127.0.0.1"), tls=trusting())
        assert (reply.status, secure.server_name) == (204, "receiver.test")
        assert secure.got[0].headers["host"] == f"receiver.test:{secure.port}"

    def test_of_another_name_is_not_accepted(self, secure: Receiver):
        with pytest.raises(PostError, match="certificate is not accepted"):
            post(f"https://other.test:{secure.port}/", resolve=Names("127.0.0.1"), tls=trusting())
        assert secure.got == []

    def test_of_an_unknown_authority_is_not_accepted(self, secure: Receiver):
        with pytest.raises(PostError, match="certificate is not accepted"):
            post(f"https://receiver.test:{secure.port}/", resolve=Names("127.0.0.1"))
        assert secure.got == []

    def test_where_there_is_none_is_told(self, receiver: Receiver):
        with pytest.raises(PostError, match="TLS"):
            post(f"https://receiver.test:{receiver.port}/", resolve=Names("127.0.0.1"), tls=trusting())


class TestAnswers:
    def test_that_redirect_are_not_followed(self, receiver: Receiver):
        with receiving() as other:
            receiver.answers = [lambda handler: respond(handler, 302, Location=other.url)]
            assert post(receiver.url).status == 302
            assert (len(receiver.got), other.got) == (1, [])

    def test_come_without_a_proxy(self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
        with receiving() as proxy:
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert post(receiver.url).status == 204
            assert proxy.got == []

    def test_are_read_to_a_bound(self, receiver: Receiver):
        def pour(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Retry-After", "7")
            handler.end_headers()
            handler.wfile.write(b"x" * 5_000_000)

        receiver.answers = [pour]
        reply = post(receiver.url)
        assert (reply.status, reply.retry_after, set(reply.excerpt), len(reply.excerpt) <= 1024) == (200, "7", {"x"}, True)

    def test_with_headers_without_end_are_refused(self, receiver: Receiver):
        def pour(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                handler.wfile.write(b"X-More: " + b"x" * 60_000 + b"\r\n")

        receiver.answers = [pour]
        with pytest.raises(PostError, match="too large"):
            post(receiver.url)

    def test_that_drip_are_cut_off_by_the_clock(self, receiver: Receiver):
        def drip(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                handler.wfile.write(b"X: y\r\n")
                handler.wfile.flush()
                time.sleep(0.05)

        receiver.answers = [drip]
        began = time.monotonic()
        with pytest.raises(PostError, match=r"within 0\.5 s"):
            post(receiver.url, seconds=0.5)
        assert time.monotonic() - began < 3

    def test_whose_body_never_comes_count_by_their_status(self, receiver: Receiver):
        def stall(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\n")
            handler.wfile.flush()
            time.sleep(1)

        receiver.answers = [stall]
        assert post(receiver.url, seconds=0.5) == Reply(202, None, "")

    @pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\0" * 100])
    def test_that_are_none_are_told(self, receiver: Receiver, answer: bytes):
        receiver.answers = [lambda handler: handler.wfile.write(answer)]
        with pytest.raises(PostError, match=r"HTTP|connection failed"):
            post(receiver.url)
