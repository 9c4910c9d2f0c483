"""What jobs look like from outside."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag

from api.changes import Change
from api.errors import JOB_KINDS, UNKNOWN_KIND
from api.metadata import MetadataIn
from api.pages import Metadata, Moment, Resource, Trouble
from records.models import Job, JobEvent, JobMetric, JobPicture
from records.queries.sampling import Sampled
from ssl_core.spec import PretrainSpec, ResolvedPretrain
from ssl_core.spec.embed import ModelEmbedding
from ssl_core.spec.evaluate import EvaluateAfter, ModelEvaluation
from ssl_core.spec.export import ExportSpec, ModelExport

Kind = Literal["ingest", "pretrain", "evaluate", "embed", "export"]
JobKind = Literal["pretrain", "evaluate", "embed", "export"]
State = Literal["queued", "running", "pausing", "paused", "succeeded", "failed", "cancelling", "cancelled"]
Priority = Annotated[int, Field(ge=-100, le=100, strict=True, description="Jobs of a higher priority go first; -100 to 100.")]

_REQUEST_EXAMPLE: JsonValue = {
    "kind": "pretrain",
    "dataset_id": "ds_01m857cvew41sr5m1t4d32qf12",
    "task": {"name": "rotation"},
    "encoder": {"name": "resnet18"},
    "epochs": 100,
}


_EVALUATE_EXAMPLE: JsonValue = {
    "kind": "evaluate",
    "model_id": "model_01m857cvew41sr5m1t4d32qf12",
    "dataset_id": "ds_01m857cvew41sr5m1t4d32qf12",
    "protocols": ["knn", "linear", {"name": "label_efficiency", "labels_per_class": [5, 20, 100]}],
}


_EMBED_EXAMPLE: JsonValue = {
    "kind": "embed",
    "model_id": "model_01m857cvew41sr5m1t4d32qf12",
    "dataset_id": "ds_01m857cvew41sr5m1t4d32qf12",
}


class PretrainRequest(PretrainSpec):
    """Ask for an encoder to be pretrained."""

    model_config = ConfigDict(json_schema_extra={"example": _REQUEST_EXAMPLE})

    kind: Literal["pretrain"] = "pretrain"
    """What to do."""
    dataset_id: str = Field(max_length=100)
    """The dataset to learn from; it must be `ready`."""
    evaluate: EvaluateAfter | None = None
    """What to evaluate the encoder by when it is trained, as a job of its own; `{}` for everything by default. None: nothing."""
    check_memory: bool = True
    """Refuse it at once if it is estimated to take far more memory than any worker that is alive has; `false` tries it."""
    priority: Priority = 0
    metadata: MetadataIn = Field(default_factory=dict)

    def spec(self) -> PretrainSpec:
        """The part that is about the training."""
        names = PretrainSpec.model_fields
        return PretrainSpec.model_validate({name: getattr(self, name) for name in names})


class EvaluateRequest(ModelEvaluation):
    """Ask how much an encoder knows of labels, and how many labels it saves."""

    model_config = ConfigDict(json_schema_extra={"example": _EVALUATE_EXAMPLE})

    kind: Literal["evaluate"]
    """What to do."""
    dataset_id: str = Field(max_length=100)
    """The labelled dataset to evaluate on; it must be `ready`."""
    priority: Priority = 0
    metadata: MetadataIn = Field(default_factory=dict)

    def spec(self) -> ModelEvaluation:
        """The part that is about the evaluation."""
        return ModelEvaluation.model_validate({name: getattr(self, name) for name in ModelEvaluation.model_fields})


class EmbedRequest(ModelEmbedding):
    """Ask for the embeddings of a whole dataset, as Parquet files."""

    model_config = ConfigDict(json_schema_extra={"example": _EMBED_EXAMPLE})

    kind: Literal["embed"]
    """What to do."""
    dataset_id: str = Field(max_length=100)
    """The dataset to embed; it must be `ready`."""
    priority: Priority = 0
    metadata: MetadataIn = Field(default_factory=dict)

    def spec(self) -> ModelEmbedding:
        """The part that is about the embeddings."""
        return ModelEmbedding.model_validate({name: getattr(self, name) for name in ModelEmbedding.model_fields})


_EXPORT_EXAMPLE: JsonValue = {
    "kind": "export",
    "model_id": "model_01m857cvew41sr5m1t4d32qf12",
    "stage": "best",
    "formats": ["onnx"],
}


class ExportRequest(ExportSpec):
    """Ask for another model of a model's encoder: one that ends at another stage, or comes in other formats."""

    model_config = ConfigDict(json_schema_extra={"example": _EXPORT_EXAMPLE})

    kind: Literal["export"]
    """What to do."""
    model_id: str = Field(max_length=100)
    """The model whose encoder is exported; an uploaded one too."""
    priority: Priority = 0
    metadata: MetadataIn = Field(default_factory=dict)


