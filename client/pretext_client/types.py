"""What the server answers with, as frozen values.

A value takes from an answer the fields that it knows and ignores the rest, so that an older client works with a newer server;
`raw` keeps the whole answer.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from pretext_client.errors import PretextError

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Value:
    """Something that the server answered with."""

    raw: Json = field(default_factory=dict, repr=False, compare=False)
    """The answer as it came, with the fields that this version does not know."""

    @classmethod
    def of(cls, answer: object) -> Self:
        """Read an answer.

        Raises:
            PretextError: it is no such value; something else than a Pretext Server has answered.
        """
        if not isinstance(answer, dict):
            raise PretextError(f"the answer is no {cls.__name__.lower()}; is there a Pretext Server at this address?")
        found: dict[str, Any] = {"raw": answer}
        for one in fields(cls):
            if one.name in answer and one.name != "raw":
                found[one.name] = _read(one.type, answer[one.name])
            elif one.default is MISSING and one.default_factory is MISSING:
                raise PretextError(
                    f"the server's {cls.__name__.lower()} has no `{one.name}`; is there a Pretext Server at this address?"
                )
        return cls(**found)


def _read(hint: Any, found: Any) -> Any:
    """Turn JSON into what a field is declared as."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if found is None:
        return None
    if origin in {types.UnionType, typing.Union}:
        return _read(next(one for one in arguments if one is not type(None)), found)
    if origin is tuple:
        return tuple(found) if arguments[0] is float else tuple(_read(arguments[0], one) for one in found)
    if hint is datetime:
        return datetime.fromisoformat(found)
    if isinstance(hint, type) and issubclass(hint, Value):
        return hint.of(found)
    return found


@dataclass(frozen=True, kw_only=True)
class Trouble(Value):
    """Why something failed."""

    code: str
    """For programs."""
    message: str
    """For people."""


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


@dataclass(frozen=True, kw_only=True)
class Verdict(Value):
    """How a training goes, judged by its figures alone."""

    state: str
    """`too_early`, `improving`, `plateau`, `at_chance` or `collapsed`."""
    sentence: str
    step: int = 0
    """The step from which on it is so."""


@dataclass(frozen=True, kw_only=True)
class Progress(Value):
    """How far a job is."""

    phase: str
    done: float | None = None
    """How much of the phase is done, in `unit`."""
    total: float | None = None
    """How much there is to do; None as long as nobody knows."""
    unit: str | None = None
    step: int | None = None
    epoch: int | None = None
    epochs: int | None = None
    loss: float | None = None
    accuracy: float | None = None
    """In the pretext task, 0 to 1."""
    images_per_second: float | None = None
    clips_per_second: float | None = None
    eta_seconds: float | None = None
    verdict: Verdict | None = None
    """How a training goes."""


@dataclass(frozen=True, kw_only=True)
class Job(Value):
    """Something that takes time."""

    id: str
    kind: str
    """`ingest`, `pretrain`, `evaluate`, `embed` or `export`."""
    state: str
    """`queued`, `running`, `pausing`, `paused`, `succeeded`, `failed`, `cancelling` or `cancelled`."""
    created_at: datetime
    attempt: int = 0
    """How many times a worker has taken it up."""
    dataset_id: str | None = None
    priority: int = 0
    progress: Progress | None = None
    spec: Json = field(default_factory=dict)
    """What it does in full, every `auto` decided."""
    environment: Json | None = None
    """Device and package versions of the newest attempt."""
    model_id: str | None = None
    """The model that it made, evaluates, or embeds by."""
    evaluation_id: str | None = None
    """The evaluation that it made."""
    embedding_id: str | None = None
    """The embeddings that it made."""
    evaluate: Json | None = None
    """The evaluation that follows when it has succeeded; then with a `job_id`."""
    verdict: Verdict | None = None
    """How the training goes, or went."""
    error: Trouble | None = None
    worker_id: str | None = None
    retry_of: str | None = None
    """The job that it does again."""
    memory_bytes: int | None = None
    """Memory that it is estimated to take."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    metadata: Json = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it is over for good."""
        return self.state in {"succeeded", "failed", "cancelled"}


@dataclass(frozen=True, kw_only=True)
class Event(Value):
    """Something that happened to a job."""

    type: str
    data: Json
    seq: int | None = None
    """Its number, from 1; None for progress, which is not kept."""
    at: datetime | None = None
    attempt: int | None = None


@dataclass(frozen=True, kw_only=True)
class Metric(Value):
    """Figures of a training step."""

    step: int
    epoch: int
    at: datetime
    values: Json
    """`loss`, `accuracy`, `learning_rate`, …"""


@dataclass(frozen=True, kw_only=True)
class Picture(Value):
    """What a training drew at the end of an epoch."""

    epoch: int
    """Pass over the dataset, from 1; 0 is before the training."""
    step: int
    bytes: int
    sha256: str
    """Of the file, in hexadecimal."""
    caption: str = ""
    """What there is to see, in a sentence."""
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    url: str | None = None
    """Where the file is, below the server's address."""
    format: str = "png"
    """`png`, or `webp` for one that moves."""


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
    metadata: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LabelsSaved(Value):
    """A pretrained encoder with so many labels per class, beside training from scratch."""

    labels: float
    """Labels per class that the pretrained encoder has."""
    accuracy: float
    """Test accuracy that it reaches with them, 0 to 1."""
    scratch_accuracy: float
    """Test accuracy of training from scratch with as many."""
    needed: float | None = None
    """Labels per class that training from scratch needs to be as accurate; None if all that there are do not suffice."""
    low: float | None = None
    """Lower end of its 95% interval; None as above."""
    high: float | None = None
    """Upper end; None as above."""
    helps: bool = False
    """Whether more are needed for certain, at all numbers of labels together, than the pretrained encoder has."""


@dataclass(frozen=True, kw_only=True)
class Reference(Value):
    """Another model that was measured beside."""

    id: str
    name: str = ""
    encoder: Json = field(default_factory=dict)
    image_size: int | None = None
    """Side of the images that it was shown, in pixels."""
    labels_saved: tuple[LabelsSaved, ...] | None = None
    """By labels per class; None if `label_efficiency` was not asked for."""
    sentence: str | None = None
    """That in words."""


@dataclass(frozen=True, kw_only=True)
class Evaluation(Value):
    """What was found out of an encoder."""

    id: str
    job_id: str
    model_id: str
    sentence: str
    """The answer in words."""
    created_at: datetime
    files: tuple[ModelFile, ...] = ()
    """The report and its pictures."""
    dataset_id: str | None = None
    metrics: Json = field(default_factory=dict)
    """The figures that stand for it, 0 to 1."""
    labels_saved: tuple[LabelsSaved, ...] | None = None
    """By labels per class; None in a list, or if `label_efficiency` was not asked for."""
    references: tuple[Reference, ...] = ()
    """Other models that were measured beside; empty in a list."""
    report: Json | None = None
    """All figures; None in a list."""
    metadata: Json = field(default_factory=dict)


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
class Task(Value):
    """A pretext task that the server knows."""

    name: str
    modality: str = "image"
    """What it asks about: `image` or `video`."""
    summary: str = ""
    learns_from: str = ""
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
