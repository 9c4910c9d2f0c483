"""What datasets look like from outside."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.metadata import MetadataIn
from api.pages import Metadata, Moment, Page, Resource, Trouble
from records.models import Dataset

_EXAMPLE: JsonValue = {
    "object": "dataset",
    "id": "ds_01m857cvew41sr5m1t4d32qf12",
    "name": "holiday pictures",
    "state": "ready",
    "filename": "pictures.zip",
    "bytes": 1048576,
    "base_dataset_id": None,
    "kind": "image",
    "images": 2000,
    "videos": None,
    "frames": None,
    "refused": 1,
    "labels": None,
    "label_counts": None,
    "labels_from": None,
    "labels_version": None,
    "job_id": "job_01m857cvf0z7j9k2d3s4w5x6y7",
    "error": None,
    "created_at": "2026-11-02T10:00:00Z",
    "metadata": {},
}


class DatasetIn(BaseModel):
    """A dataset to be made of a resumable upload that has arrived."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    upload_id: str = Field(max_length=40)
    """The upload. Its bytes are the dataset's from then on."""
    name: str = Field(default="", max_length=200)
    """Default: the name of the file."""
    kind: Literal["auto", "image", "video"] = "auto"
    """What is in it. `auto`: guessed from the content. With `video`, a folder of numbered images is a clip."""
    base_dataset_id: str | None = Field(default=None, max_length=40)
    """A dataset that has the files which the upload leaves out (see `GET /v1/datasets/{dataset_id}/files`)."""
    metadata: MetadataIn | None = None
    """Your own notes. Default: those of the upload."""


class DatasetOut(Resource):
    """Images or videos that were uploaded, and what became of them."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    object: Literal["dataset"] = "dataset"
    """Always `dataset`."""
    id: str
    """Begins with `ds_`."""
    name: str
    """Yours, or that of the uploaded file."""
    state: Literal["ingesting", "ready", "failed"]
    """`ingesting` until every member was checked, then `ready`, or `failed` with an `error`."""
    filename: str
    """Name of the uploaded file."""
    bytes: int
    """Size of the upload, in bytes."""
    base_dataset_id: str | None
    """The dataset that the files which the upload left out were taken from. It may be gone by now."""
    kind: Literal["image", "video"] | None
    """What it is of; none until that is found out."""
    images: int | None
    """Usable images; none until it is ready, and of a dataset of videos."""
    videos: int | None
    """Usable videos; none until it is ready, and of a dataset of images."""
    frames: int | None
    """Frames of all videos; none until it is ready, and of a dataset of images."""
    refused: int | None
    """Members of the upload that are no usable images or videos; the report says why."""
    labels: list[str] | None
    """Names of the classes, if the upload had class folders or labels were given later. Pretraining never looks at them."""
    label_counts: dict[str, int] | None
    """Images or videos of each class."""
    labels_from: Literal["folders", "table"] | None
    """Where the labels come from: the upload's class folders, or a table that was given later (`PUT /v1/datasets/{id}/labels`)."""
    labels_version: str | None
    """SHA-256 of labels and splits, as evaluations name it; none if there are none."""
    job_id: str | None
    """The job that ingests it; watch that one."""
    error: Trouble | None
    """Why it failed."""
    created_at: Moment
    """When it was uploaded."""
    metadata: Metadata

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Show a record."""
        given, report = dataset.label_file, dataset.report or {}
        folders = {"counts": report.get("label_counts"), "version": report.get("labels_version")}
        return cls.model_validate(
            {
                "id": dataset.id,
                "name": dataset.name,
                "state": dataset.state,
                "filename": dataset.filename,
                "bytes": dataset.upload_bytes,
                "base_dataset_id": dataset.base_dataset_id,
                "kind": dataset.kind,
                "images": None if dataset.kind == "video" else dataset.images,
                "videos": dataset.images if dataset.kind == "video" else None,
                "frames": (dataset.report or {}).get("frames", {}).get("total") if dataset.kind == "video" else None,
                "refused": dataset.refused,
                "labels": dataset.labels,
                "label_counts": (given or folders)["counts"] or None,
                "labels_from": "table" if given else "folders" if dataset.labels else None,
                "labels_version": (given or folders)["version"],
                "job_id": dataset.job_id,
                "error": dataset.error,
                "created_at": dataset.created_at,
                "metadata": dataset.meta,
            }
        )


class RefusedMember(Resource):
    """A member of the upload that was not taken."""

    name: str
    """Its name in the archive."""
    code: str
    """Why, for programs."""
    reason: str
    """Why, for people."""


class ReportOut(Resource):
    """What ingest found."""

    object: Literal["dataset.report"] = "dataset.report"
    """Always `dataset.report`."""
    dataset_id: str
    """The dataset."""
    report: dict[str, Any]
    """Counts, formats, sizes, labels, exact duplicates, and refused members by reason; of videos lengths, rates and codecs too."""
    refused: Page[RefusedMember]
    """The refused members, in the archive's order, a page at a time (`after` is a count of members)."""


class SampleOut(Resource):
    """One image or video of a dataset."""

    object: Literal["sample"] = "sample"
    """Always `sample`."""
    index: int
    """Its place in the dataset, from 0."""
    path: str
    """Its name in the archive."""
    width: int = Field(examples=[640])
    """Pixels, right side up."""
    height: int = Field(examples=[480])
    """Pixels, right side up."""
    frames: int | None
    """Frames of a video."""
    seconds: float | None
    """Length of a video, in seconds."""
    label: str | None
    """Its class, if it has a label."""
    split: str | None
    """`train`, `validation` or `test`, if the upload had such folders or a table said so."""
    thumbnail_url: str
    """Where a small picture of it is, for the same key."""
