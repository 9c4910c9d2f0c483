"""The rules of jobs."""

from hashlib import sha256

from sqlalchemy.orm import Session

from api.jobs.schemas import PretrainRequest
from records.models import Job
from records.queries import datasets, jobs, workers
from ssl_core.spec import DatasetFacts, ResolvedPretrain, resolve


def create(session: Session, request: PretrainRequest, idempotency_key: str | None) -> tuple[Job, bool]:
    """Queue a pretraining, with every "auto" decided; the second value tells whether it is new.

    Raises:
        NotFoundError: there is no such dataset.
        ConflictError: the dataset is not ready.
        SpecError: the dataset does not allow what is asked for.
        IdempotencyError: the key was used for another request.
    """
    digest = sha256(request.model_dump_json().encode()).hexdigest()
    known = jobs.replayed(session, idempotency_key, digest)
    if known is not None:
        return known, False
    dataset = datasets.ready(session, request.dataset_id, param="dataset_id")
    facts = DatasetFacts(images=dataset.images or 0, median_side=dataset.median_side or 0)
    spec = _pin_device(resolve(request.spec(), facts), workers.devices(session))
    job = jobs.create(
        session,
        kind=request.kind,
        dataset_id=dataset.id,
        spec=spec.model_dump(mode="json"),
        device=spec.device,
        priority=request.priority,
        metadata=request.metadata,
        idempotency_key=idempotency_key,
        request_hash=digest,
    )
    return job, True


def _pin_device(spec: ResolvedPretrain, available: set[str]) -> ResolvedPretrain:
    """Decide the device by the workers that are alive. While none is, the first that claims the job decides."""
    if "cuda" in available:
        return spec.on_device("cuda")
    return spec.on_device("cpu") if available else spec
