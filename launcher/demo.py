"""`pretext-server demo`: the main job once, from pictures to an encoder, in a throw-away folder."""

import json
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pretext_client import Job, Pretext
from pretext_client.progress import download_with_bar, upload_with_bar, watch_job
from rich.console import Console
from rich.table import Table

from launcher.server import Server
from launcher.shapes import generate, write_zip
from records.blobs import open_blobs
from records.database import Database
from records.queries import datasets
from records.settings import Settings
from ssl_core.cache import decoded_images
from ssl_core.clips import ClipSettings
from ssl_core.events import TextEvents
from ssl_core.process import StopRequest

PICTURES = 2000
STEPS = 180
_OWN_STEPS = 300
_MOST_COMPARED = 5000
_NEIGHBOURS = 20
_ASKED = {"image": ("rotation", "tiny"), "video": ("video_rotation", "tiny3d")}

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """Nearest-neighbour accuracies, 0 to 1."""

    trained: float
    untrained: float
    pixels: float
    chance: float
    images: int


def run(data: Path | None, *, steps: int | None, device: Literal["auto", "cpu", "cuda"]) -> None:
    """Upload, train, watch, download, load, compare.

    Args:
        data: the user's pictures; generated ones if none are given.
        steps: length of the training.
        device: what to train on.

    Raises:
        StartError: the server cannot be started.
    """
    console = Console(highlight=False)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with tempfile.TemporaryDirectory(prefix="pretext-demo-") as folder:
        root = Path(folder)
        labels = None
        pictures = data
        if pictures is None:
            images, labels, names = generate(count=PICTURES, seed=0, size=32)
            pictures = root / "shapes.zip"
            write_zip(pictures, images)
            console.print(f"{PICTURES:,} pictures of {len(names)} kinds of shapes, 32 px, without labels")
        settings = Settings(data_dir=root / "data", port=0, device=device)
        started = time.monotonic()
        with Server(settings, logs=root / "logs") as server, Pretext(server.url, server.key) as client:
            console.print(f"server on {server.url}, started in {time.monotonic() - started:.1f} s; its docs: {server.url}/docs")
            _main_job(
                client,
                settings,
                console,
                pictures=pictures,
                labels=labels,
                steps=steps or (STEPS if data is None else _OWN_STEPS),
            )
        console.print("stopped; the folder is removed")


def _main_job(client: Pretext, settings: Settings, console: Console, *, pictures: Path, labels: Labels | None, steps: int) -> None:
    dataset = upload_with_bar(client, pictures, console)
    if dataset.job_id is not None:
        _must_succeed(watch_job(client, dataset.job_id, console))
    kind = client.datasets.get(dataset.id).kind or "image"
    task, encoder = _ASKED[kind]
    job = client.jobs.create(dataset.id, task=task, encoder=encoder, steps=steps)
    job = _must_succeed(watch_job(client, job.id, console))
    assert job.model_id is not None
    bundle = settings.data_dir.parent / "encoder"
    download_with_bar(client, job.model_id, bundle, console)
    comparison = _compare(settings, dataset.id, bundle, labels)
    _show(console, comparison, task, "videos" if kind == "video" else "pictures")
    _show_curl(console, dataset.id, job.id, job.model_id, task, encoder)


def _must_succeed(job: Job) -> Job:
    if job.state != "succeeded":
        raise SystemExit(f"the {job.kind} job has {job.state}: {job.error.message if job.error else 'see its events'}")
    return job


