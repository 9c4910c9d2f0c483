"""Watchers of jobs on bare sockets: as many as wanted, and as slow as wanted."""

import asyncio
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Watcher:
    """One who watches a job."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    numbers: list[int] = field(default_factory=list)
    """Numbers of the events that came, in their order."""
    times: list[float] = field(default_factory=list)
    """When each came, in seconds of the loop's clock."""
    types: list[str] = field(default_factory=list)

    @classmethod
    async def open(cls, address: str, job_id: str, key: str, after: int = 0, *, buffer: int = 1 << 20) -> "Watcher":
        """Ask for the stream, and read the answer's head. `buffer`: bytes that may wait here, and as many again in the kernel."""
        parts = urlsplit(address)
        assert parts.hostname is not None
        loop, connection = asyncio.get_running_loop(), socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)  # before it connects, or it is not kept to
        await loop.sock_connect(connection, (parts.hostname, parts.port))
        reader, writer = await asyncio.open_connection(sock=connection, limit=buffer)
        head = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: {parts.hostname}\r\nAuthorization: Bearer {key}\r\n"
        writer.write(f"{head}Accept: text/event-stream\r\nLast-Event-ID: {after}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return cls(reader, writer)

    async def read(self, until: int | None = None) -> None:
        """Read until an event has come, or else to the end of the stream."""
        now = asyncio.get_running_loop().time
        while until is None or not self.numbers or self.numbers[-1] < until:
            line = await self.reader.readline()
            if not line:
                self.close()
                return
            if line.startswith(b"id: "):
                self.numbers.append(int(line[4:]))
                self.times.append(now())
            elif line.startswith(b"event: "):
                self.types.append(line[7:].decode().strip())

    def close(self) -> None:
        """Go away."""
        self.writer.close()


async def opened(count: int, address: str, job_id: str, key: str) -> list[Watcher]:
    """Many watchers, who come together."""
    return list(await asyncio.gather(*(Watcher.open(address, job_id, key) for _ in range(count))))
