import os
import signal
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, make_url, text

from records.blobs import LocalBlobs
from records.database import Database
from records.models import JobPicture
from records.queries import events, jobs, leases, pictures
from records.queries.leases import Lease, LeaseLostError
from records.states import JobState
from ssl_core.pictures import Panel, save_picture
from ssl_core.pictures import Picture as Drawing
from tests import factories
from tests.worker.test_engine import child_pids, until
from worker import pictures as of_worker
from worker.engine import Engine
from worker.pictures import Pictures


@pytest.fixture
def held(database: Database) -> Lease:
    with database.write() as session:
        job_id = factories.job(session).id
        leases.claim(session, job_id, "w", 100)
    return Lease(job_id, 1)


class Desk:
    """A child's folder, what takes the pictures out of it, and what that warns of."""

    def __init__(self, database: Database, blobs: LocalBlobs, lease: Lease, folder: Path) -> None:
        self.folder = folder / f"out-{lease.attempt}"
        self.folder.mkdir()
        self.warnings: list[str] = []
        self.pictures = Pictures(database, blobs, lease, self.folder, self.warnings.append)

    def draw(self, epoch: int, content: bytes | None = None, **more: object) -> Path:
        path = self.folder / f"{epoch:06}.png"
        path.write_bytes(factories.png(seed=epoch) if content is None else content)
        self.pictures.add({"type": "picture", "path": str(path), "epoch": epoch, "step": epoch * 4, "caption": "noise", **more})
        return path


@pytest.fixture
def desk(database: Database, blobs: LocalBlobs, held: Lease, tmp_path: Path) -> Desk:
    return Desk(database, blobs, held, tmp_path)


def stored(blobs: LocalBlobs, job_id: str) -> list[bytes]:
    """Content of all picture blobs of a job, whether something refers to them or not."""
    return [path.read_bytes() for path in sorted((blobs._root / "jobs" / job_id / "pictures").glob("*"))]


class TestStore:
    def test_moves_the_file_and_writes_a_row(self, desk: Desk, database: Database, blobs: LocalBlobs, held: Lease):
        path = desk.draw(3, caption="c" * 5000)
        assert desk.pictures.flush()
        with database.read() as session:
            picture = pictures.newest(session, held.job_id)
            told = [event.data for event in events.page(session, held.job_id, after=0, limit=9)[0] if event.type == "picture"]
        content = blobs.path(picture.key).read_bytes()
        assert (content, sha256(content).hexdigest(), len(content)) == (factories.png(seed=3), picture.sha256, picture.bytes)
        assert (picture.epoch, picture.step, picture.attempt, picture.width, picture.height) == (3, 12, 1, 32, 32)
        assert picture.caption == "c" * 1000
        assert told == [{"epoch": 3, "step": 12}]
        assert (path.exists(), desk.warnings) == (False, [])

    def test_takes_pictures_that_move(self, desk: Desk, database: Database, blobs: LocalBlobs, held: Lease):
        frames = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 50, 3), np.uint8)
        size = save_picture(Drawing((Panel("clip", frames),), "."), desk.folder / "moving")
        content = (desk.folder / "moving").read_bytes()
        desk.draw(3, content)
        assert desk.pictures.flush()
        with database.read() as session:
            picture = pictures.newest(session, held.job_id)
        assert (picture.format, picture.width, picture.height) == ("webp", *size)
        assert blobs.path(picture.key).read_bytes() == content
        assert desk.warnings == []

    def test_a_later_attempt_replaces_row_and_blob(
        self, desk: Desk, database: Database, blobs: LocalBlobs, held: Lease, tmp_path: Path
    ):
        desk.draw(0)
        desk.draw(1)
        desk.pictures.flush()
        with database.write() as session:
            leases.end(session, leases.hold(session, held), JobState.QUEUED)
            leases.claim(session, held.job_id, "x", 100)
        again = Desk(database, blobs, Lease(held.job_id, 2), tmp_path)
        again.draw(1, factories.png(seed=99))
        assert again.pictures.flush()
        with database.read() as session:
            found, _ = pictures.page(session, held.job_id, after=-1, limit=9)
        assert [(one.epoch, one.attempt) for one in found] == [(0, 1), (1, 2)]
        assert stored(blobs, held.job_id) == [factories.png(seed=0), factories.png(seed=99)]

    def test_an_attempt_that_is_over_stores_nothing(self, desk: Desk, database: Database, blobs: LocalBlobs, held: Lease):
        desk.draw(0)
        with database.write() as session:
            leases.end(session, leases.hold(session, held), JobState.QUEUED)
            leases.claim(session, held.job_id, "x", 100)
        with pytest.raises(LeaseLostError):
            desk.pictures.flush()
        desk.pictures.discard()
        assert stored(blobs, held.job_id) == []
        with database.read() as session:
            assert session.query(JobPicture).count() == 0


