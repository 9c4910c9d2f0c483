"""Seconds from `POST /v1/jobs` to the end of the first step, of a set that is decoded already, with a warm process and without.

Run it by `python -m benchmarks.first_step [--jobs 7] [--encoder tiny] [--image-size 32]`. Both servers run at once, and the jobs go
to them in turn, so that what else the machine does falls on both. The time of a step is that which the training notes itself.
"""

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from pretext_client import Pretext

from launcher.server import Server
from launcher.shapes import generate, write_zip
from records.settings import Settings

_PICTURES = 512
_REST_SECONDS = 6
"""Between jobs: a user's next job does not come at once either, and the spare process gets its time to load."""


def ready(client: Pretext, archive: Path) -> str:
    """Upload pictures and give the id of the dataset once it can be trained on."""
    return client.datasets.wait(client.datasets.upload(archive).id).id


def seconds_to_first_step(client: Pretext, dataset_id: str, asked: argparse.Namespace) -> float:
    """Train for a few steps and say how long the first took to come."""
    started = time.time()
    job = client.jobs.create(
        dataset_id, task="rotation", encoder=asked.encoder, image_size=asked.image_size, steps=3, batch_size=16, device=asked.device
    )
    client.jobs.wait(job.id)
    first = next(iter(client.jobs.metrics(job.id)))
    assert first.step == 1
    return first.at.timestamp() - started


def main() -> None:
    """Measure in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=7)
    parser.add_argument("--encoder", default="tiny")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        images, _, _ = generate(count=_PICTURES, seed=0, size=asked.image_size)
        write_zip(root / "shapes.zip", images)
        sides = {}
        for name, warm in (("warm", True), ("cold", False)):
            settings = Settings(data_dir=root / name, port=0, device=asked.device, warm=warm)
            server = stack.enter_context(Server(settings, logs=root / f"{name}-logs"))
            client = stack.enter_context(Pretext(server.url, server.key))
            sides[name] = client, ready(client, root / "shapes.zip")
            seconds_to_first_step(*sides[name], asked)  # decodes
        found: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(asked.jobs):
            for name, (client, dataset_id) in sides.items():
                time.sleep(_REST_SECONDS)
                found[name].append(seconds_to_first_step(client, dataset_id, asked))
    print("| worker | median s | from | to |")
    print("|---|---|---|---|")
    for name, times in found.items():
        print(f"| {name} | {median(times):.2f} | {min(times):.2f} | {max(times):.2f} |")


if __name__ == "__main__":
    main()
