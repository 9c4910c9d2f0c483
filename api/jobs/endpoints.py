"""Jobs over HTTP."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from api.datasets.endpoints import IdempotencyKey
from api.errors import responses
from api.etags import ReadingDep, WritingDep
from api.jobs import service
from api.jobs.estimate_schemas import EstimateOut
from api.jobs.schemas import EventOut, JobChange, JobOut, JobRequest, Kind, MetricOut, State
from api.narrowing import METADATA, Id, ModelRef, NarrowDep
from api.pages import After, Limit, Page, as_they_are
from api.services import ServicesDep, SessionDep
from records.database import after_commit
from records.queries import aliases, events, figures, jobs, sampling
from records.queries.sampling import FEWEST_POINTS, MOST_POINTS
from records.states import JobState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.post("", status_code=201, summary="Pretrain, evaluate or use an encoder", responses=responses(401, 404, 409, 422))
def create_job(request: JobRequest, response: Response, services: ServicesDep, idempotency_key: IdempotencyKey = None) -> JobOut:
    """Queue a job. Everything but the dataset and the task has a good default; the answer shows what was decided in `spec`.

    `curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" http://127.0.0.1:8000/v1/jobs
    -d '{"kind": "pretrain", "dataset_id": "ds_…", "task": {"name": "rotation"}, "encoder": {"name": "resnet18"}}'`

    `"kind": "evaluate"` takes a `model_id` and a labelled dataset, and finds out how many labels the encoder saves. The report is
    at `/v1/evaluations/{id}`, with the job's `evaluation_id`, once it has succeeded.

    `"kind": "embed"` takes a `model_id` and a dataset, and embeds all of it into Parquet files, at `/v1/embeddings/{id}` with the
    job's `embedding_id`. For a few images at once there is `POST /v1/models/{id}/embed`.

    `"kind": "export"` makes another model of a `model_id`: one that ends at a `stage`, or comes in other `formats`.

    A pretraining that is estimated to take far more memory than any worker that is alive has (half as much again, as estimates
    err) is refused as `insufficient_memory`, with the largest `batch_size` that fits; `"check_memory": false` tries it all the
    same. `POST /v1/jobs/estimate` tells before.
    """
    job = service.create(services, request, idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobOut.of(job)


@router.post("/estimate", summary="Estimate what a job would take", responses=responses(401, 404, 409, 422))
def estimate_job(request: JobRequest, services: ServicesDep) -> EstimateOut:
    """Memory, time and room in the cache of a job, and which workers can run it. Takes what `POST /v1/jobs` takes; makes nothing.

    Time and memory are `measured` where such trainings (the same encoder, task, sizes and batch) were run on this model of device
    before; else `computed`, from the network's arithmetic and the speed of other trainings there. Trainings alone are estimated.

    `curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" http://127.0.0.1:8000/v1/jobs/estimate
    -d '{"kind": "pretrain", "dataset_id": "ds_…", "task": {"name": "simclr"}, "encoder": {"name": "resnet50"}}'`
    """
    with services.database.read() as session:
        return service.estimated(session, request)


@router.get("", summary="List jobs", openapi_extra=METADATA, responses=responses(401))
def list_jobs(
    session: SessionDep,
    narrow: NarrowDep,
    *,
    limit: Limit = 20,
    after: After = None,
    state: State | None = None,
    kind: Kind | None = None,
    task: Annotated[str | None, Query(max_length=40, description="Only trainings by this pretext task.")] = None,
    dataset_id: Id = None,
    model_id: ModelRef = None,
    retry_of: Annotated[str | None, Query(max_length=100, description="Those that do this job again alone.")] = None,
) -> Page[JobOut]:
    """The newest first. Filters that are given together all have to fit, those by metadata (`metadata[team]=birds`) as well."""
    found, more = jobs.page(
        session,
        limit=limit,
        after=after,
        state=state,
        kind=kind,
        task=task,
        dataset_id=dataset_id,
        model_id=None if model_id is None else aliases.resolve(session, model_id),
        retry_of=retry_of,
        narrow=narrow,
    )
    return Page(data=[JobOut.of(job) for job in found], has_more=more)


@router.get("/{job_id}", summary="Read a job", responses=responses(401, 404))
def read_job(job_id: str, session: SessionDep, answer: ReadingDep) -> JobOut:
    """Its state, progress, resolved spec, and what came of it."""
    return answer(JobOut.of(jobs.get(session, job_id)))


@router.patch("/{job_id}", summary="Change a job", responses=responses(401, 404, 409, 412, 422))
def update_job(job_id: str, request: JobChange, session: SessionDep, writing: WritingDep) -> JobOut:
    """Its metadata at any time, its priority while it is `queued` or `paused`.

    With `If-Match`, only if it has not changed since you read it, and while it runs it changes by itself.
    """
    job = jobs.locked(session, job_id)
    writing.check(lambda: JobOut.of(job))
    if "priority" in request.model_fields_set and request.priority != job.priority:
        service.check_waiting(job)
    request.apply(job)
    session.flush()
    return writing.done(JobOut.of(job))


@router.post("/{job_id}/cancel", summary="Cancel a job", responses=responses(401, 404, 409))
def cancel_job(job_id: str, session: SessionDep, services: ServicesDep) -> JobOut:
    """Stop a job for good. One that waits is `cancelled` at once; one that runs is `cancelling` until its process has ended."""
    gone = [f"jobs/{job_id}/checkpoints", *(one["key"] for one in jobs.get(session, job_id).checkpoints)]
    job = jobs.cancel(session, job_id)
    if job.state == JobState.CANCELLED:
        for key in gone:
            after_commit(session, partial(services.blobs.delete, key))
    return JobOut.of(job)


@router.post("/{job_id}/pause", summary="Pause a job", responses=responses(401, 404, 409))
def pause_job(job_id: str, session: SessionDep) -> JobOut:
    """Stop a job for now. One that waits is `paused` at once; one that runs writes a checkpoint first, and frees its worker."""
    return JobOut.of(jobs.pause(session, job_id))


@router.post("/{job_id}/resume", summary="Resume a job", responses=responses(401, 404, 409))
def resume_job(job_id: str, session: SessionDep, services: ServicesDep) -> JobOut:
    """Put a paused job back in the queue. It goes on from its checkpoint, and ends as if it had never been paused."""
    job = jobs.resume(session, job_id)
    services.wake_for(session, job)
    return JobOut.of(job)


@router.get(
    "/{job_id}/events",
    summary="What happened to a job",
    response_model=Page[EventOut],
    responses={200: {"content": {"text/event-stream": {}}}, **responses(401, 404)},
)
def list_events(
    job_id: str,
    session: SessionDep,
    services: ServicesDep,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, le=2**62, description="Number of the last event that was seen.")] = 0,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    last_event_id: Annotated[int | None, Header(ge=0, le=2**62, description="As `after`; browsers send it by themselves.")] = None,
) -> Response | Page[EventOut]:
    """The events in order: a page at a time, or, with `Accept: text/event-stream`, as they happen until the job ends."""
    jobs.get(session, job_id)
    seen = after if last_event_id is None else last_event_id
    if "text/event-stream" in accept:
        return StreamingResponse(
            services.feeds.follow(job_id, seen),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
    found, more = events.page(session, job_id, after=seen, limit=limit)
    return Page(data=[EventOut.of(event) for event in found], has_more=more)


@router.get("/{job_id}/metrics", summary="Figures of a training", response_model=Page[MetricOut], responses=responses(401, 404))
def list_metrics(
    job_id: str,
    session: SessionDep,
    limit: Annotated[int, Query(ge=1, le=10_000, description="How many to list at most.")] = 1000,
    after: Annotated[int, Query(ge=0, le=2**62, description="Step of the last figures that were seen.")] = 0,
    points: Annotated[
        int | None,
        Query(ge=FEWEST_POINTS, le=MOST_POINTS, description="Most points of each figure; all steps come on one page then."),
    ] = None,
    name: Annotated[
        list[str] | None, Query(max_length=50, description="Names of the figures, such as `loss`; several times. Default: all.")
    ] = None,
) -> Response | Page[MetricOut]:
    """Loss, accuracy, learning rate and throughput, in order of the steps.

    With `points`, each figure has at most so many: the steps are cut into (`points` - 2) / 2 buckets of equal width, and each
    keeps the figure's lowest and highest value, beside the first and the last of all. So no extreme is lost, and a step shows
    those figures alone that were kept of it.

    `curl -H "Authorization: Bearer $KEY" "http://127.0.0.1:8000/v1/jobs/job_…/metrics?points=200&name=loss"`
    """
    jobs.get(session, job_id)
    if points is not None:
        kept = sampling.metrics(session, job_id, points, after=after, names=name)
        return Page(data=[MetricOut.of(metric) for metric in kept], has_more=False)
    if name is None:
        return as_they_are(*figures.page(session, job_id, after=after, limit=limit))
    found, more = events.metrics(session, job_id, after=after, limit=limit)
    return Page(data=[MetricOut.of(metric).only(name) for metric in found], has_more=more)
