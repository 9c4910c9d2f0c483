"""Sets of any size: is one larger than memory read at the rate of a small one, and does the process's memory stay what it was?

Run it by `python -m benchmarks.resident [--gigabytes 1,4,40] [--side 64] [--batch-size 256] [--steps 200]`. The pixels are a
sparse file, so they take no disk, opened as the cache opens them. Each size is read in a process of its own, by the prefetching
thread and without it (as a resident set, which on a CPU is the same map). Memory is told in two figures: what the process holds for
itself, which the order of the images is a part of, with 8 bytes each; and pages of the file, which the kernel maps while memory is
free and takes back when it is not. Rates are those of the kernel's memory, not of a disk: nothing lies on one.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from ssl_core.cache import _open
from ssl_core.data import Batches

_WARM_UP = 20
_GIGABYTE = 10**9


@dataclass(frozen=True)
class Reading:
    """Figures of one reading."""

    images: int
    images_per_second: float
    own_mib: float
    """Memory that the process holds for itself, its peak while batches are read beyond what it was before, MiB."""
    file_mib: float
    """Pages of files that are mapped at the end, MiB."""


def make_entry(folder: Path, gigabytes: float, side: int) -> Path:
    """An entry of the cache whose pixels are a hole."""
    count = int(gigabytes * _GIGABYTE) // (side * side * 3)
    folder.mkdir()
    with (folder / "images.u8").open("wb") as file:
        file.truncate(count * side * side * 3)
    index: dict[str, Any] = {"count": count, "size": side, "median_side": side, "labels": None, "label_names": [], "splits": None}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def memory_mib(kind: str) -> float:
    """Memory of this process of a kind that /proc knows, `RssAnon` or `RssFile`, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:")) / 1024


def read(entry: Path, batch_size: int, steps: int, *, resident: bool) -> Reading:
    """Read batches of an entry and drop them."""
    images = _open(entry).images
    before = memory_mib("RssAnon")
    batches = Batches(images, batch_size, 0, torch.device("cpu"), resident=resident)
    peak, started = before, 0.0
    for number, batch in enumerate(batches.since(0, _WARM_UP + steps)):
        assert len(batch) == batch_size
        if number == _WARM_UP - 1:
            started = time.perf_counter()
        if number % 10 == 0:
            peak = max(peak, memory_mib("RssAnon"))
    rate = steps * batch_size / (time.perf_counter() - started)
    return Reading(len(images), rate, peak - before, memory_mib("RssFile"))


def _read(entry: Path, batch_size: int, steps: int, resident: bool) -> Reading:
    return read(entry, batch_size, steps, resident=resident)


def main() -> None:
    """Read each size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", default="1,4,40", help="sizes of the sets, separated by commas")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=200)
    asked = parser.parse_args()
    print("| set | images | read | images/s | own memory, MiB | pages of the file, MiB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for word in asked.gigabytes.split(","):
            for resident, how in ((False, "ahead, by the thread"), (True, "as it is wanted")):
                # A file for each reading: pages that another one has touched lie in memory already.
                entry = make_entry(Path(folder) / f"{word}-{resident}", float(word), asked.side)
                with get_context("spawn").Pool(1) as pool:
                    found = pool.apply(_read, (entry, asked.batch_size, asked.steps, resident))
                rate = f"{found.images_per_second:,.0f}"
                print(
                    f"| {word} GB | {found.images:,} | {how} | {rate} | {found.own_mib:.0f} | {found.file_mib:,.0f} |", flush=True
                )


if __name__ == "__main__":
    main()
