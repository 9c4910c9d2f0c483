"""Do the pretext tasks teach an encoder anything? Each is trained without labels and probed beside the untrained one.

Run it by `python -m benchmarks.learning ARCHIVE|motions [--size 32] [--tasks rotation,simclr] [--encoder tiny] [--images 10000]
[--labels 5000] [--seeds 3] [--epochs 10 | --steps 500 | --seconds-per-task 60] [--set task.rotations=one] [--out figures.json]`.
What is in `--out` already is not done again.

`motions` takes generated videos of which the motion alone is the class, in place of CIFAR-10, and the tasks about videos. A video's
features are then the mean over its clips, as many as fit into it beside each other; "frozen" shows each clip as its middle frame
alone, over and over, and "shuffled" its frames in a random order, to the trained encoder.

Protocol, for each seed: it draws the images to train on, the labelled ones among them (equally many of each class), the weights,
the order and the augmentation. An encoder is trained by the code that a job runs, and frozen. Its features after each stage,
averaged over the image (or over a grid, `--grid 2`), go to kNN (k 20, T 0.07) and to the linear probe of
`ssl_core.evaluate.linear`. Beside it goes the encoder with the same initial weights, untrained, once as it is and once
("recalibrated") with batch-norm statistics taken over the training images. The stage, for each of them on its own, and the better
of the two untrained ones are chosen by accuracy on a fifth of the labelled training images; test accuracy is reported of what was
chosen. Task and untrained encoder see the same labels, so their difference is taken within each seed; its interval is Student's t
over the seeds.
"""

import argparse
import io
import json
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks import cifar10, motions
from benchmarks.jobs import batches_of, set_up, spec_of, synchronize, task_names, task_of
from ssl_core.data import derived_seed, draw_as_of
from ssl_core.embed import ShownAs, embed_stages, inputs
from ssl_core.encoders import Encoder
from ssl_core.errors import UserError
from ssl_core.evaluate.knn import knn_predict
from ssl_core.evaluate.linear import linear_probe, split
from ssl_core.events import TextEvents
from ssl_core.process import StopRequest
from ssl_core.spec import TASKS, ResolvedPretrain
from ssl_core.spec.clips import span_of
from ssl_core.trainer import Trainer

Floats = npt.NDArray[np.float32]
Stages = dict[str, Floats]
Record = dict[str, Any]

_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""97.5% quantile of Student's t at 1, 2, … degrees of freedom."""
_MEASURES = ("knn", "linear", "knn frozen", "linear frozen", "knn shuffled", "linear shuffled")
_TIMED_STEPS = 5


@dataclass(frozen=True)
class Settings:
    """What figures depend on; figures of other settings do not go together."""

    archive: str
    size: int
    encoder: str
    images: int
    labels: int
    test: int
    grid: int
    epochs: int | None
    steps: int | None
    seconds_per_task: float | None
    device: str
    set: tuple[str, ...]


@dataclass(frozen=True)
class Draw:
    """The images of one seed."""

    images: npt.NDArray[np.uint8]
    """What is trained on, uint8 (N, S, S, 3), or videos (N, F, S, S, 3)."""
    labelled: cifar10.Images
    """What probes are trained on."""
    test: cifar10.Images


class Figures:
    """The figures so far, in a file if there is one."""

    def __init__(self, path: Path | None, settings: Settings) -> None:
        self._path, self._settings = path, json.loads(json.dumps(asdict(settings)))
        self.records: list[Record] = []
        if path is not None and path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["settings"] != self._settings:
                raise SystemExit(f"{path} has figures of other settings: {kept['settings']}; choose another file")
            self.records = kept["records"]

    @property
    def measures(self) -> list[str]:
        """What was measured of encoders."""
        return [name for name in _MEASURES if any(name in record and record[name] for record in self.records)]

    def find(self, subject: str, seed: int) -> Record | None:
        """What was found of a subject with a seed."""
        return next((record for record in self.records if (record["subject"], record["seed"]) == (subject, seed)), None)

    def add(self, record: Record) -> None:
        """Keep a record."""
        self.records.append(record)
        if self._path is not None:
            new = self._path.with_name(self._path.name + ".new")
            new.write_text(json.dumps({"settings": self._settings, "records": self.records}, indent=1), encoding="utf-8")
            new.replace(self._path)


