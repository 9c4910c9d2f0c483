"""What embeddings of a dataset look like from outside."""

from typing import Literal, Self

from pydantic import Field

from api.pages import Metadata, Moment, Resource
from records.models import Embedding


class EmbeddingFileOut(Resource):
    """A Parquet file with embeddings."""

    name: str = Field(examples=["embeddings-00000.parquet"])
    """Its name; they are in order of the samples."""
    bytes: int
    """Its size."""
    sha256: str
    """SHA-256 of its content, in hexadecimal."""
    url: str
    """Where it can be downloaded, with the same key."""


class EmbeddingOut(Resource):
    """The embeddings of a dataset by a model.

    A row has `id`, the `index` of the sample at `GET /v1/datasets/{id}/samples`; `path`, its name in the archive; `label` and
    `split` where the dataset has them; and `embedding`, a list of `features` numbers.
    """

    object: Literal["embedding"] = "embedding"
    """Always `embedding`."""
    id: str
    """Begins with `emb_`."""
    job_id: str
    """The job that made them."""
    model_id: str
    """The model whose encoder made them; it may have been deleted since."""
    dataset_id: str | None
    """The dataset; it may have been deleted since."""
    stage: str | None
    """After which stage of the encoder; null: its own features."""
    normalized: bool
    """Whether each is of length 1."""
    features: int = Field(examples=[512])
    """Numbers in each."""
    rows: int
    """How many images or videos are embedded."""
    left_out: int
    """Videos that are too short for a clip, and not among the rows."""
    weights_sha256: str
    """SHA-256 of the encoder's weights, in hexadecimal. The files have it too, in their schema's metadata."""
    files: list[EmbeddingFileOut]
    """The Parquet files."""
    created_at: Moment
    """When they were published."""
    metadata: Metadata

    @classmethod
    def of(cls, embedding: Embedding) -> Self:
        """Show a record."""
        files = [
            {
                **{name: file[name] for name in ("name", "bytes", "sha256")},
                "url": f"/v1/embeddings/{embedding.id}/files/{file['name']}",
            }
            for file in embedding.files
        ]
        shown = {name: getattr(embedding, name) for name in cls.model_fields if name not in {"object", "files", "metadata"}}
        return cls.model_validate({**shown, "files": files, "metadata": embedding.meta})


class NeighborOut(Resource):
    """A sample that is like another one."""

    index: int
    """Its place in the dataset, from 0: `GET /v1/datasets/{id}/samples/{index}/thumbnail` shows it."""
    path: str
    """Its name in the archive."""
    label: str | None
    """Its class, if it had one when it was embedded."""
    similarity: float = Field(examples=[0.93])
    """Cosine of the angle between the two embeddings, -1 to 1."""


class NeighborsOut(Resource):
    """A sample, and those that an encoder finds the most like it."""

    object: Literal["neighbors"] = "neighbors"
    """Always `neighbors`."""
    embedding_id: str
    """The embeddings that are compared."""
    dataset_id: str | None
    """The dataset that the samples are in; it may have been deleted since."""
    index: int
    """The sample's place in the dataset, from 0."""
    path: str
    """Its name in the archive."""
    label: str | None
    """Its class, if it had one when it was embedded."""
    data: list[NeighborOut]
    """The others, the most similar first."""


class MapPointOut(Resource):
    """A sample as a point."""

    index: int
    """Its place in the dataset, from 0."""
    label: str | None
    """Its class, if it had one when it was embedded."""
    x: float
    """Along the first principal component."""
    y: float
    """Along the second one."""


class EmbeddingMapOut(Resource):
    """The samples of a dataset as points of a plane, by their embeddings.

    The plane is that of the first two principal components of the embeddings, scaled to length 1: where they differ the most. Two
    points that lie together may be far apart in the directions that are left out; `explained` says how much that is.
    """

    object: Literal["embedding_map"] = "embedding_map"
    """Always `embedding_map`."""
    embedding_id: str
    """The embeddings that are shown."""
    dataset_id: str | None
    """The dataset that the samples are in; it may have been deleted since."""
    rows: int
    """How many samples are embedded. Those in `data` are spread evenly over them."""
    explained: list[float] = Field(examples=[[0.41, 0.17]])
    """Shares of the variance along the first and the second component, 0 to 1."""
    data: list[MapPointOut]
    """The points, in order of the samples."""
