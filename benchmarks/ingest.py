"""Ingest beside bare decoding: images/s of the whole ingest, and of Pillow alone on the same bytes, on all cores at once.

Run it by `python -m benchmarks.ingest ARCHIVE [--repeats 3]`. On a machine that others use too, only the ratio means something:
both sides of it are taken in turn, with as many processes.
"""

import argparse
import io
import tempfile
import time
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from PIL import Image

from ssl_core.events import TextEvents
from ssl_core.ingest import run_ingest
from ssl_core.ingest.archives import open_source
from ssl_core.ingest.checks import cores
from ssl_core.ingest.limits import Limits
from ssl_core.process import StopRequest

_SAMPLE = 20_000

_contents: list[bytes] = []
"""Read before the processes are forked, which therefore have it for nothing."""


def _decode(first: int) -> int:
    mine = _contents[first :: cores()]
    for content in mine:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    return len(mine)


def bare_rate() -> float:
    """Images/s that Pillow decodes on all cores, with nothing to read and nothing to write."""
    with get_context("fork").Pool(cores()) as pool:
        pool.map(_decode, [len(_contents)] * cores(), 1)  # starts the processes; there is nothing there to decode
        started = time.perf_counter()
        decoded = sum(pool.map(_decode, range(cores()), 1))
        return decoded / (time.perf_counter() - started)


def ingest_rate(archive: Path) -> float:
    """Images/s from the archive to the shards, scan and all."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        report = run_ingest(archive, Path(folder), TextEvents(io.StringIO()), StopRequest())
        return float(report["images"] / (time.perf_counter() - started))


def main() -> None:
    """Measure in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    source = open_source(arguments.archive, arguments.archive.name, Limits())
    _contents.extend(entry.read() for entry in islice(source.entries(), _SAMPLE))
    pairs = [(bare_rate(), ingest_rate(arguments.archive)) for _ in range(arguments.repeats)]
    bare, ours = (median(rates) for rates in zip(*pairs, strict=True))
    print(f"Pillow alone on {cores()} cores  {bare:10,.0f} images/s")
    print(f"ingest                 {ours:10,.0f} images/s")
    print(f"ratio, pair by pair    {median(ours / bare for bare, ours in pairs):10.2f}")


if __name__ == "__main__":
    main()