def draw(train: cifar10.Images, test: cifar10.Images, settings: Settings, seed: int) -> Draw:
    """The images of a seed."""
    generator = np.random.default_rng(derived_seed(seed, "images", 0))
    rows = generator.permutation(len(train.images))[: settings.images]
    classes = int(train.labels.max()) + 1
    # The first of each class; the order is random already.
    chosen = [rows[train.labels[rows] == number][: settings.labels // classes] for number in range(classes)]
    tested = generator.permutation(len(test.images))[: settings.test]
    return Draw(train.images[rows], train[generator.permutation(np.concatenate(chosen))], test[tested])


def trained(task_name: str, settings: Settings, images: npt.NDArray[np.uint8], seed: int) -> tuple[Encoder, Record]:
    """The encoder after the training, and how that went."""
    device = torch.device(settings.device)
    spec = _spec(task_name, settings, images, seed, _length(task_name, settings, images, seed))
    task = task_of(spec, images, device)
    batches = batches_of(spec, images, device)
    with tempfile.TemporaryDirectory() as folder:
        events = TextEvents(io.StringIO())
        done = Trainer(task, spec, batches, Path(folder), events, StopRequest(), checkpoint_seconds=1e9).run()
    told = {"steps": spec.steps, "batch": spec.batch_size, "seconds": done.seconds, "first": done.first, "last": done.last}
    return task.encoder, told


def _spec(task_name: str, settings: Settings, images: npt.NDArray[np.uint8], seed: int, length: dict[str, int]) -> ResolvedPretrain:
    asked = {"encoder": {"name": settings.encoder}, "seed": seed, **length}
    size, frames = settings.size, images.shape[1] if images.ndim == 5 else None
    spec = spec_of(task_name, settings.images, size, settings.device, list(settings.set), frames=frames, **asked)
    if spec.task.decode_size(spec.image_size) != size:
        raise SystemExit(f"{task_name} wants images of {spec.task.decode_size(spec.image_size)} px; this measures at {size} px")
    return spec


def _length(task_name: str, settings: Settings, images: npt.NDArray[np.uint8], seed: int) -> dict[str, int]:
    """How long to train: as asked, or as many steps as fit in the time, by a few that are timed on a copy."""
    if settings.epochs is not None:
        return {"epochs": settings.epochs}
    if settings.steps is not None:
        return {"steps": settings.steps}
    if settings.seconds_per_task is None:
        return {}
    spec = _spec(task_name, settings, images, seed, {"steps": _TIMED_STEPS})
    device = torch.device(settings.device)
    task = task_of(spec, images, device)
    optimizers = task.optimizers()
    times = []
    for step, batch in enumerate(batches_of(spec, images, device).since(0, _TIMED_STEPS)):
        draw_as_of(seed, step)
        started = time.perf_counter()
        with torch.no_grad():
            question = task.ask(batch)
        task.training_step(question, optimizers)
        synchronize(device)
        times.append(time.perf_counter() - started)
    return {"steps": max(1, round(settings.seconds_per_task / min(times)))}


def untrained(shown_as: ShownAs, settings: Settings, images: npt.NDArray[np.uint8], seed: int, *, recalibrated: bool) -> Encoder:
    """The encoder that every training with this seed begins with, if asked with batch-norm statistics of the images."""
    spec = _any_spec(settings, images, seed)
    device = torch.device(settings.device)
    encoder = task_of(spec, images, device).encoder
    if recalibrated:
        _recalibrate(encoder, images if spec.clip_frames is None else clips_of(images, spec)[0], shown_as)
    return encoder


def _any_spec(settings: Settings, images: npt.NDArray[np.uint8], seed: int) -> ResolvedPretrain:
    """How any training with this seed begins."""
    plain = replace(settings, set=tuple(each for each in settings.set if not each.startswith("task.")))
    return _spec("rotation" if images.ndim == 4 else "video_rotation", plain, images, seed, {"steps": 1})


def clips_of(videos: npt.NDArray[np.uint8], spec: ResolvedPretrain) -> list[npt.NDArray[np.uint8]]:
    """The clips (N, T, S, S, 3) of videos (N, F, S, S, 3), the first of all of them before the second."""
    assert spec.clip_frames is not None
    assert spec.frame_stride is not None
    span = span_of(spec.clip_frames, spec.frame_stride)
    return [videos[:, start : start + span : spec.frame_stride] for start in range(0, videos.shape[1] - span + 1, span)]


def _recalibrate(encoder: Encoder, images: npt.NDArray[np.uint8], shown_as: ShownAs) -> None:
    """Take batch-norm statistics anew, the mean over batches. Elsewhere nothing changes."""
    norms = [module for module in encoder.modules() if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d))]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    with torch.no_grad():
        for batch in inputs(encoder, images, 256, shown_as):
            encoder(batch)


