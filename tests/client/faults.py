"""Answers that a test can have a server give, faults included."""

import json
import socket
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

Step = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Script:
    """What to answer; of several answers to the same request the last one repeats."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    steps: dict[tuple[str, str], list[Step]] = field(default_factory=lambda: defaultdict(list))

    def on(self, method: str, path: str, *steps: Step) -> None:
        self.steps[method, path] = list(steps)

    def sent(self, method: str, path: str) -> list[Seen]:
        return [one for one in self.seen if (one.method, one.path) == (method, path)]

    def next(self, method: str, path: str) -> Step:
        steps = self.steps[method, path]
        if not steps:
            return problem(404, code="not_found", detail=f"there is nothing at {path}")
        return steps.pop(0) if len(steps) > 1 else steps[0]


def answer(body: object, status: int = 200, **headers: str) -> Step:
    """JSON, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def step(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content)

    return step


def problem(
    status: int, *, code: str = "wrong", detail: str = "something is wrong", headers: dict[str, str] | None = None, **more
) -> Step:
    return answer({"status": status, "code": code, "detail": detail, **more}, status, **(headers or {}))


def page(*records: object, more: bool = False) -> Step:
    return answer({"object": "list", "data": list(records), "has_more": more})


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """End the connection without a word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut(content: bytes, after: int, status: int = 200, **headers: str) -> Step:
    """Promise all of a content, and hang up after some of it."""

    def step(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:after])
        handler.wfile.flush()
        hang_up(handler)

    return step


def ranged(content: bytes, etag: str) -> Step:
    """A file that can be had from any place on."""

    def step(handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        if asked and handler.headers.get("If-Range") == etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            place = f"bytes {start}-{len(content) - 1}/{len(content)}"
            answer(content[start:], 206, ETag=etag, Content_Range=place)(handler)
        else:
            answer(content, ETag=etag)(handler)

    return step


JOB = {"object": "job", "id": "job_1", "kind": "pretrain", "state": "running", "attempt": 1, "created_at": "2026-11-02T10:00:00Z"}
DATASET = {
    "object": "dataset",
    "id": "ds_1",
    "name": "pictures",
    "state": "ready",
    "images": 3,
    "created_at": "2026-11-02T10:00:00Z",
}
