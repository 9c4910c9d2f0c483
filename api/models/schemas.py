"""What models look like from outside."""

from typing import Any, Literal, Self

from api.pages import Metadata, Moment, Resource
from records.models import Model


class ModelFileOut(Resource):
    """A file of a model."""

    name: str
    """Its name."""
    bytes: int
    """Its size."""
    sha256: str
    """SHA-256 of its content, in hexadecimal."""
    url: str
    """Where it can be downloaded, with the same key."""


class ModelOut(Resource):
    """An encoder that was trained here, or uploaded."""

    object: Literal["model"] = "model"
    """Always `model`."""
    id: str
    """Begins with `model_`."""
    name: str
    """What it is, in a few words."""
    job_id: str | None
    """The job that trained or exported it; none if it was uploaded."""
    dataset_id: str | None
    """The dataset that it learned from."""
    task: str
    """The pretext task that it learned by; `imported` if it was uploaded."""
    encoder: dict[str, Any]
    """The network: `name` and `stem`."""
    features: int
    """Length of its feature vector."""
    image_size: int
    """Side of the images that it was trained on, in pixels."""
    ends_at: str | None
    """The stage that its features are taken from; none if they are the whole network's."""
    made_from: str | None
    """The model that it was exported from."""
    metrics: dict[str, Any]
    """Final figures of the training."""
    files: list[ModelFileOut]
    """Weights, configuration, model card, and the formats that were asked for."""
    aliases: list[str]
    """Names that stand for it."""
    created_at: Moment
    """When it was published."""
    metadata: Metadata

    @classmethod
    def of(cls, model: Model) -> Self:
        """Show a record."""
        files = [
            ModelFileOut(name=file.name, bytes=file.bytes, sha256=file.sha256, url=f"/v1/models/{model.id}/files/{file.name}")
            for file in model.files
        ]
        shown = {name: getattr(model, name) for name in cls.model_fields if name not in {"object", "metadata", "files", "aliases"}}
        names = [alias.name for alias in model.aliases]
        return cls.model_validate({**shown, "files": files, "aliases": names, "metadata": model.meta})
