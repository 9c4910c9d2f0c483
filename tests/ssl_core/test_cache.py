import io
import json
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest

from ssl_core import cache as cache_module
from ssl_core.cache import dataset_facts, decoded_images
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.events import TextEvents
from ssl_core.ingest import run_ingest
from ssl_core.labels import LABELS
from ssl_core.labels.stored import LabelSet, written
from ssl_core.process import StopRequest
from tests.factories import png, zip_of

QUIET = TextEvents(io.StringIO())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    members = {f"{name}/{number}.png": png(8, number + 10 * (name == "b")) for name in ("a", "b") for number in range(4)}
    run_ingest(zip_of(tmp_path / "a.zip", members), tmp_path / "shards", QUIET, StopRequest())
    return tmp_path / "shards"


def opened(
    data: Path, cache: Path, *, size: int = 8, cache_bytes: int = 1 << 20, key: str | None = "ds", stop: StopRequest | None = None
):
    return decoded_images(data, size=size, cache=cache, cache_bytes=cache_bytes, key=key, events=QUIET, stop=stop or StopRequest())


def inode(cache: Path, name: str = "ds-8") -> int:
    return (cache / name / "images.u8").stat().st_ino


class TestDecodedImages:
    def test_gives_pixels_labels_and_facts(self, data: Path, tmp_path: Path):
        with opened(data, tmp_path / "cache") as images:
            assert images.images.shape == (8, 8, 8, 3)
            wanted = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
            assert (images.images[0] == wanted).all()
            assert images.labels.tolist() == [0] * 4 + [1] * 4
            assert images.label_names == ("a", "b")
            assert (images.facts.images, images.facts.median_side) == (8, 8)
        assert dataset_facts(data, tmp_path / "cache", QUIET, StopRequest()) == images.facts

    def test_is_made_once(self, data: Path, tmp_path: Path):
        with opened(data, tmp_path / "cache"):
            first = inode(tmp_path / "cache")
        with opened(data, tmp_path / "cache"):
            assert inode(tmp_path / "cache") == first

    def test_writing_to_it_does_not_reach_the_file(self, data: Path, tmp_path: Path):
        with opened(data, tmp_path / "cache") as images:
            before = images.images[0].copy()
            images.images[0] = 0
        with opened(data, tmp_path / "cache") as images:
            assert (images.images[0] == before).all()

    def test_a_damaged_entry_is_made_again(self, data: Path, tmp_path: Path):
        with opened(data, tmp_path / "cache") as images:
            wanted = images.images.copy()
        with (tmp_path / "cache/ds-8/images.u8").open("ab") as file:
            file.truncate(100)
        with opened(data, tmp_path / "cache") as images:
            assert (images.images == wanted).all()

    def test_a_plain_folder_of_images_will_do(self, tmp_path: Path):
        folder = tmp_path / "pictures"
        folder.mkdir()
        for number in range(3):
            (folder / f"{number}.png").write_bytes(png(8, number))
        for _ in range(2):
            with opened(folder, tmp_path / "cache", key=None) as images:
                assert images.count == 3

    def test_labels_beside_the_shards_lie_over_pixels_that_are_not_decoded_anew(self, data: Path, tmp_path: Path):
        with opened(data, tmp_path / "cache") as images:
            first, before = inode(tmp_path / "cache"), images.labels_version
        shards = sorted(data.glob("*.parquet"))
        given = LabelSet(("x", "y"), np.array([-1, 0, 1, 0, 1, 0, 1, 0]), ["test", *["train"] * 7])
        (data / LABELS).write_bytes(written(given, shards))
        with opened(data, tmp_path / "cache") as images:
            assert inode(tmp_path / "cache") == first
            assert (images.labels.tolist(), images.label_names) == (given.labels.tolist(), ("x", "y"))
            assert images.splits == tuple(given.splits or ())
            assert images.labels_version == given.version != before
        (data / LABELS).unlink()
        with opened(data, tmp_path / "cache") as images:
            assert (inode(tmp_path / "cache"), images.labels_version) == (first, before)
        assert before == json.loads((data / "report.json").read_text())["labels_version"]

    def test_no_images_is_an_error(self, tmp_path: Path):
        with pytest.raises(UserError) as caught, opened(tmp_path / "nowhere", tmp_path / "cache"):
            pass
        assert caught.value.code == "no_data"

    def test_stops_when_asked(self, data: Path, tmp_path: Path):
        stop = StopRequest()
        stop.set()
        with pytest.raises(InterruptedRun), opened(data, tmp_path / "cache", stop=stop):
            pass
        with opened(data, tmp_path / "cache") as images:
            assert images.count == 8


def _use(data: Path, cache: Path, made: multiprocessing.Queue) -> None:
    slow = cache_module._decode_all

    def decode(*arguments: object) -> None:
        time.sleep(0.3)
        slow(*arguments)

    cache_module._decode_all = decode
    with opened(data, cache) as images:
        made.put((inode(cache), int(images.images.sum())))


class TestSharing:
    def test_two_processes_make_one_entry(self, data: Path, tmp_path: Path):
        context = multiprocessing.get_context("fork")
        made = context.Queue()
        processes = [context.Process(target=_use, args=(data, tmp_path / "cache", made)) for _ in range(2)]
        for process in processes:
            process.start()
        results = [made.get(timeout=20) for _ in processes]
        for process in processes:
            process.join()
        assert results[0] == results[1]


class TestBound:
    def test_the_entry_used_longest_ago_makes_room(self, data: Path, tmp_path: Path):
        cache, entry = tmp_path / "cache", 8 * 8 * 8 * 3
        bound = int(2.9 * entry)
        for key in ("one", "two"):
            with opened(data, cache, key=key, cache_bytes=bound):
                pass
        os.utime(cache / "one-8/index.json", (2e9, 2e9))
        with opened(data, cache, key="three", cache_bytes=bound):
            pass
        assert sorted(path.name for path in cache.iterdir() if path.is_dir()) == ["one-8", "three-8"]

    def test_what_is_in_use_stays(self, data: Path, tmp_path: Path):
        cache, bound = tmp_path / "cache", 8 * 8 * 8 * 3 + 1000
        with opened(data, cache, key="one", cache_bytes=bound):
            with pytest.raises(UserError) as caught, opened(data, cache, key="two", cache_bytes=bound):
                pass
            assert caught.value.code == "cache_full"
            assert "running jobs hold" in str(caught.value)
            assert (cache / "one-8").exists()

    def test_what_can_never_fit_is_told_with_the_setting_to_raise(self, data: Path, tmp_path: Path):
        with pytest.raises(UserError, match="PRETEXT_CACHE_BYTES"), opened(data, tmp_path / "cache", cache_bytes=100):
            pass
