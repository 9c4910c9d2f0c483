"""The rules of jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy.orm import Session

from api.jobs import estimates, exports
from api.jobs.estimate_schemas import EstimateOut
from api.jobs.schemas import EmbedRequest, EvaluateRequest, ExportRequest, JobKind, PretrainRequest
from api.services import Services
from records.errors import ConflictError
from records.models import Dataset, Job, Model
from records.queries import datasets, jobs, models, projects, workers
from records.states import JobState
from records.tenancy import acting
from ssl_core.spec import ENCODERS, TASKS, DatasetFacts, EncoderSpec, PretrainSpec, ResolvedPretrain, SpecError, resolve
from ssl_core.spec.embed import ModelEmbedding
from ssl_core.spec.evaluate import ModelEvaluation
from ssl_core.spec.export import ModelExport

_FEWEST_CLASSES = 2
OnDataset = PretrainRequest | EvaluateRequest | EmbedRequest


@dataclass(frozen=True)
class _Draft:
    """A job as it is to be, and the records that this was decided by."""

    spec: ResolvedPretrain | ModelEvaluation | ModelEmbedding | ModelExport
    labels: dict[str, list[str] | None]
    """The classes of each dataset that it needs, by the dataset's id; what else a job depends on never changes once it is ready."""
    evaluate: dict[str, Any] | None = None
    memory_bytes: int | None = None

    def holds(self, session: Session) -> bool:
        """Whether all of it is as it was. It stays so until the transaction ends."""
        return datasets.labels_to_work_on(session, self.labels) == self.labels and models.are_there(session, self._models())

    def _models(self) -> set[str]:
        if isinstance(self.spec, ResolvedPretrain):
            needed = [self.spec.init_from, *(self.evaluate or {}).get("references", ())]
        else:
            needed = [self.spec.model_id, *(self.spec.references if isinstance(self.spec, ModelEvaluation) else ())]
        return {model_id for model_id in needed if model_id is not None}


def create(services: Services, request: OnDataset | ExportRequest, idempotency_key: str | None) -> Job:
    """Queue a job, with every "auto" decided that can be by now. With an idempotency key that made one before, gives that one.

    Most of the work is done before the transaction that writes, of which SQLite has one at a time.

    Raises:
        NotFoundError: there is no such dataset, or no such model to start from, to evaluate or to embed by.
        ConflictError: the dataset is not ready.
        MemoryShortError: no worker that is alive has the memory.
        SpecError: the dataset does not allow what is asked for, or the model to start from is of another encoder.
        QuotaError: the project has no GPU time left.
        IdempotencyError: the key was used for another request.
    """
    digest = sha256(request.model_dump_json().encode()).hexdigest()
    with services.database.read() as session:
        if (known := jobs.replayed(session, idempotency_key, digest)) is not None:
            return known
        draft = _draft(session, request)
    with services.database.write() as session:
        if (known := jobs.replayed(session, idempotency_key, digest)) is not None:
            return known
        if not draft.holds(session):
            draft = _draft(session, request)
        if not isinstance(request, ExportRequest) and (actor := acting()) is not None:
            projects.check_gpu(session, actor.project_id)
        job = jobs.create(
            session,
            kind=request.kind,
            dataset_id=None if isinstance(request, ExportRequest) else request.dataset_id,
            model_id=draft.spec.model_id if isinstance(draft.spec, ModelEvaluation | ModelEmbedding) else None,
            spec=draft.spec.model_dump(mode="json"),
            device="auto" if isinstance(draft.spec, ModelExport) else draft.spec.device,
            priority=request.priority,
            metadata=request.metadata,
            idempotency_key=idempotency_key,
            request_hash=digest,
            evaluate=draft.evaluate,
            memory_bytes=draft.memory_bytes,
        )
        services.wake_for(session, job)
    return job


def _draft(session: Session, request: OnDataset | ExportRequest) -> _Draft:
    if isinstance(request, ExportRequest):
        return _Draft(exports.resolved(session, request), {})
    dataset = datasets.to_work_on(session, request.dataset_id, param="dataset_id")
    spec = _spec(session, request, dataset)
    evaluate = _evaluate_after(session, request, dataset)
    labels = {dataset.id: dataset.labels}
    if evaluate is not None and evaluate["dataset_id"] != dataset.id:
        labels[evaluate["dataset_id"]] = datasets.get(session, evaluate["dataset_id"]).labels
    return _Draft(spec, labels, evaluate, _memory(session, request, spec, dataset))


