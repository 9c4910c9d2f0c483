"""What embedding a dataset may ask for."""

from typing import Literal

from pydantic import Field

from ssl_core.spec.base import Spec


class EmbedSpec(Spec):
    """Features of every image or video of a dataset, in files."""

    stage: str | None = Field(default=None, max_length=100)
    """After which stage of the encoder, such as `layer3`: the mean over its map. None: the encoder's own features."""
    normalize: bool = False
    """Whether each embedding is scaled to length 1, so that a dot product is a cosine."""
    batch_size: int = Field(default=128, ge=1, le=4096)
    """Images or clips at a time."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute. `auto`: a GPU if a worker has one."""


class ModelEmbedding(EmbedSpec):
    """Embeddings by a model on this server."""

    model_id: str = Field(max_length=100)
    """The model whose encoder embeds."""