class JobChange(Change):
    """What shall be different of a job. What is left out stays."""

    priority: Priority = 0
    """Jobs of a higher priority go first. Changed while it is `queued` or `paused`."""


def _kind_of(request: Any) -> str:
    """What a request asks for; a pretraining if it does not say."""
    kind = request.get("kind", "pretrain") if isinstance(request, dict) else getattr(request, "kind", "pretrain")
    return kind if isinstance(kind, str) else ""


JobRequest = Annotated[
    Annotated[PretrainRequest, Tag("pretrain")]
    | Annotated[EvaluateRequest, Tag("evaluate")]
    | Annotated[EmbedRequest, Tag("embed")]
    | Annotated[ExportRequest, Tag("export")],
    Discriminator(
        _kind_of,
        custom_error_type=UNKNOWN_KIND,
        custom_error_message=f"must be one of {', '.join(map(repr, JOB_KINDS))}",
    ),
]


class IngestSpec(Resource):
    """What an ingest job was asked for."""

    model_config = ConfigDict(extra="forbid")

    filename: str
    """Name of the uploaded file."""
    base_dataset_id: str | None = None
    """The dataset that has the files which the upload left out."""


_SPECS: dict[str, type[BaseModel]] = {
    "ingest": IngestSpec,
    "pretrain": ResolvedPretrain,
    "evaluate": ModelEvaluation,
    "embed": ModelEmbedding,
    "export": ModelExport,
}


class VerdictOut(Resource):
    """How a training goes, judged by its figures alone."""

    state: Literal["too_early", "improving", "plateau", "at_chance", "collapsed"]
    """`plateau`: no gain for a fifth of its planned steps; `at_chance`: it still guesses; `collapsed`: all features are alike."""
    sentence: str = Field(examples=["no gain since epoch 12 (step 480), by the loss: you can stop"])
    """For people."""
    step: int
    """The step from which on it is so."""


class Progress(Resource):
    """How far a job is."""

    model_config = ConfigDict(extra="allow")

    phase: str = Field(examples=["train"])
    """What it is at: `scan`, `ingest`, `decode`, `train`, `export`, `compare`, `embed`, `evaluate`."""
    done: float | None = Field(default=None, examples=[1200])
    """How much of this phase is done, in `unit`."""
    total: float | None = Field(default=None, examples=[3900])
    """How much there is to do in this phase; none as long as nobody knows."""
    unit: str | None = Field(default=None, examples=["steps"])
    """`steps`, `images`, `videos`, `frames`, `bytes`, `results`, …"""
    step: int | None = None
    """Optimizer steps so far."""
    epoch: int | None = None
    """Pass over the dataset, from 1."""
    epochs: int | None = None
    """Passes in all."""
    loss: float | None = None
    """Training loss, mean over the last steps."""
    accuracy: float | None = None
    """Accuracy in the pretext task, mean over the last steps, 0 to 1."""
    images_per_second: float | None = None
    """Images of the dataset that go through the network in a second."""
    clips_per_second: float | None = None
    """The same of the clips of a dataset of videos."""
    eta_seconds: float | None = None
    """Seconds left of this phase, at the rate of the last seconds; pauses and the slow first steps do not count."""
    verdict: VerdictOut | None = None
    """How a training goes."""


class QueuedEvaluation(EvaluateAfter):
    """An evaluation that follows a pretraining."""

    job_id: str | None = None
    """The job that it is, once the pretraining has succeeded."""


class JobOut(Resource):
    """Something that takes time."""

    object: Literal["job"] = "job"
    """Always `job`."""
    id: str
    """Begins with `job_`."""
    kind: Kind
    """What it does."""
    state: State
    """Where it stands; `succeeded`, `failed` and `cancelled` are for good."""
    attempt: int
    """How many times a worker has taken it up."""
    dataset_id: str | None
    """What it works on; none if that was deleted since."""
    priority: int
    """Jobs of a higher priority go first."""
    progress: Progress | None
    """How far it is."""
    verdict: VerdictOut | None
    """How the training goes, or went."""
    spec: ResolvedPretrain | ModelEvaluation | ModelEmbedding | ModelExport | IngestSpec
    """What it does in full: every `auto` decided."""
    environment: dict[str, Any] | None
    """Device and package versions of the newest attempt."""
    model_id: str | None
    """The model that it made, evaluates, or embeds by."""
    evaluation_id: str | None
    """The evaluation that it made."""
    embedding_id: str | None
    """The embeddings that it made."""
    evaluate: QueuedEvaluation | None
    """The evaluation that follows when it has succeeded."""
    error: Trouble | None
    """Why it failed."""
    worker_id: str | None
    """Which worker has it."""
    retry_of: str | None
    """The job that it does again."""
    memory_bytes: int | None
    """Memory that it is estimated to take, in bytes; none if nobody knows."""
    created_at: Moment
    """When it was asked for."""
    started_at: Moment | None
    """When a worker first took it up."""
    finished_at: Moment | None
    """When it ended."""
    metadata: Metadata

    @classmethod
    def of(cls, job: Job) -> Self:
        """Show a record."""
        shown = {name: getattr(job, name) for name in _COLUMNS}
        shown["spec"] = _SPECS[job.kind].model_validate(job.spec)  # the union would try them all, which takes most of a list's time
        return cls.model_validate({**shown, "metadata": job.meta, "verdict": (job.progress or {}).get("verdict")})


