"""Datasets, and what became of uploads and labels."""

from dataclasses import dataclass, field
from datetime import datetime

from pretext_client.types.base import Json, Trouble, Value


@dataclass(frozen=True, kw_only=True)
class Dataset(Value):
    """Uploaded images, and what became of them."""

    id: str
    name: str
    state: str
    """`ingesting`, `ready` or `failed`."""
    created_at: datetime
    filename: str = ""
    bytes: int | None = None
    """Size of the upload."""
    base_dataset_id: str | None = None
    """The dataset that files which the upload left out were taken from. It may be gone by now."""
    kind: str | None = None
    """`image` or `video`; None until that is found out."""
    images: int | None = None
    """Usable images; None until it is ready, and of a dataset of videos."""
    videos: int | None = None
    """Usable videos; None until it is ready, and of a dataset of images."""
    frames: int | None = None
    """Frames of all videos."""
    refused: int | None = None
    """Members of the upload that are no usable images."""
    labels: tuple[str, ...] | None = None
    """Names of the classes, if the upload had class folders or labels were given later."""
    label_counts: Json | None = None
    """Images of each class."""
    labels_from: str | None = None
    """`folders` of the upload, or a `table` that was given later."""
    labels_version: str | None = None
    """SHA-256 of labels and splits, as evaluations name it."""
    job_id: str | None = None
    """The job that ingests it."""
    error: Trouble | None = None
    metadata: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class UnmatchedLine(Value):
    """A line of a table of labels that was not used."""

    line: int
    """Its number, from 1."""
    file: str
    reason: str
    """Why, and what it may have meant."""


@dataclass(frozen=True, kw_only=True)
class LabelConflict(Value):
    """A file of which lines say different things; none of them counts."""

    file: str
    lines: tuple[int, ...]
    said: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Labelled(Value):
    """What became of a table of labels."""

    dataset_id: str
    applied: bool
    """Whether these are the dataset's labels now; not after a dry run."""
    lines: int
    matched: int
    """Lines that name a file of the dataset."""
    mode: str = "replace"
    labels_version: str | None = None
    """SHA-256 of the labels that the dataset has, or would have."""
    matched_by: Json = field(default_factory=dict)
    """Lines by how they name a file: by its `path`, by an `end` of it, or by a `longer` path."""
    unmatched: int = 0
    first_unmatched: tuple[UnmatchedLine, ...] = ()
    duplicates: int = 0
    """Lines that say once more what another one has said."""
    conflicts: int = 0
    """Files of which lines say different things."""
    first_conflicts: tuple[LabelConflict, ...] = ()
    unlabelled: int = 0
    """Files of the dataset that have no label then."""
    first_unlabelled: tuple[str, ...] = ()
    classes: Json = field(default_factory=dict)
    """Files of each class."""
    splits: Json | None = None
    """Files in each split."""


@dataclass(frozen=True, kw_only=True)
class Refused(Value):
    """A member of an upload that was not taken."""

    name: str
    code: str
    """Why, for programs."""
    reason: str
    """Why, for people."""


@dataclass(frozen=True, kw_only=True)
class Report(Value):
    """What ingest found."""

    dataset_id: str
    report: Json
    """Counts, formats, sizes, labels, exact duplicates, and refused members by reason."""
    refused: tuple[Refused, ...] = ()
    """The first of the refused members."""
    more_refused: bool = False
    """Whether there are more; `datasets.refused` lists them all."""


@dataclass(frozen=True, kw_only=True)
class Upload(Value):
    """A file that arrives over one or more requests."""

    id: str
    filename: str
    bytes: int
    """Of the whole file."""
    offset: int
    """Bytes that have arrived."""
    complete: bool = False
    """Whether all have, so that a dataset can be made of it."""
    dataset_id: str | None = None
    created_at: datetime
    expires_at: datetime
    """When it is thrown away, unless more of it comes or a dataset is made of it."""


@dataclass(frozen=True, kw_only=True)
class Sample(Value):
    """One image of a dataset."""

    index: int
    path: str
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    label: str | None = None
    split: str | None = None
    thumbnail_url: str | None = None
