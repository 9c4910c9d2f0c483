"""Does anything that needs no labels tell which stage of an encoder is the best?

Run it by `python -m benchmarks.stages ARCHIVE [--tasks rotation,jigsaw,simclr] [--steps rotation=300,…] [--seeds 3] [--out FILE]`.
What is in `--out` already is not done again.

Encoders are trained and probed as in `benchmarks.learning`. After each stage, the criteria below are taken of 1,024 images that
the encoder was trained on. For each criterion: how often it picks the stage with the best test accuracy of the linear probe, and
how much accuracy its pick costs beside the stage that a labelled validation part picks. Beside them go the rules that look at
nothing: always the last stage, always the one before it.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from benchmarks import cifar10
from benchmarks.jobs import set_up, task_names
from benchmarks.learning import Figures, Settings, Stages, draw, probed, trained, untrained
from ssl_core.augment import Normalize, view
from ssl_core.color import lightness
from ssl_core.data import derived_seed
from ssl_core.embed import ShownAs, embed_stages
from ssl_core.encoders import Encoder
from ssl_core.evaluate import diagnostics
from ssl_core.spec import TASKS

Record = dict[str, Any]

_SAMPLE = 1024
_STEPS = {"rotation": 300, "jigsaw": 1500, "simclr": 120}


def two_views(encoder: Encoder, images: np.ndarray[Any, Any], shown_as: ShownAs, seed: int) -> tuple[Stages, Stages]:
    """Features after each stage of two views of images, by SimCLR's augmentation."""
    torch.manual_seed(derived_seed(seed, "views", 0))
    batch, normalize = torch.from_numpy(images).permute(0, 3, 1, 2), Normalize()
    found = []
    for _ in range(2):
        levels = view(batch, images.shape[1], scale=0.35, flip=True, jitter=0.5, grayscale=0.2, blur=0)
        with torch.no_grad():
            shown = normalize(lightness(levels) if shown_as == "lightness" else levels)
            maps = encoder.eval().stage_maps(shown.contiguous(memory_format=torch.channels_last))
        found.append({name: each.float().mean((2, 3)).numpy() for name, each in maps.items()})
    return found[0], found[1]


def instance_retrieval(one: torch.Tensor, other: torch.Tensor) -> float:
    """Share of images of whose one view, of all other views, the same image's is nearest."""
    similar = torch.nn.functional.normalize(one, dim=1) @ torch.nn.functional.normalize(other, dim=1).T
    return float((similar.argmax(1) == torch.arange(len(one))).float().mean())


def criteria(encoder: Encoder, images: np.ndarray[Any, Any], shown_as: ShownAs, seed: int) -> dict[str, dict[str, float]]:
    """Each criterion after each stage; higher is better."""
    whole = embed_stages(encoder, images, shown_as=shown_as)
    ones, others = two_views(encoder, images, shown_as, seed)
    told: dict[str, dict[str, float]] = {}
    for stage, taken in whole.items():
        features, one, other = (torch.from_numpy(each) for each in (taken, ones[stage], others[stage]))
        rank, alpha = diagnostics.rankme(features), diagnostics.alpha_req(features)
        of_stage = {
            "RankMe": rank,
            "RankMe / dimensions": rank / features.shape[1],
            "alpha near 1": -abs((alpha if alpha is not None else 99) - 1),
            "uniformity": -diagnostics.uniformity(features),
            "feature_std": diagnostics.feature_std(features),
            "instance retrieval": instance_retrieval(one, other),
            "alignment": -diagnostics.alignment(one, other),
        }
        for name, value in of_stage.items():
            told.setdefault(name, {})[stage] = value
    return told


def measure(figures: Figures, subject: str, train: cifar10.Images, test: cifar10.Images, settings: Settings, seed: int) -> None:
    """Train, probe and look at one encoder, unless it was done."""
    if figures.find(subject, seed) is not None:
        return
    drawn = draw(train, test, settings, seed)
    plain = replace(settings, set=())
    if subject == "untrained":
        shown_as: ShownAs = "rgb"
        encoder = untrained(shown_as, plain, drawn.images, seed, recalibrated=True)
    else:
        shown_as = TASKS[subject].shown_as
        encoder, _ = trained(subject, replace(plain, steps=steps_of(settings)[subject]), drawn.images, seed)
    training, testing = (embed_stages(encoder, part.images, shown_as=shown_as) for part in (drawn.labelled, drawn.test))
    linear = probed(training, drawn.labelled, testing, drawn.test, settings, seed)["linear"]
    looked_at = criteria(encoder, drawn.images[:_SAMPLE], shown_as, seed)
    figures.add({"subject": subject, "seed": seed, "linear": linear, "criteria": looked_at})
    tests = {stage: round(100 * one["test"], 1) for stage, one in linear.items()}
    print(f"{subject}, seed {seed}: {tests}", flush=True)


def steps_of(settings: Settings) -> dict[str, int]:
    """Steps of each task's training."""
    return dict(_STEPS) | {name: int(count) for name, _, count in (each.partition("=") for each in settings.set)}


def picks(record: Record) -> dict[str, str]:
    """Which stage each criterion picks."""
    stages = list(record["linear"])
    told = {name: max(values, key=lambda stage: values[stage]) for name, values in record["criteria"].items()}
    return {**told, "always the last": stages[-1], "always the last but one": stages[-2]}


def table(records: list[Record]) -> str:
    """Markdown: for each criterion and subject, hits and what the picks cost."""
    subjects = list(dict.fromkeys(record["subject"] for record in records))
    trained_ones = [record for record in records if record["subject"] != "untrained"]
    lines = [f"| criterion | best stage found | lost accuracy | {' | '.join(subjects)} |", "|---" * (3 + len(subjects)) + "|"]
    for name in picks(records[0]):
        hits = sum(picks(record)[name] == _best(record, "test") for record in trained_ones)
        cells = [f"{_cost([record for record in records if record['subject'] == subject], name)}" for subject in subjects]
        lines.append(f"| {name} | {hits} of {len(trained_ones)} | {_cost(trained_ones, name)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _best(record: Record, part: str) -> str:
    return str(max(record["linear"], key=lambda stage: float(record["linear"][stage][part])))


def _cost(records: list[Record], name: str) -> str:
    """Test accuracy below that of the stage chosen by labelled validation images: mean and worst, in percentage points."""
    lost = [
        100 * (record["linear"][_best(record, "validation")]["test"] - record["linear"][picks(record)[name]]["test"])
        for record in records
    ]
    return f"{mean(lost):.1f} (worst {max(lost):.1f})"


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, help="CIFAR-10 as a tar of train/<class>/* and test/<class>/*")
    parser.add_argument("--tasks", default=",".join(_STEPS))
    parser.add_argument("--steps", default="", help="steps by task, as rotation=300,jigsaw=1500")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file that keeps the figures")
    asked = parser.parse_args()
    settings = Settings(
        archive=asked.archive.name,
        size=32,
        encoder="tiny",
        images=10_000,
        labels=5_000,
        test=5_000,
        grid=1,
        epochs=None,
        steps=None,
        seconds_per_task=None,
        device="cpu",
        set=(),
    )
    steps = tuple(filter(None, asked.steps.split(",")))
    figures = Figures(asked.out, replace(settings, set=steps))
    set_up(torch.device("cpu"))
    train, test = cifar10.load(asked.archive)
    for seed in range(asked.seeds):
        for subject in ("untrained", *task_names(asked.tasks)):
            measure(figures, subject, train, test, settings, seed)
    print(table(figures.records))


if __name__ == "__main__":
    main()
