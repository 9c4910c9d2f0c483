from pathlib import Path

import pytest
from typer.testing import CliRunner

from launcher.main import app
from records.blobs import open_blobs
from records.database import Database
from records.settings import Settings
from tests import factories
from worker.sweeper import Sweeper


@pytest.fixture
def left(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """What a deleted dataset and a killed worker have left on the disk, beside what is in use."""
    for name, value in (("DATA_DIR", settings.data_dir), ("DATABASE_URL", settings.database_url), ("BLOBS_URL", settings.blobs)):
        monkeypatch.setenv(f"PRETEXT_{name}", str(value))
    database = Database(settings.database)
    with database.write() as session:
        kept = factories.dataset(session).id
    database.engine.dispose()
    folders = {
        "in use": settings.cache / f"{kept}-32",
        "brought along": settings.cache / "0123456789abcdef-32",
        "decoded": settings.cache / "ds_gone-32",
        "abandoned": settings.scratch / f"worker_1-{2**22 + 1}",  # Linux gives no such id to a process
    }
    for folder in folders.values():
        folder.mkdir(parents=True)
        (folder / "images.u8").write_bytes(b"x" * 1000)
    return folders


def there(left: dict[str, Path]) -> set[str]:
    return {name for name, folder in left.items() if folder.exists()}


class TestCommand:
    def test_a_dry_run_says_what_a_run_frees(self, left: dict[str, Path]):
        told = CliRunner().invoke(app, ["sweep", "--dry-run"])
        assert (told.exit_code, there(left)) == (0, left.keys()), told.output
        assert "1.0 kB  cache  ds_gone-32: its dataset is gone" in told.output
        assert told.output.endswith("would free 2.0 kB (cache 1, 1.0 kB; scratch 1, 1.0 kB)\n")
        freed = CliRunner().invoke(app, ["sweep"])
        assert freed.output == told.output.replace("would free", "freed")
        assert there(left) == {"in use", "brought along"}
        assert CliRunner().invoke(app, ["sweep"]).output == "there is nothing to free\n"


class TestWorker:
    def test_sweeps_its_disk_and_the_store_in_turns(self, settings: Settings, left: dict[str, Path]):
        from threading import Event

        database, blobs = Database(settings.database), open_blobs(settings.blobs)
        first, second = (Sweeper(settings, database, blobs, name, Event()) for name in ("worker_1", "worker_2"))
        freed = first.sweep()
        assert (freed.count, freed.bytes, there(left)) == (2, 2000, {"in use", "brought along"})
        left["decoded"].mkdir()
        assert second.sweep().count == 1
        first.look()
        assert first._thread is None  # it looked a moment ago: the next time is hours away
        database.engine.dispose()
