"""What the server can train."""

from dataclasses import dataclass, field

from pretext_client.types.base import Json, Value


@dataclass(frozen=True, kw_only=True)
class Task(Value):
    """A pretext task that the server knows."""

    name: str
    modality: str = "image"
    """What it asks about: `image` or `video`."""
    summary: str = ""
    learns_from: str = ""
    preview: str = ""
    """What `datasets.preview` shows of it."""
    paper: str = ""
    chance_accuracy: float | None = None
    """Accuracy of guessing, 0 to 1."""
    defaults: Json = field(default_factory=dict)
    schema: Json = field(default_factory=dict)
    """JSON Schema of its settings."""


@dataclass(frozen=True, kw_only=True)
class Encoder(Value):
    """A network that the server can train."""

    name: str
    modality: str = "image"
    """What it looks at: `image` or `video`."""
    family: str = ""
    summary: str = ""
    features: int | None = None
    parameters: float | None = None
    """In millions."""
    small_stem: bool = False
    """Whether it has a stem for small images."""
    min_image_size: int | None = None
    """In pixels."""
    stages: tuple[str, ...] = ()
    """From the first to the last; a model can be exported to end at any of them."""
    schema: Json = field(default_factory=dict)
    """JSON Schema of `encoder` in a job."""
