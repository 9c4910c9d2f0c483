"""What an export of an encoder may ask for."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ssl_core.spec.base import Spec
from ssl_core.spec.encoders import ENCODERS

Format = Literal["onnx", "pt2"]


def _once_each(formats: list[Format]) -> list[Format]:
    return sorted(set(formats))


Formats = Annotated[list[Format], AfterValidator(_once_each)]
"""What a bundle has beside the weights; in any order."""


BEST = "best"
"""The stage that an evaluation found best."""


def stages_of(encoder: str, ends_at: str | None) -> tuple[str, ...]:
    """The stages that an encoder of this name has, up to the one that it ends at."""
    stages = ENCODERS[encoder].stages
    return stages if ends_at is None else stages[: stages.index(ends_at) + 1]


class ExportSpec(Spec):
    """An encoder's bundle, made again: with the features of another stage, or in other formats."""

    stage: str | None = Field(default=None, max_length=100)
    """Where the encoder ends: one of its stages, whose map, averaged, is the features then. `best`: the stage that the newest
    evaluation found best, by its linear probe or else by nearest neighbours. None: where it ends now."""
    formats: Formats = Field(default=["onnx", "pt2"])
    """What the bundle has beside `encoder.safetensors`: `onnx` for ONNX Runtime, `pt2` for `torch.export.load`."""


class Source(Spec):
    """What a bundle was made from."""

    model_id: str
    """The model."""
    name: str | None = None
    """Its name."""
    evaluation_id: str | None = None
    """The evaluation that chose the stage."""


class SourcedExport(ExportSpec):
    """An export, with where its bundle comes from."""

    source: Source | None = None
    """What is told of that in the new bundle."""


class ModelExport(ExportSpec):
    """An export of a model on this server."""

    model_id: str = Field(max_length=100)
    """The model whose encoder is exported."""
    evaluation_id: str | None = Field(default=None, max_length=100)
    """The evaluation that chose the stage, if it is the best one."""
