"""One POST to a receiver: to the address that was checked, by the clock, and no byte more than is looked at.

Not by an HTTP library: none lets the name be resolved and checked once and the connection go to that very address, while the
certificate is checked for the name. No redirect is followed, and no proxy asked.
"""

import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from ipaddress import ip_address
from typing import Any

from records.receivers import Address, NotPublicError, Receivers, Target

_MOST_ANSWER = 64 << 10
"""Bytes of an answer, with its headers, that are read at most."""
_EXCERPT = 1024
_EXCERPT_SECONDS = 1.0
_MOST_ADDRESSES = 4
Resolve = Callable[[str, int], list[Address]]


class PostError(Exception):
    """There was no answer; the message says why."""


@dataclass(frozen=True)
class Reply:
    """What a receiver has answered."""

    status: int
    retry_after: str | None
    excerpt: str
    """Beginning of the body."""


class Clock:
    """How much time is left for all together."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def shorten(self, seconds: float) -> None:
        """Leave so many seconds, or what was left if that is less."""
        self._until = min(self._until, time.monotonic() + seconds)


class Poster:
    """Sends requests to receivers.

    Args:
        receivers: where requests may go.
        seconds: for one request, from resolving the name to the answer's headers.
        resolve: finds the addresses of a name.
        tls: what certificates are checked by; default: the system's authorities.
    """

    def __init__(
        self, receivers: Receivers, seconds: float, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._receivers = receivers
        self._seconds = seconds
        self._resolve = resolve or _resolved
        self._tls = tls or ssl.create_default_context()

    def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a request.

        Raises:
            PostError: it cannot be sent, or was not answered in time.
        """
        clock = Clock(self._seconds)
        try:
            with self._connected(target, clock) as connection:
                connection.settimeout(clock.left())
                connection.sendall(_head(target, headers, len(body)) + body)
                return _reply(connection, clock)
        except TimeoutError:
            raise PostError(f"it did not answer within {self._seconds:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise PostError(f"its certificate is not accepted: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise PostError(f"TLS with it failed: {error.reason}") from None
        except (HTTPException, ValueError) as error:
            raise PostError(f"it did not answer in HTTP: {error or type(error).__name__}") from None
        except OSError as error:
            raise PostError(f"the connection failed: {error.strerror or error}") from None

    def _connected(self, target: Target, clock: Clock) -> socket.socket:
        addresses = self._addresses(target, clock)
        for number, address in enumerate(addresses):
            try:
                plain = socket.create_connection((str(address), target.port), clock.left() / (len(addresses) - number))
            except OSError:
                if number + 1 == len(addresses):
                    raise
                continue
            if not target.secure:
                return plain
            try:
                plain.settimeout(clock.left())
                return self._tls.wrap_socket(plain, server_hostname=target.host.removesuffix("."))
            except BaseException:
                plain.close()
                raise
        raise PostError("its name has no address")

    def _addresses(self, target: Target, clock: Clock) -> list[Address]:
        """Where the name leads; all of it has to be allowed, so that nobody can hide one address behind others."""
        found = self._looked_up(target, clock)
        try:
            for address in found:
                self._receivers.check(address)
        except NotPublicError as error:
            raise PostError(f"its name {error}") from None
        return found[:_MOST_ADDRESSES]

    def _looked_up(self, target: Target, clock: Clock) -> list[Address]:
        """The resolver has its own idea of time, so it is asked in a thread that nobody has to wait for."""
        answers: queue.SimpleQueue[list[Address] | OSError] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._resolve(target.host, target.port))
            except (OSError, UnicodeError) as error:
                answers.put(error if isinstance(error, OSError) else OSError(str(error)))

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        try:
            found = answers.get(timeout=clock.left())
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(found, OSError):
            raise PostError(f"its name cannot be resolved: {found.strerror or found}")
        return found


def _resolved(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(text) for text in dict.fromkeys(str(address[0]) for *_, address in found)]


def _head(target: Target, headers: Mapping[str, str], length: int) -> bytes:
    own = {"Host": target.authority, "Content-Length": str(length), "Connection": "close", "Accept": "*/*"}
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in {**own, **headers}.items()), "", ""]
    return "\r\n".join(lines).encode("ascii")


def _reply(connection: socket.socket, clock: Clock) -> Reply:
    bounded: Any = _Bounded(connection, clock)  # no socket, but all of one that is asked for
    response = HTTPResponse(bounded, method="POST")
    with response:
        response.begin()
        excerpt = b""
        clock.shorten(_EXCERPT_SECONDS)
        # The status says what came of it; without the body's beginning, people just see less.
        with suppress(OSError, HTTPException, ValueError):
            excerpt = response.read1(_EXCERPT)
        text = excerpt.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        return Reply(response.status, response.getheader("Retry-After"), text)


class _Bounded(io.RawIOBase):
    """What a connection brings, as long as the clock allows and up to a number of bytes: a receiver may drip, and never end."""

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._left = _MOST_ANSWER

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """What `http.client` reads from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            raise ValueError("the answer is too large")
        self._connection.settimeout(self._clock.left())
        count = self._connection.recv_into(buffer, min(len(buffer), self._left))
        self._left -= count
        return count
