"""How many labels does pretraining save on CIFAR-10? The service's own answer, beside the one that was published for RotNet.

Run it by `python -m benchmarks.labels cifar10.tar.gz [--task rotation] [--encoder tiny] [--steps 2000 | --epochs 20]
[--labels-per-class 20,100,400,all] [--draws 3] [--fine-tune-steps 300] [--device cpu] [--set task.crop_padding=4] [--out folder]`.

It does what a job does, by the command lines that a worker runs: pretrains on the training images without their labels, then
evaluates on the whole archive, training with labels of the training images and testing once on all test images. What is in `--out`
already is not done again. RotNet's figures (Gidaris et al., ICLR 2018) are of a far larger network and hours of a GPU: they are the
shape to look for, not what a small budget can reach.
"""

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.jobs import with_settings

Json = dict[str, Any]

ROTNET = {20: (64.63, 33.66), 100: (75.28, 47.26), 400: (82.84, 74.19), 1000: (86.43, 83.47), 5000: (91.95, 93.07)}
"""By labels per class: percent accuracy of a classifier on RotNet's features, and of training on the labels alone."""


def unpacked(archive: Path, folder: Path) -> Path:
    """The archive's files in a folder, unpacked once."""
    done = folder / "complete"
    if not done.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        done.touch()
    return folder


def run(arguments: list[str], spec: Json, name: str, out: Path) -> None:
    """One command of `ssl_core`, unless its result is there."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.json"
    path.write_text(json.dumps(spec, indent=1), encoding="utf-8")
    command, *rest = arguments
    subprocess.run([sys.executable, "-m", "ssl_core", command, str(path), *rest, "--out", str(out)], check=True)


def table(report: Json) -> str:
    """Markdown: accuracy in percent by labels per class, labels saved, and RotNet's beside them."""
    efficiency = report["label_efficiency"]
    lines = [
        "| labels per class | from scratch | fine-tuned | labels saved | linear probe | labels saved | RotNet | its scratch |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for number, point in enumerate(efficiency["points"]):
        cells = [f"{point['labels_per_class']:,.0f}", _accuracy(point["scratch"])]
        for kind in ("pretrained_fine_tune", "pretrained_linear"):
            found = kind in point
            cells += [_accuracy(point[kind]), _saved(efficiency["labels_saved"][kind][number])] if found else ["", ""]
        published = ROTNET.get(round(point["labels_per_class"]))
        cells += [f"{value:.1f}" for value in published] if published else ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *efficiency["sentences"].values()])


def _accuracy(found: Json) -> str:
    return f"{100 * found['mean']:.1f} ({100 * max(0, found['low']):.1f} to {100 * min(1, found['high']):.1f})"


def _saved(found: Json) -> str:
    """How many times as many labels training from scratch needs."""
    times = [None if found[end] is None else found[end] / found["labels"] for end in ("needed", "low", "high")]
    middle, low, high = ("more than all" if value is None else f"{value:.1f}x" for value in times)
    return f"{middle} ({low} to {high})"


def main() -> None:
    """Train, evaluate and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, help="CIFAR-10 as a tar of train/<class>/* and test/<class>/*")
    parser.add_argument("--task", default="rotation")
    parser.add_argument("--encoder", default="tiny")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int)
    length.add_argument("--steps", type=int)
    parser.add_argument("--labels-per-class", default="20,100,400,all", help="numbers, or all, separated by commas")
    parser.add_argument("--draws", type=int, default=3, help="of labels and of random weights")
    parser.add_argument("--fine-tune-steps", type=int, help="of each training on labels (default: the service's)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="more of the spec, as task.rotations=one")
    parser.add_argument("--out", type=Path, help="folder that keeps everything (default: a temporary one)")
    asked = parser.parse_args()
    if asked.out is not None:
        measure(asked, asked.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(asked, Path(folder))


def measure(asked: argparse.Namespace, out: Path) -> None:
    """All of it, in a folder."""
    data = unpacked(asked.archive, out / "data")
    spec: Json = {"task": {"name": asked.task}, "encoder": {"name": asked.encoder}, "device": asked.device, "seed": asked.seed}
    spec |= {name: value for name in ("epochs", "steps") if (value := getattr(asked, name)) is not None}
    with_settings(spec, asked.set)
    if not (out / "pretrain" / "bundle").exists():
        run(["pretrain", "--data", str(data / "train")], spec, "spec", out / "pretrain")
    counts = [count if count == "all" else int(count) for count in asked.labels_per_class.split(",")]
    efficiency: Json = {"name": "label_efficiency", "labels_per_class": counts, "draws": asked.draws}
    if asked.fine_tune_steps is not None:
        efficiency["steps"] = asked.fine_tune_steps
    evaluation = {"protocols": ["knn", "linear", efficiency], "device": asked.device, "seed": asked.seed}
    report = out / "evaluate" / "report" / "report.json"
    if not report.exists():
        arguments = ["evaluate", "--data", str(data), "--model", str(out / "pretrain" / "bundle")]
        run(arguments, evaluation, "spec", out / "evaluate")
    found = json.loads(report.read_text(encoding="utf-8"))
    for name in ("knn", "linear"):
        ours, theirs = found[name]["pretrained"], found[name]["untrained"]
        print(f"{name}: {100 * ours['accuracy']:.1f} after {ours['best_stage']}, untrained {100 * theirs['accuracy']:.1f}")
    print(table(found))


if __name__ == "__main__":
    main()