def probed(
    training: Stages, labels: cifar10.Images, testing: Stages, test: cifar10.Images, settings: Settings, seed: int
) -> Record:
    """Validation and test accuracy of each measure after each stage."""
    train, held_out = split(len(labels.labels), seed=seed)
    found: Record = {"knn": {}, "linear": {}}
    for stage, features in training.items():
        guess = knn_predict(features[train], labels.labels[train], features[held_out])
        answer = knn_predict(features, labels.labels, testing[stage])
        validation, accuracy = (guess == labels.labels[held_out]).mean(), (answer == test.labels).mean()
        found["knn"][stage] = {"validation": float(validation), "test": float(accuracy)}
        if stage != "pixels":
            probe = linear_probe(
                features, labels.labels, testing[stage], test.labels, seed=seed, device=torch.device(settings.device)
            )
            told = {"validation": probe.validation_accuracy, "test": probe.accuracy, "strength": probe.strength}
            found["linear"][stage] = told
    return found


def probe_encoder(encoder: Encoder, shown_as: ShownAs, drawn: Draw, settings: Settings, seed: int) -> Record:
    """`probed` of an encoder, and of videos also of frozen and of shuffled clips."""
    if drawn.images.ndim == 4:
        training, testing = (
            embed_stages(encoder, part.images, shown_as=shown_as, grid=settings.grid) for part in (drawn.labelled, drawn.test)
        )
        return probed(training, drawn.labelled, testing, drawn.test, settings, seed)
    found: Record = {}
    for how in ("", "frozen", "shuffled"):
        training, testing = (_of_videos(encoder, part.images, settings, seed, how) for part in (drawn.labelled, drawn.test))
        told = probed(training, drawn.labelled, testing, drawn.test, settings, seed)
        found |= {f"{measure} {how}".strip(): figures for measure, figures in told.items()}
    return found


