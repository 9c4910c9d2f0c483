"""Embeddings of a whole dataset, from the spec to Parquet files.

D: features, S: side, T: frames of a clip. The encoder is loaded before the data is decoded: what is wrong with it, or with the
stage that was asked for, is told before an hour of decoding, and not after it.
"""

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from ssl_core.cache import DecodedImages, decoded_images
from ssl_core.devices import device_of, environment, set_up
from ssl_core.embed import check_stage, load_encoder, shown_as, unit_length, vectors
from ssl_core.embedding_files import Floats, Ids, Table
from ssl_core.encoders import Encoder
from ssl_core.errors import InterruptedRun, UserError
from ssl_core.evaluate.samples import Samples
from ssl_core.evaluation import check_kind, clip_settings, read_spec
from ssl_core.events import Events, Ticker
from ssl_core.process import StopRequest
from ssl_core.spec.embed import EmbedSpec

FILE_BYTES = 64 << 20
"""Embeddings in one file, about, in bytes. So much is held in memory."""
_KEPT = 2
"""Checkpoints of an unfinished file; the one before the newest stays, in case the newest turns out to be damaged."""


def run_embed(
    spec: Path,
    *,
    model: Path,
    model_id: str | None,
    data: Path,
    out: Path,
    cache: Path,
    cache_bytes: int,
    dataset_key: str | None,
    checkpoint_seconds: float,
    events: Events,
    stop: StopRequest,
) -> None:
    """Embed a dataset into `out/embeddings`. Goes on from the files there and in `out/checkpoints`, and ends with the same bytes.

    Args:
        spec: JSON file with an `EmbedSpec`.
        model: folder with the encoder's weights and configuration.
        model_id: what the model is called in the files.
        data: folder with Parquet shards, or with images in any layout.
        out: folder for what this makes.
        cache: folder for decoded images.
        cache_bytes: bound of that folder.
        dataset_key: name of the dataset's version in the cache, and in the files.
        checkpoint_seconds: seconds between checkpoints of a file that is not finished.
        events: told of everything.
        stop: looked at between batches.

    Raises:
        UserError: it cannot be done; says what to change.
        InterruptedRun: it was asked to stop.
    """
    asked = read_spec(spec, EmbedSpec)
    encoder, config = load_encoder(model)
    check_stage(encoder, asked.stage)
    clips = clip_settings(config)
    with decoded_images(
        data,
        size=config["image_size"],
        cache=cache,
        cache_bytes=cache_bytes,
        key=dataset_key,
        events=events,
        stop=stop,
        clips=clips,
    ) as images:
        check_kind(images, clips)
        device = device_of(asked.device)
        set_up(device)
        events.emit("environment", **environment(device))
        about = {
            "model_id": model_id,
            "weights_sha256": _sha256(model / "encoder.safetensors"),
            "encoder": config["encoder"],
            "image_size": config["image_size"],
            "dataset": dataset_key,
            **asked.model_dump(exclude={"device"}),
            "device": device.type,
        }
        _Embedding(asked, encoder.to(device), config, images, about, out, events, stop).run(checkpoint_seconds)


