"""`python -m docs.pictures`: draw the pictures of the guides, each by a short training on the CPU.

The images and clips are those that the product generates itself. A picture is what the training drew at its end, as it draws it for
everybody; only its bytes are packed tighter here. The same command draws the same pictures, as trainings repeat.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageSequence

from docs.packing import OUT, pack
from launcher import motions, shapes

_TITLE, _SAMPLES, _MOVING_SAMPLES = 120, 8, 4
"""Width of the titles beside samples, in pixels; how many samples there are, and how many of them are kept where they move."""
_SHAPES, _CLIPS, _LABELLED, _SIDE = 2000, 400, 1000, 32
_TRAININGS: dict[str, dict[str, Any]] = {
    "rotation": {"steps": 240},
    "relative_position": {"steps": 1000},
    "jigsaw": {"steps": 1000},
    "colorization": {"steps": 240},
    "inpainting": {"steps": 600},
    "gan": {"steps": 600},
    "simclr": {"steps": 60, "batch_size": 256},
    "barlow_twins": {"steps": 90, "batch_size": 256},
    "simmim": {"steps": 500},
    "video_rotation": {"steps": 150, "clip_frames": 8, "frame_stride": 2},
    "clip_order": {"steps": 900, "clip_frames": 12, "frame_stride": 1},
    "video_gan": {"steps": 300, "clip_frames": 8, "frame_stride": 2},
}
_EVALUATION = {
    "protocols": [{"name": "knn"}, {"name": "label_efficiency", "labels_per_class": [1, 5, 20, 50], "draws": 3, "steps": 200}]
}
_PLOT = "label_efficiency.png"
SENTENCE = OUT / "labels_saved.txt"
"""What the report says whose plot is shown, so that the page says the same."""


def main() -> None:
    """Draw them all, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures", description=__doc__)
    parser.add_argument("tasks", nargs="*", help=f"which (default: all): {', '.join(_TRAININGS)}; or labels_saved, of rotation")
    tasks = parser.parse_args().tasks or [*_TRAININGS, "labels_saved"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for task in tasks:
            if task == "labels_saved":
                _labels_saved(root)
            else:
                drawn = max((_trained(task, root) / "pictures").iterdir())
                _save(drawn, OUT / f"{task}.webp")


def _trained(task: str, root: Path) -> Path:
    """Train, unless that is done already; the folder with what came of it."""
    out = root / task
    if out.exists():
        return out
    setup = dict(_TRAININGS[task])
    video = task in {"video_rotation", "clip_order", "video_gan"}
    encoder = {"name": "tiny3d" if video else "tiny"}
    spec = {"task": {"name": task}, "encoder": encoder, "image_size": _SIDE, "device": "cpu", "formats": [], **setup}
    data = _clips(root) if video else _images(root)
    _run("pretrain", spec, out, root, "--data", str(data))
    return out


def _images(root: Path) -> Path:
    folder = root / "images"
    if not folder.exists():
        folder.mkdir()
        images, _, _ = shapes.generate(_SHAPES, seed=0, size=_SIDE)
        for number, image in enumerate(images):
            Image.fromarray(image).save(folder / f"{number:05}.png")
    return folder


def _clips(root: Path) -> Path:
    folder = root / "clips"
    if not folder.exists():
        folder.mkdir()
        for clip in motions.generate(_CLIPS, size=_SIDE, frames=24):
            (folder / clip.name).write_bytes(motions.mp4(clip.frames))
    return folder


def _labels_saved(root: Path) -> None:
    """The plot of a label report: the encoder of the rotation picture, and other shapes, with their kinds as labels."""
    folder = root / "labelled"
    images, labels, names = shapes.generate(_LABELLED, seed=1, size=_SIDE)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / names[label] / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    out = root / "evaluation"
    _run("evaluate", _EVALUATION, out, root, "--model", str(_trained("rotation", root) / "bundle"), "--data", str(folder))
    _save(next(out.rglob(_PLOT)), OUT / "labels_saved.webp")
    sentence = json.loads(next(out.rglob("report.json")).read_text(encoding="utf-8"))["sentence"]
    SENTENCE.write_text(f"{sentence}\n", encoding="utf-8")


def _run(command: str, spec: dict[str, Any], out: Path, root: Path, *options: str) -> None:
    path = root / f"{command}.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    line = [sys.executable, "-m", "ssl_core", command, str(path), "--out", str(out), "--cache", str(root / "cache"), *options]
    subprocess.run(line, check=True, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"})  # others may want the cores, too


def _save(source: Path, target: Path) -> None:
    with Image.open(source) as image:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]
        if len(frames) > 1:
            frames = [_narrowed(frame) for frame in frames]
        pack(frames, target, pause=image.info.get("duration", 125))


def _narrowed(frame: Image.Image) -> Image.Image:
    """What moves takes much room: fewer samples of it, so that those are sharp."""
    kept = _TITLE + (frame.width - _TITLE) * _MOVING_SAMPLES // _SAMPLES
    return frame.crop((0, 0, kept, frame.height))


if __name__ == "__main__":
    main()
