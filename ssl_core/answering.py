"""`python -m ssl_core answer`: a process that keeps torch and the models last asked for in memory, and embeds images at once.

It reads orders on standard input and answers each on standard output, by `ssl_core/frames.py`. An order's header has `model` (the
SHA-256 of its weights), `folder` (where they and its configuration lie), `stage` and `normalize`; its byte strings are image files.
The answer has `bad`, the reasons by the number of an image that is none, and `features`; its one byte string is float32 of the
others, row after row. Or it has an `error`: `code` and `message`. An order that has `keep` alone names the models that still exist.

It draws previews of tasks as well: such an order's header has `preview`, a resolved spec, and `shards`, the paths of a dataset's
Parquet files. The one byte string of the answer is the picture.
"""

import os
import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import torch

from ssl_core.decoding import Decoder
from ssl_core.devices import device_of
from ssl_core.embed import ShownAs, check_stage, load_encoder, shown_as, unit_length, vectors
from ssl_core.encoders import Encoder, VideoEncoder
from ssl_core.errors import UserError
from ssl_core.frames import read_frame, write_frame
from ssl_core.pretrain import clip_settings
from ssl_core.preview import SAMPLES, preview
from ssl_core.spec import ResolvedPretrain

_BATCH = 64


def run_answers(device: Literal["auto", "cpu", "cuda"], threads: int, cache_bytes: int) -> None:
    """Answer orders until standard input ends.

    Args:
        device: where to compute.
        threads: most threads of a computation; trainings on the same machine have the other cores.
        cache_bytes: bound of the models in memory, in bytes. The newest is kept whatever its size.
    """
    orders, answers = _pipes()
    decoder = Decoder()
    decoder.warm_up()
    torch.set_num_threads(threads)
    models = Models(device_of(device), cache_bytes)
    while (order := read_frame(orders)) is not None:
        header, contents = order
        if "keep" in header:
            models.forget_all_but(header["keep"])
            continue
        try:
            if "preview" in header:
                answer, content = _preview(decoder, header)
            else:
                answer, content = _answer(models, decoder, header, contents)
        except UserError as error:
            answer, content = {"error": {"code": error.code, "message": str(error)}}, b""
        write_frame(answers, answer, [content])
    decoder.close()


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for messages alone: what anything prints goes to standard error."""
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return orders, answers


def _answer(models: "Models", decoder: Decoder, header: dict[str, Any], contents: list[bytes]) -> tuple[dict[str, Any], bytes]:
    model = models.get(header["model"], Path(header["folder"]))
    check_stage(model.encoder, header["stage"])
    decoded = decoder.run(contents, model.image_size)
    pixels = [one for one in decoded if not isinstance(one, str)]
    bad = {number: reason for number, reason in enumerate(decoded) if isinstance(reason, str)}
    if not pixels:
        return {"bad": bad, "features": 0}, b""
    found = vectors(model.encoder, np.stack(pixels), _BATCH, stage=header["stage"], shown_as=model.shown_as)
    if header["normalize"]:
        found = unit_length(found)
    return {"bad": bad, "features": found.shape[1]}, np.ascontiguousarray(found, "<f4").tobytes()


def _preview(decoder: Decoder, header: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    spec = ResolvedPretrain.model_validate(header["preview"])
    shards, size = [Path(shard) for shard in header["shards"]], spec.task.decode_size(spec.image_size)
    return {}, preview(spec, decoder.excerpt(shards, size, SAMPLES, clip_settings(spec)))


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory."""

    encoder: Encoder
    image_size: int
    shown_as: ShownAs
    bytes: int


class Models:
    """The models that were last asked for, by the SHA-256 of their weights.

    Args:
        device: where they are.
        most_bytes: bound of all of them, in bytes; but one may be larger.
    """

    def __init__(self, device: torch.device, most_bytes: int) -> None:
        self._device = device
        self._most_bytes = most_bytes
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()

    def get(self, sha256: str, folder: Path) -> LoadedModel:
        """A model, from memory or from its files.

        Raises:
            UserError: its files are no encoder of images.
        """
        model = self._loaded.get(sha256)
        if model is None:
            model = self._load(folder)
            self._loaded[sha256] = model
            while len(self._loaded) > 1 and sum(one.bytes for one in self._loaded.values()) > self._most_bytes:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(sha256)
        return model

    def forget_all_but(self, kept: list[str]) -> None:
        """Drop the models that are not among these."""
        for sha256 in [one for one in self._loaded if one not in kept]:
            del self._loaded[sha256]

    @property
    def names(self) -> list[str]:
        """Those in memory, the one used longest ago first."""
        return list(self._loaded)

    def _load(self, folder: Path) -> LoadedModel:
        encoder, config = load_encoder(folder)
        if isinstance(encoder, VideoEncoder):
            raise UserError("not_of_images", "the encoder is of videos; embed a dataset of videos by a job of the kind `embed`")
        encoder = encoder.to(self._device).eval()
        size = sum(value.nbytes for value in encoder.state_dict().values())
        return LoadedModel(encoder, config["image_size"], shown_as(config), size)
