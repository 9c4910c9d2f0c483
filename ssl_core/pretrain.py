"""A pretraining from its spec to its bundle. Torch is imported only after the data is decoded: decoding forks."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ssl_core.cache import DecodedImages, dataset_facts, decoded_images
from ssl_core.clips import ClipSettings
from ssl_core.errors import UserError
from ssl_core.events import Events
from ssl_core.process import StopRequest
from ssl_core.spec import PretrainSpec, ResolvedPretrain, SpecError, resolve
from ssl_core.spec.tasks import field_of
from ssl_core.statistics import statistics_of


def run_pretrain(
    spec: Path,
    *,
    data: Path,
    out: Path,
    cache: Path,
    cache_bytes: int,
    dataset_key: str | None,
    resume: Path | None,
    checkpoint_seconds: float,
    events: Events,
    stop: StopRequest,
    weights: Path | None = None,
) -> None:
    """Train an encoder and write `out/bundle`. Goes on from a checkpoint in `out/checkpoints` if there is one.

    Args:
        spec: JSON file with a spec, resolved or not.
        data: folder with Parquet shards, or with images in any layout.
        out: folder for what this makes.
        cache: folder for decoded images.
        cache_bytes: bound of that folder.
        dataset_key: name of the dataset's version in the cache.
        resume: checkpoint to go on from, instead of the newest in `out`.
        checkpoint_seconds: seconds between checkpoints.
        events: told of everything.
        stop: looked at between steps.
        weights: safetensors file that the encoder begins with, instead of random weights.

    Raises:
        UserError: it cannot be done, or `out` holds another training; says what to change.
        InterruptedRun: it was asked to stop.
    """
    resolved = _read_spec(spec, data, cache, events, stop)
    if resolved.init_from is not None and weights is None:
        raise UserError(
            "weights_needed", f"the spec says `init_from` {resolved.init_from}: give the file of its weights (--weights)"
        )
    size = resolved.task.decode_size(resolved.image_size)
    clips = clip_settings(resolved)
    with decoded_images(
        data, size=size, cache=cache, cache_bytes=cache_bytes, key=dataset_key, events=events, stop=stop, clips=clips
    ) as images:
        if (images.facts.kind == "video") != (clips is not None):
            told = f"{resolved.task.name} is about {resolved.task.modality}s, and the data is of {images.facts.kind}s"
            raise UserError("invalid_spec", f"`task`: {told}")
        if resolved.batch_size > images.count:
            what = "images" if clips is None else "clips"
            raise UserError("invalid_spec", f"`batch_size` is {resolved.batch_size}, but the dataset has {images.count} {what}")
        _look_at(resolved, images, events)
        _train(resolved, images, out, weights, resume, checkpoint_seconds, events, stop)


def clip_settings(spec: ResolvedPretrain) -> ClipSettings | None:
    """How the videos are cut for a training; None if it is about images."""
    if spec.clip_frames is None or spec.frame_stride is None:
        return None
    return ClipSettings(spec.task.decode_frames(spec.clip_frames), spec.frame_stride, spec.clips_per_video)


def _look_at(spec: ResolvedPretrain, images: DecodedImages, events: Events) -> None:
    """Warn of what in the data speaks against the task, and refuse what cannot work."""
    for concern in spec.task.concerns(statistics_of(images.images, images.facts.median_side, images.clips)):
        if concern.fatal:
            raise UserError("unsuitable_data", concern.message)
        events.emit("log", level="warning", message=concern.message)


def _read_spec(path: Path, data: Path, cache: Path, events: Events, stop: StopRequest) -> ResolvedPretrain:
    try:
        asked = json.loads(path.read_text(encoding="utf-8"))
        if _is_resolved(asked):
            return ResolvedPretrain.model_validate(asked)
        return resolve(PretrainSpec.model_validate(asked), dataset_facts(data, cache, events, stop))
    except OSError as error:
        raise UserError("invalid_spec", f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        told = "; ".join(f"{field_of(part['loc'], part['type']) or 'spec'}: {part['msg']}" for part in error.errors())
        raise UserError("invalid_spec", f"{path.name}: {told}") from error
    except (SpecError, ValueError) as error:
        raise UserError("invalid_spec", f"{path.name}: {error}") from error


def _is_resolved(asked: Any) -> bool:
    """A resolved spec has a field that nobody can ask for."""
    return isinstance(asked, dict) and isinstance(asked.get("optimizer"), dict) and "warmup_steps" in asked["optimizer"]


def _train(
    spec: ResolvedPretrain,
    images: DecodedImages,
    out: Path,
    weights: Path | None,
    resume: Path | None,
    checkpoint_seconds: float,
    events: Events,
    stop: StopRequest,
) -> None:
    import torch

    from ssl_core import checkpoint
    from ssl_core.data import Batches, derived_seed
    from ssl_core.devices import device_of, environment, memory_taken, set_up
    from ssl_core.encoders import build_encoder
    from ssl_core.export import export_bundle
    from ssl_core.pretext import build_task
    from ssl_core.pretext.base import lay_out, why_not_bf16
    from ssl_core.trainer import Trainer, rate_name
    from ssl_core.weights import load_weights

    device = device_of(spec.device)
    spec = spec.on_device("cuda" if device.type == "cuda" else "cpu")
    set_up(device)
    events.emit("environment", **environment(device))
    if (reason := why_not_bf16(spec, device)) is not None:
        events.emit("log", level="warning", message=f"{reason}; it trains in fp32 instead")
    try:
        torch.manual_seed(derived_seed(spec.seed, "weights", 0))
        encoder = build_encoder(spec.encoder, spec.image_size, clips=images.clips is not None)
        if weights is not None:
            load_weights(encoder, weights, events)
        task = build_task(spec, encoder)
        task.prepare(images.images)
        task.to(device)
        lay_out(task)
        batches = Batches(images.images, spec.batch_size, spec.seed, device, clips=images.clips)
        folder = out / "checkpoints"
        labels = images.labels if spec.follow_knn else None
        if labels is not None and images.clips is not None:
            labels = labels[images.clips.videos]
        trainer = Trainer(task, spec, batches, out, events, stop, checkpoint_seconds=checkpoint_seconds, labels=labels)
        found = trainer.resume([resume] if resume is not None else checkpoint.newest_first(folder))
        if resume is not None and not found:
            raise UserError("damaged_checkpoint", f"{resume} cannot be read; leave it out to go on from the newest one in {folder}")
        trained = trainer.run()
        memory = memory_taken(device, images.images.nbytes if batches.resident else 0)
        events.emit("memory", **memory)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(spec, error) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise _out_of_memory(spec, error) from error
    verdict = None if trained.verdict is None else trained.verdict.told()
    at_end = {"verdict": verdict, "step": trained.steps, "epoch": spec.epochs, "epochs": spec.epochs, **trained.last}
    rate = {rate_name(spec): trained.rate}
    events.emit("progress", phase="export", done=0, total=1, unit="models", **at_end, **rate)
    files = export_bundle(task.encoder, spec, images.facts, trained, out / "bundle", events)
    events.emit(
        "result",
        bundle=str(out / "bundle"),
        files=files,
        metrics=trained.last,
        steps=trained.steps,
        seconds=trained.seconds,
        memory=memory,
    )


def _out_of_memory(spec: ResolvedPretrain, error: BaseException) -> UserError:
    return UserError(
        "out_of_memory",
        f"there is not enough memory for {spec.encoder.name} with `batch_size` {spec.batch_size} at `image_size` "
        f"{spec.image_size}; choose a smaller one of these ({str(error).splitlines()[0][:200]})",
    )
