"""Models and their files."""

from dataclasses import dataclass, field
from datetime import datetime

from pretext_client.types.base import Json, Value


@dataclass(frozen=True, kw_only=True)
class ModelFile(Value):
    """A file of a model, an evaluation or embeddings."""

    name: str
    bytes: int
    sha256: str
    """In hexadecimal."""
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Model(Value):
    """A trained encoder."""

    id: str
    name: str
    created_at: datetime
    files: tuple[ModelFile, ...]
    job_id: str | None = None
    dataset_id: str | None = None
    task: str | None = None
    encoder: Json = field(default_factory=dict)
    """`name` and `stem`."""
    features: int | None = None
    """Length of its feature vector."""
    image_size: int | None = None
    """Side of the images that it was trained on, in pixels."""
    ends_at: str | None = None
    """The stage that its features are taken from; None if they are the whole network's."""
    made_from: str | None = None
    """The model that it was exported from."""
    metrics: Json = field(default_factory=dict)
    """Final figures of the training."""
    aliases: tuple[str, ...] = ()
    """Names that stand for it."""
    metadata: Json = field(default_factory=dict)
