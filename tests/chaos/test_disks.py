"""Disks that are full, and blobs that are not what they were."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from records.database import Database
from records.models import Job
from tests.chaos.checks import all_trained, nothing_left_over, told
from tests.chaos.disks import SmallDisks
from tests.chaos.town import Town, until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """Small disks for scratch, cache, blobs and the database."""
    paths = {name: tmp_path / "disks" / name for name in ("scratch", "cache", "blobs", "data")}
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("unshare and nsenter are needed for a disk that can be filled up")
    try:
        small = SmallDisks(*paths.values())
    except OSError as error:
        pytest.skip(f"this machine allows no user namespaces with mounts: {error}")
    yield SimpleNamespace(small=small, full=lambda name: small.full(paths[name]), **paths)
    small.close()


@pytest.fixture
def make_small_town(disks: SimpleNamespace, tmp_path: Path, sqlite_url: str) -> Iterator[Callable[..., Town]]:
    """Makes a service that has only small disks; its database is on one where `database_url` says so."""
    with ExitStack() as stack:

        def make(database_url: str = sqlite_url) -> Town:
            more = {
                "PRETEXT_DATABASE_URL": database_url,
                "PRETEXT_BLOBS_URL": f"file://{disks.blobs}",
                "PRETEXT_CACHE_DIR": str(disks.cache),
                "PRETEXT_SCRATCH_DIR": str(disks.scratch),
            }
            small, blobs = disks.small, disks.small.seen(disks.blobs)
            town = stack.enter_context(Town(tmp_path / "town", sqlite_url, prefix=small.prefix, blobs=blobs, **more))
            town.start_worker()
            return town

        yield make


def error_of(town: Town, job_id: str) -> tuple[str, str]:
    with town.database.read() as session:
        error = session.get_one(Job, job_id).error
    assert error is not None
    return error["code"], error["message"]


class TestFull:
    @pytest.mark.usefixtures("at_length")
    def test_scratch_and_cache(self, make_small_town: Callable[..., Town], disks: SimpleNamespace):
        town = make_small_town()
        dataset_id = town.upload()
        with disks.full("scratch"):
            first = town.train(dataset_id).id
            town.wait(first)
        code, message = error_of(town, first)
        assert (code, "PRETEXT_SCRATCH_DIR" in message) == ("disk_full", True)
        with disks.full("cache"):
            second = town.train(dataset_id).id
            town.wait(second)
        code, message = error_of(town, second)
        assert (code, "cache" in message) == ("cache_full", True)
        third = town.train(dataset_id, steps=800).id
        until(lambda: town.step(third) > 5)
        with disks.full("scratch"):
            until(lambda: "training goes on without it" in told(town, third))
        town.wait(third)
        all_trained(town, [third])
        assert town.attempts(third) == 1

    @pytest.mark.usefixtures("at_length")
    def test_blobs(self, make_small_town: Callable[..., Town], disks: SimpleNamespace):
        town = make_small_town()
        job_id = town.train(town.upload(), steps=300).id
        until(lambda: town.step(job_id) > 5)
        with disks.full("blobs"):
            town.wait(job_id)
        code, message = error_of(town, job_id)
        assert (code, "could not be stored" in message) == ("disk_full", True)
        assert "a checkpoint could not be stored" in told(town, job_id)
        again = town.client.jobs.retry(job_id).id
        town.wait(again)
        all_trained(town, [again])

    @pytest.mark.usefixtures("at_length")
    def test_database(self, make_small_town: Callable[..., Town], disks: SimpleNamespace, migrated_sqlite: bytes):
        seen = disks.small.seen(disks.data)
        (seen / "pretext.db").write_bytes(migrated_sqlite)
        town = make_small_town(f"sqlite:///{disks.data}/pretext.db")
        dataset_id = town.upload()
        job_id = town.train(dataset_id, steps=800).id
        until(lambda: town.client.jobs.get(job_id).state == "running")
        refused = None
        with disks.full("data"):
            for _ in range(60):  # what there is room for in the journal is used up by then
                refused = _submit(town, dataset_id)
                if refused.status_code >= 500:
                    break
        assert refused is not None
        assert (refused.status_code, refused.json()["code"]) == (507, "disk_full")
        until(lambda: town.client.jobs.get(job_id).ended, 100, 0.5)
        town.stop_all()
        for file in seen.glob("pretext.db*"):  # SQLite follows the link to our own disk, where there is none
            shutil.copy(file, town.folder / file.name)
        town.database = Database(f"sqlite:///{town.folder}/pretext.db")
        all_trained(town, [job_id])
        assert town.attempts(job_id) == 1


def _submit(town: Town, dataset_id: str) -> httpx.Response:
    metadata = {str(number): "x" * 500 for number in range(16)}
    spec = {"kind": "pretrain", "dataset_id": dataset_id, "task": {"name": "rotation"}, "device": "cuda", "metadata": metadata}
    headers = {"Authorization": f"Bearer {town.key}"}
    return httpx.post(f"http://127.0.0.1:{town.port}/v1/jobs", headers=headers, json=spec, timeout=60, trust_env=False)


class TestDamaged:
    @pytest.mark.parametrize("how", ["truncated", "flipped"])
    def test_the_checkpoint_before_is_used(self, tmp_path: Path, sqlite_url: str, how: str, long_chaos: bool):
        if how == "flipped" and not long_chaos:
            pytest.skip("`make chaos` runs it")
        with Town(tmp_path / "town", sqlite_url) as town:
            town.start_worker()
            dataset_id = town.upload()
            job_id = town.train(dataset_id, steps=120).id
            until(lambda: len(town.checkpoints(job_id)) == 2)
            town.client.jobs.pause(job_id)
            until(lambda: town.state(job_id) == "paused")
            before, newest = town.checkpoints(job_id)
            content = bytearray(newest.read_bytes())
            content[-100] ^= 1
            newest.unlink()  # its bytes may be shared
            newest.write_bytes(content if how == "flipped" else content[:-200])
            town.client.jobs.resume(job_id)
            town.wait(job_id)
            all_trained(town, [job_id])
            step = int(before.name.partition("-")[0])
            assert f"resumed from the checkpoint of step {step}" in told(town, job_id)
            assert f"the checkpoint of step {int(newest.name.partition('-')[0])} is damaged" in told(town, job_id)
            nothing_left_over(town)
