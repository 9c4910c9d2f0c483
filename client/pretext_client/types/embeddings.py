"""Embeddings, of datasets and of a few images."""

from dataclasses import dataclass, field
from datetime import datetime

from pretext_client.types.base import Json, Value
from pretext_client.types.models import ModelFile


@dataclass(frozen=True, kw_only=True)
class Embedding(Value):
    """The embeddings of a whole dataset, in Parquet files."""

    id: str
    job_id: str
    model_id: str
    features: int
    """Numbers in each."""
    rows: int
    """How many images or videos are embedded."""
    created_at: datetime
    files: tuple[ModelFile, ...] = ()
    dataset_id: str | None = None
    stage: str | None = None
    """After which stage of the encoder; None: its own features."""
    normalized: bool = False
    """Whether each is of length 1."""
    left_out: int = 0
    """Videos that are too short for a clip."""
    weights_sha256: str | None = None
    metadata: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OneEmbedding(Value):
    """The embedding of an image that was embedded at once."""

    index: int
    """Place of the image, from 0."""
    embedding: tuple[float, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Embedded(Value):
    """The embeddings of a few images, in their order."""

    model_id: str
    features: int
    """Numbers in each."""
    data: tuple[OneEmbedding, ...]
    stage: str | None = None
    normalized: bool = False

    @property
    def vectors(self) -> list[tuple[float, ...]]:
        """The embeddings alone; `numpy.array` makes a matrix of them."""
        return [one.embedding for one in self.data]