_COLUMNS = [name for name in JobOut.model_fields if name not in {"object", "metadata", "verdict"}]


class EventOut(Resource):
    """Something that happened to a job."""

    object: Literal["job.event"] = "job.event"
    """Always `job.event`."""
    seq: int
    """Its number, from 1 without gaps. Give it as `after` to see what came later."""
    type: str
    """`state`, `log`, `environment`, `checkpoint`, `picture`, `memory`."""
    at: Moment
    """When it was written down."""
    attempt: int
    """The attempt that it belongs to."""
    data: dict[str, Any]
    """What happened."""

    @classmethod
    def of(cls, event: JobEvent) -> Self:
        """Show a record."""
        return cls(seq=event.seq, type=event.type, at=event.at, attempt=event.attempt, data=event.data)


class MetricOut(Resource):
    """Figures of a step."""

    object: Literal["job.metric"] = "job.metric"
    """Always `job.metric`."""
    step: int
    """Optimizer steps so far."""
    epoch: int
    """Pass over the dataset, from 1."""
    at: Moment
    """When they were taken."""
    values: dict[str, float | None]
    """Means since the figures before: `loss`, `accuracy`, `learning_rate`, `images_per_second`, …"""

    @classmethod
    def of(cls, metric: JobMetric | Sampled) -> Self:
        """Show a record."""
        return cls(step=metric.step, epoch=metric.epoch, at=metric.at, values=metric.values)

    def only(self, names: list[str]) -> Self:
        """The same with these figures alone."""
        return self.model_copy(update={"values": {name: value for name, value in self.values.items() if name in names}})


class CheckpointOut(Resource):
    """A place that a job can go on from."""

    object: Literal["job.checkpoint"] = "job.checkpoint"
    """Always `job.checkpoint`."""
    step: int = Field(examples=[1200])
    """Optimizer steps so far; of an evaluation, results; of an embedding, rows."""
    bytes: int | None = Field(examples=[89541632])
    """Its size."""
    at: Moment | None
    """When it was stored; none of one that an older version of the server stored."""
    attempt: int
    """The attempt that made it; of a retry, it may be one of the job before."""
    available: bool
    """Whether its bytes are still there."""

    @classmethod
    def of(cls, checkpoint: dict[str, Any], size: int | None) -> Self:
        """Show a checkpoint of a job, of so many bytes; None if they are gone."""
        shown = {"step": checkpoint["step"], "attempt": checkpoint["attempt"], "at": checkpoint.get("at")}
        return cls.model_validate({**shown, "bytes": size or checkpoint.get("bytes"), "available": size is not None})


class PictureOut(Resource):
    """What a training drew at the end of an epoch."""

    object: Literal["job.picture"] = "job.picture"
    """Always `job.picture`."""
    epoch: int = Field(examples=[3])
    """Pass over the dataset, from 1; 0 is before the training."""
    step: int = Field(examples=[120])
    """Optimizer steps so far."""
    caption: str
    """What there is to see, in a sentence."""
    width: int = Field(examples=[600])
    """Pixels."""
    height: int = Field(examples=[300])
    """Pixels."""
    bytes: int
    """Its size."""
    sha256: str
    """SHA-256 of the file, in hexadecimal."""
    format: Literal["png", "webp"] = Field(examples=["png"])
    """What the file is: a PNG, or an animated WebP of a training with clips."""
    at: Moment
    """When it was written down."""
    url: str
    """Where the file is, for the same key."""

    @classmethod
    def of(cls, picture: JobPicture) -> Self:
        """Show a record."""
        shown = {name: getattr(picture, name) for name in cls.model_fields if name not in {"object", "url"}}
        return cls.model_validate({**shown, "url": f"/v1/jobs/{picture.job_id}/pictures/{picture.epoch}"})
