import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_core.cache import _open
from ssl_core.data import Batches, derived_seed, draw_as_of

CPU = torch.device("cpu")
COUNT, BATCH = 23, 5


@pytest.fixture
def images() -> np.ndarray:
    """Each image is its own number all over."""
    return np.arange(COUNT, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 4, 4, 3), np.uint8)


def numbers(batches: Batches, step: int, steps: int) -> list[list[int]]:
    return [batch[:, 0, 0, 0].tolist() for batch in batches.since(step, steps)]


class TestBatches:
    def test_an_epoch_shows_each_image_at_most_once_and_leaves_out_the_incomplete_batch(self, images: np.ndarray):
        batches = Batches(images, BATCH, 0, CPU)
        assert batches.per_epoch == 4
        epoch = [number for batch in numbers(batches, 0, 4) for number in batch]
        assert len(epoch) == len(set(epoch)) == 20

    def test_each_epoch_and_each_seed_has_its_own_order(self, images: np.ndarray):
        batches = Batches(images, BATCH, 0, CPU)
        first, second, third = (numbers(batches, start, start + 4) for start in (0, 4, 8))
        assert first != second != third
        assert numbers(Batches(images, BATCH, 1, CPU), 0, 4) != first

    @pytest.mark.parametrize("start", [1, 4, 6, 9])
    def test_from_any_step_on_they_are_those_of_a_run_from_the_beginning(self, images: np.ndarray, start: int):
        batches = Batches(images, BATCH, 0, CPU)
        assert numbers(batches, start, 10) == numbers(batches, 0, 10)[start:]

    def test_are_channels_last_without_a_copy(self, images: np.ndarray):
        (batch,) = Batches(images, BATCH, 0, CPU).since(0, 1)
        assert batch.shape == (BATCH, 3, 4, 4)
        assert batch.is_contiguous(memory_format=torch.channels_last)


class TestPrefetched:
    def test_are_the_same_as_those_of_a_resident_set(self, images: np.ndarray):
        ahead = Batches(images, BATCH, 0, CPU, resident=False)
        assert numbers(ahead, 2, 11) == numbers(Batches(images, BATCH, 0, CPU, resident=True), 2, 11)

    def test_the_reader_ends_when_nobody_wants_more(self, images: np.ndarray):
        batches = Batches(images, BATCH, 0, CPU, resident=False).since(0, 1_000_000)
        next(batches)
        assert any(thread.name == "prefetch" for thread in threading.enumerate())
        batches.close()
        assert not any(thread.name == "prefetch" for thread in threading.enumerate())

    def test_what_goes_wrong_while_reading_is_raised_where_the_batch_is_wanted(self, images: np.ndarray):
        batches = Batches(images, BATCH, 0, CPU, resident=False)
        batches.per_epoch = 0  # no order can be made
        with pytest.raises(ZeroDivisionError):
            list(batches.since(0, 4))


def own_mib() -> float:
    """Memory that this process holds for itself; pages of files that are mapped are the kernel's to take back."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


class TestMemory:
    SIDE = 128

    def entry(self, folder: Path, count: int) -> Path:
        """An entry of the cache whose pixels are a hole in a file and take no space."""
        index = {
            "count": count,
            "size": self.SIDE,
            "facts": {"images": count, "median_side": self.SIDE},
            "labels": None,
            "label_names": [],
            "splits": None,
        }
        (folder / "index.json").write_text(json.dumps(index))
        with (folder / "images.u8").open("wb") as file:
            file.truncate(count * self.SIDE**2 * 3)
        return folder

    @pytest.mark.parametrize("resident", [False, None])
    def test_does_not_grow_with_the_set(self, tmp_path: Path, resident: bool | None):
        images = _open(self.entry(tmp_path, 1_000_000), None, []).images  # 49 GB, more than most machines that run this have
        before = own_mib()
        batches = Batches(images, 64, 0, CPU, resident=resident)
        most = 0.0
        for batch in batches.since(0, 30):
            assert batch.shape == (64, 3, self.SIDE, self.SIDE)
            most = max(most, own_mib() - before)
        # The order of the images, 8 bytes each, twice while it is drawn; and a few batches of 3 MiB.
        assert most < 100

    @pytest.mark.parametrize(("count", "at_random"), [(10, False), (1_000_000, True)])
    def test_nothing_is_read_ahead_of_a_set_that_memory_cannot_keep(self, tmp_path: Path, count: int, at_random: bool):
        images = _open(self.entry(tmp_path, count), None, []).images
        maps = Path("/proc/self/smaps").read_text().split(str(tmp_path / "images.u8"))
        flags = next(line for line in maps[1].splitlines() if line.startswith("VmFlags:"))
        assert ("rr" in flags.split()) == at_random  # "random read advise provided"
        assert len(images) == count


class TestSeeds:
    def test_are_the_same_for_the_same_purpose_alone(self):
        seeds = {derived_seed(seed, what, number) for seed in (0, 1) for what in ("step", "order") for number in range(5)}
        assert len(seeds) == 20
        assert derived_seed(0, "step", 3) == derived_seed(0, "step", 3)
        assert all(0 <= seed < 2**63 for seed in seeds)

    def test_draws_of_a_step_do_not_depend_on_what_was_drawn_before(self):
        draw_as_of(0, 7)
        wanted = torch.rand(3)
        torch.rand(100)
        draw_as_of(0, 7)
        assert torch.equal(torch.rand(3), wanted)
        draw_as_of(0, 8)
        assert not torch.equal(torch.rand(3), wanted)