class TestTrouble:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"content": b"GIF89a" + bytes(100)}, "no PNG file"),
            ({"content": b""}, "no PNG file"),
            ({"content": b"RIFF\0\0\0\0WEBPVP8X"}, "no animated WebP file"),
            ({"content": factories.png() + bytes(of_worker.MOST_BYTES)}, "may have up to 16,777,216"),
            ({"epoch": -1}, "`epoch` is -1"),
            ({"epoch": 2**31}, "`epoch` is 2147483648"),
            ({"epoch": True}, "`epoch` is True"),
            ({"step": None}, "`step` is None"),
            ({"path": "/etc/hostname"}, "no file in the folder of the job"),
            ({"path": None}, "no file in the folder of the job"),
            ({"path": "a\0b"}, "null byte"),
        ],
    )
    def test_is_a_warning(self, desk: Desk, database: Database, blobs: LocalBlobs, held: Lease, change: dict, says: str):
        desk.pictures.add({**_event(desk, change.pop("content", None)), **change})
        desk.draw(1)
        assert desk.pictures.flush()
        (warning,) = desk.warnings
        assert says in warning
        assert stored(blobs, held.job_id) == [factories.png(seed=1)]

    def test_a_file_that_is_gone_is_a_warning(self, desk: Desk):
        desk.draw(0).unlink()
        assert desk.pictures.flush()
        assert "No such file" in desk.warnings[0]

    def test_a_link_out_of_the_folder_is_not_followed(self, desk: Desk, tmp_path: Path):
        (tmp_path / "secret.png").write_bytes(factories.png())
        (desk.folder / "link.png").symlink_to(tmp_path / "secret.png")
        desk.pictures.add({"type": "picture", "path": str(desk.folder / "link.png"), "epoch": 0, "step": 0})
        assert desk.pictures.flush()
        assert "no file in the folder" in desk.warnings[0]
        assert (tmp_path / "secret.png").exists()

    def test_a_store_that_takes_nothing_is_a_warning(self, desk: Desk, blobs: LocalBlobs, held: Lease):
        folder = blobs._root / "jobs" / held.job_id
        folder.mkdir(parents=True)
        (folder / "pictures").touch()
        desk.draw(0)
        assert desk.pictures.flush()
        assert "could not be stored" in desk.warnings[0]


def _event(desk: Desk, content: bytes | None) -> dict:
    path = desk.folder / "x.png"
    path.write_bytes(factories.png() if content is None else content)
    return {"type": "picture", "path": str(path), "epoch": 0, "step": 0, "caption": "\0\ud800"}


class TestDatabaseAway:
    @pytest.fixture
    def database_url(self, postgres_url: str) -> str:
        return postgres_url

    @pytest.fixture
    def allow(self, postgres: str, postgres_url: str) -> Callable[[bool], None]:
        """Closes and opens the database to everybody."""
        name = make_url(postgres_url).database

        def allow(connections: bool) -> None:
            engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {connections}"))
                if not connections:
                    connection.execute(
                        text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n"), {"n": name}
                    )
            engine.dispose()

        return allow

    def test_pictures_wait(self, desk: Desk, database: Database, blobs: LocalBlobs, held: Lease, allow):
        allow(False)
        for epoch in (0, 1):
            desk.draw(epoch)
            assert not desk.pictures.flush()
        allow(True)
        assert desk.pictures.flush()
        with database.read() as session:
            assert [one.epoch for one in pictures.page(session, held.job_id, after=-1, limit=9)[0]] == [0, 1]
        assert stored(blobs, held.job_id) == [factories.png(seed=0), factories.png(seed=1)]
        assert desk.warnings == []

    def test_no_more_than_a_bound_wait(self, desk: Desk, database: Database, held: Lease, allow, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(of_worker, "MOST_WAITING", 3)
        allow(False)
        desk.draw(0)
        assert not desk.pictures.flush()
        paths = [desk.draw(epoch) for epoch in range(1, 6)]
        allow(True)
        assert [path.exists() for path in paths] == [False, False, True, True, True]
        assert desk.pictures.flush()
        with database.read() as session:
            assert [one.epoch for one in pictures.page(session, held.job_id, after=-1, limit=9)[0]] == [0, 3, 4, 5]
        assert len(desk.warnings) == 2

    @pytest.mark.usefixtures("_drawing")
    def test_a_job_that_ends_meanwhile_has_all_its_pictures(
        self, engine: Engine, database: Database, ingested: str, pretrain, read_job, in_background, allow
    ):
        job_id = pretrain(ingested, steps=80)
        in_background(engine.work, job_id)
        until(lambda: (read_job(job_id).progress or {}).get("step", 0) > 4)
        allow(False)
        until(lambda: child_pids(job_id) == [])
        allow(True)
        until(lambda: read_job(job_id).state == JobState.SUCCEEDED)
        with database.read() as session:
            found, _ = pictures.page(session, job_id, after=-1, limit=99)
        assert [(one.epoch, one.attempt) for one in found] == [(epoch, 1) for epoch in range(21)]


_DOUBLE = """
import itertools, os, sys
import ssl_core.events

emit, numbers = ssl_core.events.PipeEvents.emit, itertools.count()

def and_draw(self, type_, **fields):
    emit(self, type_, **fields)
    if type_ not in {"environment", "metrics"} or fields.get("step", 0) % 4:
        return
    from PIL import Image
    epoch = fields.get("step", 0) // 4
    path = os.path.join(sys.argv[sys.argv.index("--out") + 1], f"picture-{epoch}.png")
    Image.new("RGB", (60, 30), (os.getpid() % 251, os.getpid() // 251 % 251, epoch)).save(path)
    emit(self, "picture", path=path, epoch=epoch, step=4 * epoch, caption=f"by {os.getpid()}", width=60, height=30)

ssl_core.events.PipeEvents.emit = and_draw
"""
"""Has every training draw a picture of one colour before it begins and after each epoch; the process that drew it can be told."""


@pytest.fixture
def _drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "double").mkdir()
    (tmp_path / "double" / "sitecustomize.py").write_text(_DOUBLE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "double"), *filter(None, sys.path)]))


