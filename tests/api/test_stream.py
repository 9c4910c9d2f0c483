import asyncio
import threading
import time
from collections.abc import Callable

import psutil
import pytest
from fastapi import FastAPI

from api.jobs import stream
from api.server import Server
from api.services import Services
from records.models import Job
from records.queries import events, jobs, leases
from records.queries.leases import Lease
from records.states import JobState
from tests import factories
from tests.api.conftest import KEY
from tests.api.watching import Watcher, opened


@pytest.fixture
def job_id(services: Services) -> str:
    """A job that runs; its first two events say so."""
    with services.database.write() as session:
        made = factories.job(session).id
        leases.claim(session, made, "w", 60)
    return made


@pytest.fixture
def say(services: Services, job_id: str) -> Callable[..., None]:
    """Writes events of the job down, as a worker does."""

    def write(count: int = 1, text: str = "x") -> None:
        with services.database.write() as session:
            events.add(session, job_id, 1, [("log", {"level": "info", "message": text})] * count)

    return write


@pytest.fixture
def succeed(services: Services, job_id: str) -> Callable[[], None]:
    def end() -> None:
        with services.database.write() as session:
            leases.end(session, leases.hold(session, Lease(job_id, 1)), JobState.SUCCEEDED)

    return end


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  what is waited for happens in other threads
            await asyncio.sleep(0.01)


class TestManyWatchers:
    def test_a_hundred_cost_no_threads_and_see_everything(self, address: str, services: Services, job_id: str, say, succeed):
        """Each sees each event once and in order; the last of them soon after the first."""

        async def run() -> None:
            watchers = await opened(100, address, job_id, KEY)
            await asyncio.gather(*(watcher.read(2) for watcher in watchers))
            assert (services.feeds.watchers, services.feeds.jobs) == (100, 1)
            before = psutil.Process().num_threads()
            reading = asyncio.gather(*(watcher.read() for watcher in watchers))
            for _ in range(3):
                await asyncio.to_thread(say, 2)
            await asyncio.to_thread(succeed)
            await reading
            assert all(watcher.numbers == list(range(1, 10)) for watcher in watchers)
            assert psutil.Process().num_threads() <= before + 3
            ends = [watcher.times[-1] for watcher in watchers]
            assert max(ends) - min(ends) < 2
            await until(lambda: services.feeds.watchers == 0)

        asyncio.run(run())

    def test_many_jobs_are_read_together(self, address: str, services: Services):
        async def run() -> None:
            with services.database.write() as session:
                ids = [factories.job(session).id for _ in range(30)]
            watchers = await asyncio.gather(*(Watcher.open(address, job_id, KEY) for job_id in ids))
            await asyncio.gather(*(watcher.read(1) for watcher in watchers))
            assert services.feeds.jobs == 30
            with services.database.write() as session:
                for job_id in ids:
                    jobs.cancel(session, job_id)
            await asyncio.gather(*(watcher.read() for watcher in watchers))
            assert all(watcher.numbers == [1, 2] for watcher in watchers)

        asyncio.run(run())


class TestReconnecting:
    def test_misses_nothing_and_doubles_nothing(self, address: str, job_id: str, say, succeed, monkeypatch: pytest.MonkeyPatch):
        """However often, and however far behind what is kept for all."""
        monkeypatch.setattr(stream, "_AT_ONCE", 7)

        async def run() -> list[int]:
            seen: list[int] = []
            await asyncio.to_thread(say, stream.KEPT + 50)
            faithful = await Watcher.open(address, job_id, KEY)
            for part in (3, 60, 61, stream.KEPT + 20):
                watcher = await Watcher.open(address, job_id, KEY, seen[-1] if seen else 0)
                await watcher.read(part)
                watcher.close()
                seen += [number for number in watcher.numbers if number <= part]
                await asyncio.to_thread(say, 2)
            await asyncio.to_thread(succeed)
            watcher = await Watcher.open(address, job_id, KEY, seen[-1])
            await asyncio.gather(watcher.read(), faithful.read())
            assert faithful.numbers == list(range(1, faithful.numbers[-1] + 1))
            assert faithful.numbers[-1] == 2 + stream.KEPT + 50 + 8 + 1
            return seen + watcher.numbers

        seen = asyncio.run(run())
        assert seen == list(range(1, seen[-1] + 1))

    def test_progress_of_now_is_told_to_each_who_comes(self, address: str, services: Services, job_id: str, succeed):
        with services.database.write() as session:
            leases.write_down(session, Lease(job_id, 1), found=[], metrics=[], progress={"phase": "train", "done": 1})

        async def run() -> None:
            for _ in range(2):
                watcher = await Watcher.open(address, job_id, KEY, after=2)
                async with asyncio.timeout(5):
                    while "progress" not in watcher.types:
                        line = await watcher.reader.readline()
                        watcher.types += [line[7:].decode().strip()] if line.startswith(b"event: ") else []
                watcher.close()

        asyncio.run(run())


