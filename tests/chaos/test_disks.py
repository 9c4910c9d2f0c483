"""Disks that are full, and blobs that are not what they were."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from records.models import Job
from tests.chaos.checks import all_trained, history, nothing_left_over, told
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
def town(disks: SimpleNamespace, tmp_path: Path, migrated_sqlite: bytes) -> Iterator[Town]:
    """A service that has only small disks."""
    seen = disks.small.seen(disks.data) / "pretext.db"
    seen.write_bytes(migrated_sqlite)
    more = {
        "PRETEXT_DATABASE_URL": f"sqlite:///{disks.data}/pretext.db",
        "PRETEXT_BLOBS_URL": f"file://{disks.blobs}",
        "PRETEXT_CACHE_DIR": str(disks.cache),
        "PRETEXT_SCRATCH_DIR": str(disks.scratch),
    }
    with Town(
        tmp_path / "town", f"sqlite:///{seen}", prefix=disks.small.prefix, blobs=disks.small.seen(disks.blobs), **more
    ) as town:
        town.start_worker()
        yield town


def error_of(town: Town, job_id: str) -> tuple[str, str]:
    with town.database.read() as session:
        error = session.get_one(Job, job_id).error
    assert error is not None
    return error["code"], error["message"]


class TestFull:
    def test_scratch_and_cache(self, town: Town, disks: SimpleNamespace):
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
        third = town.train(dataset_id, steps=1500).id
        until(lambda: town.step(third) > 5)
        with disks.full("scratch"):
            until(lambda: "training goes on without it" in told(town, third))
        town.wait(third)
        all_trained(town, [third])
        assert town.attempts(third) == 1

    def test_blobs_and_database(self, town: Town, disks: SimpleNamespace):
        dataset_id = town.upload()
        first = town.train(dataset_id, steps=300).id
        until(lambda: town.step(first) > 5)
        with disks.full("blobs"):
            town.wait(first)
        code, message = error_of(town, first)
        assert (code, "could not be stored" in message) == ("disk_full", True)
        assert "a checkpoint could not be stored" in told(town, first)
        second = town.train(dataset_id, steps=1500).id
        until(lambda: town.step(second) > 5)
        with disks.full("data"):
            refused = [_pause(town, "job_x") for _ in range(1)]
            for _ in range(60):  # what there was room for in the journal is used up by then
                refused.append(_submit(town, dataset_id))
                if refused[-1].status_code >= 500:
                    break
        assert refused[-1].status_code == 507
        assert refused[-1].json()["code"] == "disk_full"
        town.wait(second)
        history(town, second)
        all_trained(town, [second])
        assert town.attempts(second) == 1


def _pause(town: Town, job_id: str) -> httpx.Response:
    return _ask(town, f"/v1/jobs/{job_id}/pause", {})


def _submit(town: Town, dataset_id: str) -> httpx.Response:
    metadata = {str(number): "x" * 500 for number in range(16)}
    spec = {"kind": "pretrain", "dataset_id": dataset_id, "task": {"name": "rotation"}, "device": "cuda", "metadata": metadata}
    return _ask(town, "/v1/jobs", spec)


def _ask(town: Town, path: str, body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {town.key}"}
    return httpx.post(f"http://127.0.0.1:{town.port}{path}", headers=headers, json=body, timeout=60, trust_env=False)


class TestDamaged:
    @pytest.mark.parametrize("how", ["truncated", "flipped"])
    def test_the_checkpoint_before_is_used(self, tmp_path: Path, sqlite_url: str, how: str):
        with Town(tmp_path / "town", sqlite_url) as town:
            town.start_worker()
            dataset_id = town.upload()
            job_id = town.train(dataset_id, steps=1500).id
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
