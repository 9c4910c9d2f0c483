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


@dataclass(frozen=True, kw_only=True)
class Neighbor(Value):
    """A sample that is like another one."""

    index: int
    """Its place in the dataset, from 0: `datasets.thumbnail` shows it."""
    path: str
    """Its name in the archive."""
    similarity: float
    """Cosine of the angle between the two embeddings, -1 to 1."""
    label: str | None = None
    """Its class, if it had one when it was embedded."""


@dataclass(frozen=True, kw_only=True)
class Neighbors(Value):
    """A sample, and those that an encoder finds the most like it."""

    embedding_id: str
    index: int
    """The sample's place in the dataset, from 0."""
    path: str
    data: tuple[Neighbor, ...]
    """The others, the most similar first."""
    dataset_id: str | None = None
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class MapPoint(Value):
    """A sample as a point of a plane."""

    index: int
    """Its place in the dataset, from 0."""
    x: float
    """Along the first principal component."""
    y: float
    """Along the second one."""
    label: str | None = None
    """Its class, if it had one when it was embedded."""


@dataclass(frozen=True, kw_only=True)
class EmbeddingMap(Value):
    """The samples of a dataset as points of a plane, by their embeddings, each scaled to length 1."""

    embedding_id: str
    rows: int
    """How many samples are embedded; the points are spread evenly over them."""
    explained: tuple[float, ...]
    """Shares of the variance along the first and the second principal component, 0 to 1."""
    data: tuple[MapPoint, ...] = field(repr=False)
    dataset_id: str | None = None