def _compare(settings: Settings, dataset_id: str, bundle: Path, labels: Labels | None) -> Comparison | None:
    """Load the bundle and compare it with the same network untrained. None if nothing is known of the pictures' kinds."""
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    pixels, found = _pixels(settings, dataset_id, config)  # decoding forks, so it comes before torch
    labels = found if labels is None else labels
    if labels is None:
        return None
    from ssl_core.embed import embed, load_encoder, shown_as, untrained_encoder
    from ssl_core.evaluate.knn import knn_accuracy

    encoder, config = load_encoder(bundle)
    keep = np.sort(np.random.default_rng(0).permutation(np.flatnonzero(labels >= 0))[:_MOST_COMPARED])
    chosen, labels = pixels[keep], labels[keep]
    flat = chosen.reshape(len(chosen), -1).astype(np.float32) / 255
    seen = shown_as(config)
    features = [
        embed(encoder, chosen, shown_as=seen),
        embed(untrained_encoder(config), chosen, shown_as=seen),
        flat - flat.mean(0),
    ]
    trained, untrained, pixels_alone = (knn_accuracy(vectors, labels, k=_NEIGHBOURS) for vectors in features)
    chance = float(np.bincount(labels).max() / len(labels))
    return Comparison(trained, untrained, pixels_alone, chance, len(labels))


def _pixels(settings: Settings, dataset_id: str, config: dict[str, Any]) -> tuple[Pixels, Labels | None]:
    """The dataset's images, or a clip of each of its videos, as an encoder takes them, and their labels if its folders had any."""
    database, blobs = Database(settings.database), open_blobs(settings.blobs)
    with database.read() as session:
        shards = datasets.ready(session, dataset_id).shards or []
    database.engine.dispose()
    folder = settings.data_dir / "compare"
    folder.mkdir()
    for number, shard in enumerate(shards):
        (folder / f"shard-{number:05}.parquet").symlink_to(blobs.path(shard["key"]))
    frames = config.get("clip_frames")
    with decoded_images(
        folder,
        size=config["image_size"],
        cache=settings.cache,
        cache_bytes=settings.cache_bytes,
        key=dataset_id,
        events=TextEvents(),
        stop=StopRequest(),
        clips=None if frames is None else ClipSettings(frames, config["frame_stride"], config["spec"]["clips_per_video"]),
    ) as decoded:
        if decoded.clips is None:
            return np.array(decoded.images), decoded.labels
        table = decoded.clips
        _, firsts = np.unique(table.videos, return_index=True)
        begins = (table.lowest + table.choices // 2)[firsts]
        clips = decoded.images[begins[:, None] + table.strides[firsts][:, None] * np.arange(table.frames)]
        return clips, None if decoded.labels is None else decoded.labels[table.videos[firsts]]


def _show(console: Console, comparison: Comparison | None, task: str, what: str) -> None:
    if comparison is None:
        console.print(f"the {what} are in no class folders, so there is no figure of accuracy to show")
        return
    table = Table(title=f"Which kind is it? Answered by the {_NEIGHBOURS} nearest neighbours among {comparison.images:,} {what}")
    table.add_column("encoder")
    table.add_column("accuracy", justify="right")
    for name, accuracy in (
        (f"pretrained by {task}, without a label", comparison.trained),
        ("the same network, untrained", comparison.untrained),
        ("no network: pixels compared", comparison.pixels),
        ("always the most frequent kind", comparison.chance),
    ):
        table.add_row(name, f"{accuracy:.1%}")
    console.print(table)


def _show_curl(console: Console, dataset_id: str, job_id: str, model_id: str, task: str, encoder: str) -> None:
    lines = [
        "The same by curl, against a server that `make up` runs (the ids will be others):",
        "  KEY=$(cat ~/.local/share/pretext-server/api-key); API=http://127.0.0.1:8000/v1",
        '  curl -H "Authorization: Bearer $KEY" -F file=@pictures.zip $API/datasets',
        '  curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" $API/jobs \\',
        f'       -d \'{{"dataset_id": "{dataset_id}", "task": {{"name": "{task}"}}, "encoder": {{"name": "{encoder}"}}}}\'',
        f'  curl -H "Authorization: Bearer $KEY" -H "Accept: text/event-stream" -N $API/jobs/{job_id}/events',
        f'  curl -H "Authorization: Bearer $KEY" -O $API/models/{model_id}/files/encoder.safetensors',
    ]
    console.print("\n".join(lines), soft_wrap=True, markup=False)
