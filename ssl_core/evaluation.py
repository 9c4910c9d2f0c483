"""An evaluation from its spec to its report. Torch is imported only after the data is decoded: decoding forks."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ssl_core.cache import DecodedImages, decoded_images
from ssl_core.clips import ClipSettings
from ssl_core.errors import UserError
from ssl_core.events import Events
from ssl_core.process import StopRequest
from ssl_core.spec import ENCODERS
from ssl_core.spec.base import Spec
from ssl_core.spec.evaluate import EvaluateSpec

SpecT = TypeVar("SpecT", bound=Spec)
_RESERVED = frozenset({"pretrained", "untrained", "scratch"})
"""What the encoder itself, and the same network with random weights, are called in a report."""
_IMPORTED_CLIPS = (16, 2)
"""Frames of a clip, and the stride, for video encoders of which nothing else is known."""


def run_evaluate(
    spec: Path,
    *,
    model: Path,
    data: Path,
    out: Path,
    cache: Path,
    cache_bytes: int,
    dataset_key: str | None,
    checkpoint_seconds: float,
    events: Events,
    stop: StopRequest,
    references: Sequence[tuple[str, Path]] = (),
) -> None:
    """Evaluate an encoder and write `out/report`: `report.json` and its pictures. Goes on from what `out/checkpoints` has.

    Args:
        spec: JSON file with an `EvaluateSpec`.
        model: folder with the encoder's weights and configuration.
        data: folder with labelled Parquet shards, or with images in a folder for each class.
        out: folder for what this makes.
        cache: folder for decoded images.
        cache_bytes: bound of that folder.
        dataset_key: name of the dataset's version in the cache.
        checkpoint_seconds: seconds between checkpoints.
        events: told of everything.
        stop: looked at between steps.
        references: other models to compare with: what each is called, and its folder, whose name a report knows it by.

    Raises:
        UserError: it cannot be done; says what to change.
        InterruptedRun: it was asked to stop.
    """
    asked = read_spec(spec, EvaluateSpec)
    _check_names([folder.name for _, folder in references])
    with ExitStack() as stack:

        def shown(folder: Path) -> DecodedImages:
            """The dataset as the encoder of a folder is shown it; decoded once for all of the same size."""
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            clips, size = clip_settings(config), config["image_size"]
            images = stack.enter_context(
                decoded_images(
                    data, size=size, cache=cache, cache_bytes=cache_bytes, key=dataset_key, events=events, stop=stop, clips=clips
                )
            )
            check_kind(images, clips)
            return images

        own, *others = (shown(folder) for folder in (model, *(folder for _, folder in references)))
        from ssl_core.devices import device_of, environment, set_up
        from ssl_core.evaluate.report import Evaluation
        from ssl_core.evaluate.subject import Given, Subject

        device = device_of(asked.device)
        set_up(device)
        events.emit("environment", **environment(device))
        beside = [Given(name, folder, images) for (name, folder), images in zip(references, others, strict=True)]
        subject = Subject(asked, Given("your encoder", model, own), device, events, stop, beside)
        report = Evaluation(asked, subject, out, events, stop, checkpoint_seconds=checkpoint_seconds).run()
    events.emit("result", report=str(out / "report"), files=report.files, metrics=report.headline)


def _check_names(names: Sequence[str]) -> None:
    taken = {*_RESERVED, *(name for name in names if names.count(name) > 1)} & set(names)
    if taken:
        raise UserError("invalid_spec", f"references need folders of different names, and others than {', '.join(sorted(taken))}")


def clip_settings(config: dict[str, Any]) -> ClipSettings | None:
    """How videos are cut for an encoder, by its configuration; None if it is of images."""
    frames, stride = config.get("clip_frames"), config.get("frame_stride")
    if frames is None and ENCODERS[config["encoder"]["name"]].modality == "video":
        frames, stride = _IMPORTED_CLIPS
    return None if frames is None else ClipSettings(frames, stride or 1, config.get("spec", {}).get("clips_per_video"))


def check_kind(images: DecodedImages, clips: ClipSettings | None) -> None:
    """Refuse a dataset of images for an encoder of videos, and the other way round.

    Raises:
        UserError: it is of the other kind.
    """
    wanted = "image" if clips is None else "video"
    if images.facts.kind != wanted:
        raise UserError("invalid_spec", f"the encoder is of {wanted}s, and the dataset has {images.facts.kind}s")


def read_spec(path: Path, kind: type[SpecT]) -> SpecT:
    """Read a spec.

    Raises:
        UserError: the file cannot be read, or is no such spec.
    """
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError("invalid_spec", f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, part['loc'])) or 'spec'}: {part['msg']}" for part in error.errors())
        raise UserError("invalid_spec", f"{path.name}: {told}") from error