@pytest.mark.usefixtures("_drawing")
class TestJob:
    @pytest.fixture
    def drawn(self, database: Database, blobs: LocalBlobs) -> Callable[[str], list[tuple[int, int, str]]]:
        """Epoch, attempt and caption of each picture of a job; their blobs, and no others, are there."""

        def read(job_id: str) -> list[tuple[int, int, str]]:
            with database.read() as session:
                found, _ = pictures.page(session, job_id, after=-1, limit=1000)
            assert [sha256(content).hexdigest() for content in stored(blobs, job_id)] == [one.sha256 for one in found]
            return [(one.epoch, one.attempt, one.caption) for one in found]

        return read

    def test_pictures_survive_success(self, engine: Engine, blobs: LocalBlobs, ingested: str, pretrain, read_job, drawn):
        job_id = pretrain(ingested, steps=8)
        engine.work(job_id)
        assert read_job(job_id).state == JobState.SUCCEEDED
        assert [(epoch, attempt) for epoch, attempt, _ in drawn(job_id)] == [(0, 1), (1, 1), (2, 1)]
        assert not (blobs._root / "jobs" / job_id / "checkpoints").exists()

    def test_pictures_survive_failure(self, engine: Engine, ingested: str, pretrain, read_job, drawn):
        diverging = {"learning_rate": 100, "warmup": 0, "schedule": "constant", "weight_decay": 1}
        job_id = pretrain(ingested, steps=40, optimizer=diverging)
        engine.work(job_id)
        assert read_job(job_id).state == JobState.FAILED
        assert drawn(job_id)[0][:2] == (0, 1)

    def test_pictures_survive_cancel(
        self, engine: Engine, database: Database, ingested: str, pretrain, read_job, drawn, in_background
    ):
        job_id = pretrain(ingested, steps=2000)
        in_background(engine.work, job_id)
        until(lambda: (read_job(job_id).progress or {}).get("step", 0) > 8)
        with database.write() as session:
            jobs.cancel(session, job_id)
        until(lambda: read_job(job_id).state == JobState.CANCELLED)
        assert [(epoch, attempt) for epoch, attempt, _ in drawn(job_id)][:2] == [(0, 1), (1, 1)]

    def test_the_next_attempt_replaces_what_it_draws_again(
        self, engine: Engine, ingested: str, pretrain, read_job, drawn, in_background
    ):
        job_id = pretrain(ingested, steps=120)
        in_background(engine.work, job_id)
        until(lambda: any(checkpoint["step"] >= 8 for checkpoint in read_job(job_id).checkpoints))
        for pid in child_pids(job_id):
            os.kill(pid, signal.SIGKILL)
        until(lambda: read_job(job_id).state == JobState.SUCCEEDED)
        found = drawn(job_id)
        assert [epoch for epoch, _, _ in found] == list(range(31))
        assert (found[0][1], found[1][1], found[-1][1]) == (2, 1, 2)