class TestSlowReaders:
    def test_hold_up_nobody_and_take_no_memory(self, address: str, services: Services, job_id: str, say, succeed):
        """Twenty who read nothing of 12 MB each, while one reads it all."""

        async def run() -> None:
            slow = [await Watcher.open(address, job_id, KEY, buffer=1 << 18) for _ in range(20)]
            quick = await Watcher.open(address, job_id, KEY)
            before = psutil.Process().memory_info().rss
            for _ in range(6):
                await asyncio.to_thread(say, 200, "x" * 10_000)
                await quick.read(quick.numbers[-1] + 200 if quick.numbers else 202)
            assert quick.numbers[-1] >= 1202
            assert psutil.Process().memory_info().rss - before < 100 << 20  # and 240 MB are not read
            await asyncio.to_thread(succeed)
            await quick.read()
            await slow[0].read()
            assert slow[0].numbers == list(range(1, 1204))
            for watcher in slow:
                watcher.writer.transport.abort()
            await until(lambda: services.feeds.watchers == 0)

        asyncio.run(run())


class TestEnds:
    def test_a_deleted_job_ends_its_streams(self, address: str, services: Services, job_id: str):
        async def run() -> None:
            watcher = await Watcher.open(address, job_id, KEY)
            await watcher.read(2)
            with services.database.write() as session:
                session.delete(session.get_one(Job, job_id))
            async with asyncio.timeout(5):
                await watcher.read()

        asyncio.run(run())

    def test_a_server_that_stops_ends_them_at_once(self, app: FastAPI, job_id: str):
        server = Server(app, app.state.services.feeds, port=0, ws="none")
        thread = threading.Thread(target=server.run)
        thread.start()

        async def run() -> float:
            await until(lambda: server.started)
            port = server.servers[0].sockets[0].getsockname()[1]
            watchers = await opened(20, f"http://127.0.0.1:{port}", job_id, KEY)
            await asyncio.gather(*(watcher.read(2) for watcher in watchers))
            began = time.monotonic()
            server.should_exit = True
            await asyncio.gather(*(watcher.read() for watcher in watchers))
            return began

        began = asyncio.run(run())
        thread.join(10)
        assert time.monotonic() - began < 2  # requests may take three seconds to end

    def test_a_server_that_stops_waits_for_nobody_who_does_not_read(self, app: FastAPI, job_id: str, say):
        server = Server(app, app.state.services.feeds, port=0, ws="none", timeout_graceful_shutdown=1)
        thread = threading.Thread(target=server.run)
        thread.start()

        async def run() -> None:
            await until(lambda: server.started)
            address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            slow = [await Watcher.open(address, job_id, KEY, buffer=1 << 16) for _ in range(3)]
            quick = await Watcher.open(address, job_id, KEY)
            for _ in range(4):
                await asyncio.to_thread(say, 200, "x" * 10_000)
            await quick.read(802)
            server.should_exit = True
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()
            for watcher in (*slow, quick):
                watcher.writer.transport.abort()

        asyncio.run(run())

    def test_one_who_goes_away_is_not_counted_any_more(self, address: str, services: Services, job_id: str):
        async def run() -> None:
            watcher = await Watcher.open(address, job_id, KEY)
            await watcher.read(2)
            watcher.writer.transport.abort()
            await until(lambda: services.feeds.watchers == services.feeds.jobs == 0)

        asyncio.run(run())


class TestOutage:
    def test_watchers_wait_for_a_database_that_is_away(self, address: str, services: Services, job_id: str, say, succeed):
        """SQLite's file is moved away and back again."""
        path = services.settings.data_dir / "pretext.db"

        async def run() -> None:
            watcher = await Watcher.open(address, job_id, KEY)
            await watcher.read(2)
            with services.database.write() as session:
                session.connection().exec_driver_sql("ALTER TABLE jobs RENAME TO away")
            await asyncio.sleep(2.5 * stream.POLL_SECONDS)
            assert services.feeds.watchers == 1
            with services.database.write() as session:
                session.connection().exec_driver_sql("ALTER TABLE away RENAME TO jobs")
            await asyncio.to_thread(succeed)
            async with asyncio.timeout(10):
                await watcher.read()
            assert watcher.numbers == [1, 2, 3]

        assert path.exists()
        asyncio.run(run())
