"""What the catalogue answers with."""

from typing import Any, Literal

from pydantic import Field

from api.pages import Resource


class TaskEntry(Resource):
    """A pretext task."""

    object: Literal["task"] = "task"
    """Always `task`."""
    name: str
    """What to give as `task.name`."""
    modality: Literal["image", "video"]
    """What it asks about: images, or clips of videos."""
    summary: str
    """What the network has to do."""
    learns_from: str
    """What it learns by that, and where it cannot."""
    preview: str
    """What the picture at `/v1/datasets/{id}/previews/{name}` shows."""
    paper: str
    """Where it comes from."""
    chance_accuracy: float | None
    """Accuracy of guessing, between 0 and 1; null where there is none, or where it depends on the settings."""
    defaults: dict[str, Any]
    """Its settings, if nothing is said."""
    json_schema: dict[str, Any] = Field(serialization_alias="schema")
    """JSON Schema of its settings."""


class EncoderEntry(Resource):
    """A network that can be trained."""

    object: Literal["encoder"] = "encoder"
    """Always `encoder`."""
    name: str
    """What to give as `encoder.name`; torchvision's own name, except for `tiny` and `tiny3d`."""
    modality: Literal["image", "video"]
    """What it looks at: images, or clips. One of images may be trained on videos too, and then looks at each frame by itself."""
    family: str
    """Kind of architecture."""
    summary: str
    """What it is good for."""
    features: int
    """Length of its feature vector."""
    parameters: float
    """Parameters without a classifier, in millions."""
    small_stem: bool
    """Whether it has a stem for small images."""
    min_image_size: int
    """Smallest image side, in pixels, with the standard stem."""
    min_frames: int
    """Fewest frames of a clip that it takes; 1 of encoders of images."""
    stages: list[str]
    """Its stages, from the first to the last. A model can be exported to end at any of them."""
    json_schema: dict[str, Any] = Field(serialization_alias="schema")
    """JSON Schema of `encoder` in a job."""