def check_waiting(job: Job) -> None:
    """Whether a job's priority still means something.

    Raises:
        ConflictError: it runs, or has ended.
    """
    if job.state not in {JobState.QUEUED, JobState.PAUSED}:
        raise ConflictError(f"the job is {job.state}; a priority can be changed while a job is queued or paused", param="priority")


def estimated(session: Session, request: OnDataset | ExportRequest) -> EstimateOut:
    """What a job would take. Raises as `create` does, but for memory and idempotency."""
    if isinstance(request, ExportRequest):
        return _untold(request.kind, exports.resolved(session, request))
    dataset = datasets.ready(session, request.dataset_id, param="dataset_id")
    spec = _spec(session, request, dataset)
    if not isinstance(request, PretrainRequest) or not isinstance(spec, ResolvedPretrain):
        return _untold(request.kind, spec)
    found = estimates.estimate(session, spec, facts_of(dataset))
    return EstimateOut(
        kind="pretrain",
        spec=spec,
        memory=found.memory(),
        time=found.time(),
        disk=found.disk(),
        workers=found.workers(),
        largest_batch_size=found.largest_batch(),
        note=None if found.workers() else "no worker is alive: it is not known what the job will run on",
    )


def _untold(kind: JobKind, spec: ResolvedPretrain | ModelEvaluation | ModelEmbedding | ModelExport) -> EstimateOut:
    note = f"what an {kind} job takes is not estimated; pretrainings are"
    return EstimateOut(kind=kind, spec=spec, memory=None, time=None, disk=None, workers=[], largest_batch_size=None, note=note)


def _memory(
    session: Session, request: OnDataset, spec: ResolvedPretrain | ModelEvaluation | ModelEmbedding, dataset: Dataset
) -> int | None:
    """Memory that it will take, if that is known, and some worker has it."""
    if not isinstance(request, PretrainRequest) or not isinstance(spec, ResolvedPretrain):
        return None
    found = estimates.estimate(session, spec, facts_of(dataset))
    if request.check_memory:
        found.check()
    return found.best.needed


def _spec(session: Session, request: OnDataset, dataset: Dataset) -> ResolvedPretrain | ModelEvaluation | ModelEmbedding:
    if isinstance(request, EvaluateRequest):
        return _evaluation(session, request, dataset)
    if isinstance(request, EmbedRequest):
        model = models.to_start_from(session, request.model_id, param="model_id")
        _check_kind(model, dataset, "dataset_id")
        return request.spec().model_copy(update={"model_id": model.id})
    return _pretraining(session, request, dataset)


def _pretraining(session: Session, request: PretrainRequest, dataset: Dataset) -> ResolvedPretrain:
    spec = resolve(_asked(session, request), facts_of(dataset))
    if request.evaluate is not None and dataset.labels:
        spec = spec.model_copy(update={"follow_knn": True})
    return _pin_device(spec, workers.devices(session))


def _evaluate_after(session: Session, request: OnDataset, dataset: Dataset) -> dict[str, Any] | None:
    """The evaluation that follows, if its dataset has labels and is of what will be trained on."""
    if not isinstance(request, PretrainRequest) or request.evaluate is None:
        return None
    asked = request.evaluate
    given = asked.dataset_id is not None
    labelled = (
        datasets.to_work_on(session, asked.dataset_id, param="evaluate.dataset_id") if asked.dataset_id is not None else dataset
    )
    _check_labels(labelled, "evaluate.dataset_id" if given else "evaluate")
    if labelled.kind != dataset.kind:
        raise SpecError("evaluate.dataset_id", f"{labelled.id} has {labelled.kind}s, and {dataset.id} has {dataset.kind}s")
    references = _references(session, asked.references, labelled, "evaluate.references")
    return asked.model_copy(update={"dataset_id": labelled.id, "references": references}).model_dump(mode="json")