def _of_videos(encoder: Encoder, videos: npt.NDArray[np.uint8], settings: Settings, seed: int, how: str) -> Stages:
    """Mean features over the clips of each video."""
    generator = np.random.default_rng(derived_seed(seed, "shuffle", 0))
    parts: list[Stages] = []
    for clips in clips_of(videos, _any_spec(settings, videos, seed)):
        shown = clips
        frames = clips.shape[1]
        if how == "frozen":
            shown = np.repeat(clips[:, frames // 2, None], frames, 1)
        elif how == "shuffled":
            order = generator.permuted(np.tile(np.arange(frames), (len(clips), 1)), axis=1)
            shown = np.take_along_axis(clips, order[:, :, None, None, None], 1)
        parts.append(embed_stages(encoder, np.ascontiguousarray(shown), 64, grid=settings.grid))
    return {stage: np.mean([part[stage] for part in parts], 0, dtype=np.float32) for stage in parts[0]}


def pixels(images: npt.NDArray[np.uint8]) -> Stages:
    """The images, or the middle frames of videos, as features, as if there were no encoder."""
    images = images if images.ndim == 4 else images[:, images.shape[1] // 2]
    flat = images.reshape(len(images), -1).astype(np.float32)
    return {"pixels": flat / np.float32(255) - np.float32(0.5)}


def measure_baselines(figures: Figures, drawn: Draw, shown: set[ShownAs], settings: Settings, seed: int) -> None:
    """Measure pixels and the untrained encoders of a seed, unless it was done."""
    if figures.find("pixels", seed) is None:
        found = probed(pixels(drawn.labelled.images), drawn.labelled, pixels(drawn.test.images), drawn.test, settings, seed)
        figures.add({"subject": "pixels", "seed": seed, **found})
    for shown_as in sorted(shown):
        for kind in ("as it is", "recalibrated"):
            subject = f"untrained, {shown_as}, {kind}"
            if figures.find(subject, seed) is None:
                encoder = untrained(shown_as, settings, drawn.images, seed, recalibrated=kind == "recalibrated")
                figures.add({"subject": subject, "seed": seed, **probe_encoder(encoder, shown_as, drawn, settings, seed)})


def measure_task(figures: Figures, task_name: str, drawn: Draw, settings: Settings, seed: int) -> None:
    """Train and measure a task with a seed, unless it was done. A training that fails is told and tried again next time."""
    if figures.find(task_name, seed) is not None:
        return
    try:
        encoder, told = trained(task_name, settings, drawn.images, seed)
    except UserError as error:
        print(f"{task_name}, seed {seed}: {error}", flush=True)
        return
    found = probe_encoder(encoder, TASKS[task_name].shown_as, drawn, settings, seed)
    figures.add({"subject": task_name, "seed": seed, "training": told, **found})
    print(f"{task_name}, seed {seed}: {told['steps']} steps in {told['seconds']:.0f} s, {told['last']}", flush=True)


def chosen(records: list[Record], measure: str) -> tuple[float, str]:
    """Test accuracy, and the name, of the record and stage that did best in validation."""
    stages = [(stage["validation"], stage["test"], name, record) for record in records for name, stage in record[measure].items()]
    _, accuracy, name, record = max(stages, key=lambda stage: stage[0])
    kind = " (recalibrated)" if "recalibrated" in record["subject"] else ""
    return accuracy, name + kind


def interval(values: list[float]) -> str:
    """Mean and half the width of its 95% interval, in percentage points."""
    if len(values) < 2:
        return f"{100 * values[0]:+.1f}"
    half = _T95[min(len(values) - 2, len(_T95) - 1)] * stdev(values) / len(values) ** 0.5
    return f"{100 * mean(values):+.1f} ± {100 * half:.1f}"


def table(figures: Figures, names: list[str]) -> str:
    """Markdown: for each task and measure, test accuracy in percent untrained and trained, and the paired difference."""
    lines = [
        "| task | steps | measure | untrained | at | pretrained | at | difference (95%) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    found = [record for record in figures.records if record["subject"] == "pixels"]
    if found:
        lines.append(f"| pixels |  | knn | {100 * mean(chosen([record], 'knn')[0] for record in found):.1f} |  |  |  |  |")
    for name in names:
        for measure in figures.measures:
            pairs = []
            for record in figures.records:
                if record["subject"] != name:
                    continue
                kinds = [f"untrained, {TASKS[name].shown_as}, {kind}" for kind in ("as it is", "recalibrated")]
                before = [other for kind in kinds if (other := figures.find(kind, record["seed"])) is not None]
                pairs.append((chosen(before, measure), chosen([record], measure), record["training"]["steps"]))
            if pairs:
                lines.append(_row(name, measure, pairs))
    return "\n".join(lines)


def _row(name: str, measure: str, pairs: list[tuple[tuple[float, str], tuple[float, str], int]]) -> str:
    before, after = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    cells = [f"{100 * mean(accuracy for accuracy, _ in side):.1f} | {_places(side)}" for side in (before, after)]
    difference = interval([new - old for (new, _), (old, _) in zip(after, before, strict=True)])
    return f"| {name} | {round(mean(steps for *_, steps in pairs))} | {measure} | {' | '.join(cells)} | {difference} |"


def _places(side: list[tuple[float, str]]) -> str:
    return ", ".join(dict.fromkeys(place for _, place in side))


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, help="CIFAR-10 as a tar of train/<class>/* and test/<class>/*, or the word motions")
    parser.add_argument("--size", type=int, default=32, help="side of the images, in pixels; 32 for CIFAR-10")
    parser.add_argument("--tasks", help="names separated by commas; all by default")
    parser.add_argument("--encoder", help="tiny by default, or tiny3d")
    parser.add_argument("--images", type=int, default=10_000, help="images or videos that are trained on, without labels")
    parser.add_argument("--labels", type=int, default=5_000, help="of these, labelled for the probes")
    parser.add_argument("--test", type=int, default=10_000, help="test images")
    parser.add_argument("--grid", type=int, default=1, help="parts of a side over which features are averaged")
    parser.add_argument("--seeds", type=int, default=3)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int)
    length.add_argument("--steps", type=int)
    length.add_argument("--seconds-per-task", type=float, help="as many steps as fit, with the figures depending on the machine")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="more of the spec, as task.rotations=one")
    parser.add_argument("--out", type=Path, help="JSON file that keeps the figures; what is in it is not done again")
    asked = parser.parse_args()
    videos = str(asked.archive) == "motions"
    asked.encoder = asked.encoder or ("tiny3d" if videos else "tiny")
    names = task_names(asked.tasks, "video" if videos else "image")
    told = {name: getattr(asked, name) for name in Settings.__dataclass_fields__ if name not in {"archive", "set"}}
    settings = Settings(archive=asked.archive.name, set=tuple(asked.set), **told)
    figures = Figures(asked.out, settings)
    set_up(torch.device(asked.device))
    train, test = motions.load(asked.images, asked.test, asked.size) if videos else cifar10.load(asked.archive)
    for seed in range(asked.seeds):
        drawn = draw(train, test, settings, seed)
        measure_baselines(figures, drawn, {TASKS[name].shown_as for name in names}, settings, seed)
        for name in names:
            measure_task(figures, name, drawn, settings, seed)
    print(table(figures, names))


if __name__ == "__main__":
    main()