class _Embedding:
    def __init__(
        self,
        asked: EmbedSpec,
        encoder: Encoder,
        config: dict[str, Any],
        images: DecodedImages,
        about: dict[str, Any],
        out: Path,
        events: Events,
        stop: StopRequest,
    ) -> None:
        self._asked, self._encoder, self._images = asked, encoder, images
        self._events, self._stop = events, stop
        self._shown_as = shown_as(config)
        self._samples = Samples(images.images, images.clips)
        count = images.facts.images
        self._ids: Ids = self._samples.usable(count)
        if not len(self._ids):
            raise UserError("too_short", "none of the videos is long enough for a clip of this encoder; look at its `clip_frames`")
        self._left_out = count - len(self._ids)
        frames = () if images.clips is None else (images.clips.frames,)
        side = config["image_size"]
        features = self._of(np.zeros((1, *frames, side, side, 3), np.uint8)).shape[1]
        self._table = Table(images, features, about)
        # Whole batches, so that it is the same which file an interrupted run begins again with.
        self._rows = max(1, FILE_BYTES // (4 * features) // asked.batch_size) * asked.batch_size
        self._folder, self._checkpoints = out / "embeddings", out / "checkpoints"
        self._tell, self._started, self._before = Ticker(0.5), time.monotonic(), 0

    def run(self, checkpoint_seconds: float) -> None:
        for folder in (self._folder, self._checkpoints):
            folder.mkdir(parents=True, exist_ok=True)
        if self._left_out:
            self._events.emit("log", level="warning", message=f"{self._left_out} videos are too short for a clip and left out")
        self._images.read_in_order()
        save = Ticker(checkpoint_seconds)
        save.due()
        files = []
        for number, start in enumerate(range(0, len(self._ids), self._rows)):
            files.append(self._folder / f"embeddings-{number:05}.parquet")
            self._make(files[-1], start, min(start + self._rows, len(self._ids)), save)
        for other in set(self._folder.glob("embeddings-*.parquet")) - set(files):
            other.unlink()
        self._events.emit(
            "result",
            embeddings=str(self._folder),
            files=[path.name for path in files],
            rows=len(self._ids),
            left_out=self._left_out,
            features=self._table.features,
            weights_sha256=self._table.about["weights_sha256"],
        )

    def _make(self, path: Path, start: int, end: int, save: Ticker) -> None:
        """Make one file with the rows `start` to `end`, unless it is there."""
        ids = self._ids[start:end]
        if self._is_there(path, ids, end):
            self._before += len(ids)
            self._progress(end)
            return
        found = self._taken_up(start, end)
        self._before += len(found)
        embeddings = np.empty((end - start, self._table.features), np.float32)
        embeddings[: len(found)] = found
        for row in range(len(found), end - start, self._asked.batch_size):
            if self._stop or (row and save.due()):
                self._keep(start, ids[:row], embeddings[:row])
            if self._stop:
                raise InterruptedRun
            batch = ids[row : row + self._asked.batch_size]
            embeddings[row : row + len(batch)] = self._embedded(batch)
            self._images.let_go()
            self._progress(start + row + len(batch))
        self._table.write(path, ids, embeddings)
        self._events.emit("checkpoint", step=end, path=str(path), keep=True)

    def _is_there(self, path: Path, ids: Ids, end: int) -> bool:
        """Whether a whole file is there, made here or, by an earlier attempt, in another place."""
        if self._table.read(path, ids) is not None:
            return True
        earlier = self._checkpoint(end)
        if self._table.read(earlier, ids) is None:
            return False
        path.unlink(missing_ok=True)
        try:
            os.link(earlier.resolve(), path)
        except OSError:
            shutil.copyfile(earlier, path)
        return True

    def _taken_up(self, start: int, end: int) -> Floats:
        """The first rows of a file, as far as an earlier attempt has come: float32 (n, D)."""
        steps = sorted((int(path.stem.removeprefix("rows-")) for path in self._checkpoints.glob("rows-*.parquet")), reverse=True)
        for step in steps:
            if start < step < end and (step - start) % self._asked.batch_size == 0:
                found = self._table.read(self._checkpoint(step), self._ids[start:step])
                if found is not None:
                    self._events.emit("log", level="info", message=f"goes on behind {step:,} of {len(self._ids):,} embeddings")
                    return found
        return np.empty((0, self._table.features), np.float32)

    def _keep(self, start: int, ids: Ids, embeddings: Floats) -> None:
        """Write down a file that is not finished."""
        step = start + len(ids)
        path = self._checkpoint(step)
        if not len(ids) or path.exists():
            return
        self._table.write(path, ids, embeddings)
        self._events.emit("checkpoint", step=step, path=str(path))
        for old in sorted(self._checkpoints.glob("rows-*.parquet"))[:-_KEPT]:
            if not old.is_symlink():
                old.unlink()

    def _checkpoint(self, step: int) -> Path:
        return self._checkpoints / f"rows-{step:09}.parquet"

    def _embedded(self, ids: Ids) -> Floats:
        """Embeddings of a batch: of videos, the mean over their clips."""
        views = [self._of(self._samples.shown(ids, view)) for view in range(self._samples.views)]
        mean = np.asarray(np.mean(views, 0, dtype=np.float32)) if len(views) > 1 else views[0]
        return unit_length(mean) if self._asked.normalize else mean

    def _of(self, pixels: Any) -> Floats:
        return vectors(self._encoder, pixels, self._asked.batch_size, stage=self._asked.stage, shown_as=self._shown_as)

    def _progress(self, done: int) -> None:
        if not (self._tell.due() or done == len(self._ids)):
            return
        kind = self._samples.kind
        rate = (done - self._before) / (time.monotonic() - self._started)
        speed = {"images_per_second": rate} if kind == "image" else {}
        self._events.emit("progress", phase="embed", done=done, total=len(self._ids), unit=f"{kind}s", **speed)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
