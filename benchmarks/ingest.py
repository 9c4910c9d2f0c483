"""Ingest beside bare decoding: images/s of the whole ingest, and of Pillow alone on the same bytes times the cores.

Run it by `python -m benchmarks.ingest ARCHIVE [--repeats 3]`.
"""

import argparse
import io
import tempfile
import time
from pathlib import Path
from statistics import median

from PIL import Image

from ssl_core.events import TextEvents
from ssl_core.ingest import run_ingest
from ssl_core.ingest.archives import open_source
from ssl_core.ingest.checks import cores
from ssl_core.ingest.limits import Limits
from ssl_core.process import StopRequest

_SAMPLE = 10_000


def bare_rate(contents: list[bytes]) -> float:
    """Images/s that Pillow decodes on one core."""
    started = time.perf_counter()
    for content in contents:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    return len(contents) / (time.perf_counter() - started)


def ingest_rate(archive: Path) -> float:
    """Images/s from the archive to the shards, scan and all."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        report = run_ingest(archive, Path(folder), TextEvents(io.StringIO()), StopRequest())
        return report["images"] / (time.perf_counter() - started)


def main() -> None:
    """Measure in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    entries = open_source(arguments.archive, arguments.archive.name, Limits()).entries()
    contents = [entry.read() for entry, _ in zip(entries, range(_SAMPLE), strict=False)]
    pairs = [(bare_rate(contents) * cores(), ingest_rate(arguments.archive)) for _ in range(arguments.repeats)]
    bare, ours = (median(rates) for rates in zip(*pairs, strict=True))
    print(f"Pillow alone x {cores()} cores  {bare:10,.0f} images/s")
    print(f"ingest                {ours:10,.0f} images/s")
    print(f"ratio, pair by pair   {median(ours / bare for bare, ours in pairs):10.2f}")


if __name__ == "__main__":
    main()