def _check_labels(dataset: Dataset, param: str) -> None:
    if len(dataset.labels or []) < _FEWEST_CLASSES:
        raise SpecError(
            param,
            f"{dataset.id} has {len(dataset.labels or [])} classes, and an evaluation needs {_FEWEST_CLASSES}; upload images "
            "in a folder for each class, such as cat/1.jpg or train/cat/1.jpg, or give labels by PUT "
            f"/v1/datasets/{dataset.id}/labels",
        )


def _evaluation(session: Session, request: EvaluateRequest, dataset: Dataset) -> ModelEvaluation:
    """What is asked for, if the dataset has labels and is of what the model's encoder looks at."""
    model = models.to_start_from(session, request.model_id, param="model_id")
    _check_labels(dataset, "dataset_id")
    _check_kind(model, dataset, "dataset_id")
    references = _references(session, request.references, dataset, "references")
    if model.id in references:
        raise SpecError("references", f"{model.id} is the model that is evaluated; compare it with others")
    return request.spec().model_copy(update={"model_id": model.id, "references": references})


def _references(session: Session, references: Sequence[str], dataset: Dataset, param: str) -> list[str]:
    """Ids of the models to compare with, if they are there, and look at what the dataset has."""
    found: list[str] = []
    for number, model_id in enumerate(references):
        place = f"{param}.{number}"
        model = models.to_start_from(session, model_id, param=place)
        _check_kind(model, dataset, place)
        if model.id in found:
            raise SpecError(place, f"{model_id} is {model.id}, which is there already; compare with each model once")
        found.append(model.id)
    return found


def _check_kind(model: Model, dataset: Dataset, param: str) -> None:
    wanted, kind = "video" if looks_at_clips(model) else "image", dataset.kind or "image"
    if wanted != kind:
        raise SpecError(param, f"the encoder of {model.id} is of {wanted}s, and {dataset.id} has {kind}s")


def looks_at_clips(model: Model) -> bool:
    """Whether a model's encoder is of videos."""
    return ENCODERS[model.encoder["name"]].modality == "video" or (model.task in TASKS and TASKS[model.task].modality == "video")


def facts_of(dataset: Dataset) -> DatasetFacts:
    """What is known of a dataset that is ready."""
    images, side = dataset.images or 0, dataset.median_side or 0
    if dataset.kind != "video":
        return DatasetFacts(images=images, median_side=side)
    report = dataset.report or {}
    lengths = tuple((int(frames), int(videos)) for frames, videos in report["lengths"])
    return DatasetFacts(images=images, median_side=side, kind="video", frames=report["frames"]["total"], lengths=lengths)


def _asked(session: Session, request: PretrainRequest) -> PretrainSpec:
    """What is asked for, with what was left open about the encoder taken from the model to start from."""
    spec = request.spec()
    if spec.init_from is None:
        return spec
    model = models.to_start_from(session, spec.init_from, param="init_from")
    encoder = EncoderSpec.model_validate(model.encoder)
    given = request.encoder.model_fields_set if "encoder" in request.model_fields_set else set()
    other_name = "name" in given and request.encoder.name not in {"auto", encoder.name}
    other_stem = "stem" in given and request.encoder.stem not in {"auto", encoder.stem}
    if other_name or other_stem:
        raise SpecError(
            "init_from",
            f"{model.id} is a {encoder.name} with the {encoder.stem} stem, and the job asks for another encoder; leave `encoder` "
            "out, or choose a model of the encoder that you want",
        )
    return spec.model_copy(update={"encoder": encoder, "image_size": _image_size(spec, model), "init_from": model.id})


def _image_size(spec: PretrainSpec, model: Model) -> int | Literal["auto"]:
    """Only a ViT's weights depend on the size of the images: its position embedding has a vector for each patch."""
    if ENCODERS[model.encoder["name"]].family != "vit":
        return spec.image_size
    if spec.image_size not in {"auto", model.image_size}:
        raise SpecError(
            "image_size", f"the weights of {model.id} are for images of {model.image_size} px; leave `image_size` out, or give that"
        )
    return model.image_size


def _pin_device(spec: ResolvedPretrain, available: set[str]) -> ResolvedPretrain:
    """Decide the device by the workers that are alive. While none is, the first that claims the job decides."""
    if "cuda" in available:
        return spec.on_device("cuda")
    return spec.on_device("cpu") if available else spec
