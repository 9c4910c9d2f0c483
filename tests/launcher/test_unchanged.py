"""A folder that is uploaded again: only what is new goes over, and the same comes of it as of the whole."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import numpy as np
import pytest
from PIL import Image
from pretext_client import AsyncPretext, NotFound, Pretext, TransferFailed
from pretext_client.unchanged import Comparison

from launcher.server import Server
from records.database import Database
from records.queries import datasets
from records.settings import Settings


def picture(seed: int, side: int) -> bytes:
    """Noise, which no compression makes small."""
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)).save(out, "png")
    return out.getvalue()


def fill(folder: Path, count: int, side: int, first: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        (folder / f"{number:03}.png").write_bytes(picture(number, side))
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("unchanged") / "data", port=0, device="cpu", embed_threads=1)


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[Server]:
    with Server(settings, logs=settings.data_dir.parent / "logs") as server:
        yield server


@pytest.fixture
def pretext(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pretext]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with Pretext(server.url, server.key) as pretext:
        yield pretext


def shards_of(settings: Settings, dataset_id: str) -> list[tuple[int, str]]:
    with Database(settings.database).read() as session:
        return [(shard["rows"], shard["sha256"]) for shard in datasets.get(session, dataset_id).shards or []]


class Told:
    """What an upload says."""

    def __init__(self) -> None:
        self.bytes = 0
        self.compared: list[Comparison] = []

    def progress(self, done: int, total: int) -> None:
        del done
        self.bytes = total


@pytest.mark.parametrize("side", [24, 600], ids=["in one form", "in parts"])
def test_only_what_is_new_goes_over(settings: Settings, pretext: Pretext, tmp_path: Path, side: int):
    folder = fill(tmp_path / f"pictures{side}", 20, side)
    told = Told()
    first = pretext.datasets.upload(folder, on_progress=told.progress, on_compare=told.compared.append).wait()
    assert (first.base_dataset_id, told.compared) == (None, [])
    whole = told.bytes

    (folder / "sorted").mkdir()
    (folder / "003.png").rename(folder / "sorted" / "moved.png")  # elsewhere
    (folder / "007.png").write_bytes(picture(700, side))  # changed
    (folder / "008.png").unlink()  # gone
    fill(folder, 10 if side == 600 else 1, side, first=50)  # new
    second = pretext.datasets.upload(folder, on_progress=told.progress, on_compare=told.compared.append).wait()
    new = 11 if side == 600 else 2
    assert second.base_dataset_id == first.id
    assert second.images == 20 - 1 + new - 1
    assert (told.compared[-1].unchanged, told.compared[-1].files) == (18, 18 + new)
    assert told.bytes < whole * (0.65 if side == 600 else 0.3)

    again = pretext.datasets.upload(folder, reuse=False, on_progress=told.progress).wait()
    assert again.base_dataset_id is None
    assert shards_of(settings, second.id) == shards_of(settings, again.id)

    first.delete()
    again.delete()
    assert len(list(pretext.datasets.samples(second.id))) == second.images
    assert second.refresh().base_dataset_id == first.id
    assert pretext.datasets.thumbnail(second.id, 0)


def test_a_base_of_ones_choice(pretext: Pretext, tmp_path: Path):
    folder = fill(tmp_path / "many", 12, 24)
    base = pretext.datasets.upload(folder, name="a base").wait()
    other = shutil.copytree(folder, tmp_path / "other")
    assert pretext.datasets.upload(other).wait().base_dataset_id is None  # none of this name
    assert pretext.datasets.upload(other, name="x", reuse="a base").wait().base_dataset_id == base.id
    with pytest.raises(NotFound, match="no dataset 'nothing'"):
        pretext.datasets.upload(other, reuse="nothing")
    with pytest.raises(TransferFailed, match="only the files of a folder"):
        pretext.datasets.upload(other / "000.png", reuse=base.id)


def test_a_base_that_goes_meanwhile_costs_only_time(pretext: Pretext, tmp_path: Path):
    """Between the comparison and the dataset: everything is sent then."""
    folder = fill(tmp_path / "going", 20, 600)
    base = pretext.datasets.upload(folder).wait()
    fill(folder, 10, 600, first=30)
    gone: list[int] = []

    def progress(done: int, total: int) -> None:
        if not gone:
            base.delete()
        gone.append(total)
        del done

    made = pretext.datasets.upload(folder, on_progress=progress).wait()
    assert (made.images, made.base_dataset_id) == (30, None)
    assert min(gone) < max(gone) * 0.5
    assert list(pretext.uploads.list()) == []


def test_with_await(server: Server, pretext: Pretext, tmp_path: Path):
    folder = fill(tmp_path / "awaited", 5, 24)
    base = pretext.datasets.upload(folder).wait()

    async def main() -> tuple[str | None, int | None]:
        async with AsyncPretext(server.url, server.key) as asynchronous:
            made = await (await asynchronous.datasets.upload(folder)).wait()
            return made.base_dataset_id, made.images

    assert anyio.run(main) == (base.id, 5)


def test_by_the_command(server: Server, pretext: Pretext, tmp_path: Path):
    folder = fill(tmp_path / "commanded", 8, 24)
    environment = {**os.environ, "PRETEXT_URL": server.url, "PRETEXT_API_KEY": server.key}

    def told(*arguments: str) -> str:
        command = [sys.executable, "-m", "pretext_client.cli", "upload", str(folder), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr

    assert "not sent again" not in told()
    fill(folder, 1, 24, first=20)
    assert "8 of 9 files (" in (again := told())
    assert "are in commanded (ds_" in again
    assert "not sent again" not in told("--whole")
    bases = [one.base_dataset_id for one in pretext.datasets.list(name="commanded")]
    assert (bases[0], bool(bases[1]), bases[2]) == (None, True, None)
