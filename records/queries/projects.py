"""Projects, what they use, and what they may."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from records.database import now
from records.errors import ConflictError, NotFoundError, QuotaError
from records.ids import new_id
from records.models import (
    Base,
    Dataset,
    Embedding,
    Evaluation,
    Job,
    JobPicture,
    Model,
    ModelFile,
    Project,
    Upload,
    Usage,
)
from records.queries import pages, rows
from records.queries.pages import EVERYTHING, Narrow
from records.states import ENDED, HELD, JobState

_GPU_DAYS = 30
_WITH_CHECKPOINTS = sorted(str(state) for state in JobState if state not in {JobState.SUCCEEDED, JobState.CANCELLED})


@dataclass(frozen=True)
class Stored:
    """What a project keeps, in bytes."""

    datasets: int
    models: int
    pictures: int
    evaluations: int
    embeddings: int
    checkpoints: int
    """Of jobs that have not ended, or may be tried again."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.datasets + self.models + self.pictures + self.evaluations + self.embeddings + self.checkpoints


def create(
    session: Session,
    name: str,
    *,
    most_bytes: int | None = None,
    most_running: int | None = None,
    most_gpu_seconds: int | None = None,
    metadata: dict[str, str] | None = None,
) -> Project:
    """Make a project."""
    project = Project(
        id=new_id("proj"),
        name=name,
        operator=False,
        most_bytes=most_bytes,
        most_running=most_running,
        most_gpu_seconds=most_gpu_seconds,
        meta=metadata or {},
        created_at=now(session),
    )
    session.add(project)
    session.flush()
    return project


def get(session: Session, project_id: str) -> Project:
    """Find a project.

    Raises:
        NotFoundError: there is none with this id.
    """
    project = session.get(Project, project_id)
    if project is None:
        raise NotFoundError.of("project", project_id)
    return project


def locked(session: Session, project_id: str) -> Project:
    """Find a project for a change, or for a look at what it uses that has to stay true; others wait until the transaction ends.

    Raises:
        NotFoundError: there is none with this id.
    """
    return rows.locked(session, Project, project_id, "project")


def page(
    session: Session,
    *,
    limit: int,
    after: str | None,
    only: str | None = None,
    name: str | None = None,
    narrow: Narrow = EVERYTHING,
) -> tuple[list[Project], bool]:
    """One page of projects, of all or `only` of one, and whether there is more."""
    equal = [(Project.id, only), (Project.name, name)]
    return pages.page(session, select(Project), Project, limit=limit, after=after, narrow=narrow, equal=equal)


def delete(session: Session, project_id: str) -> list[str]:
    """Delete a project and all its records, in a session for all projects. Gives the prefixes of its blobs.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: it administers the server, or a job of it has not ended.
    """
    project = locked(session, project_id)
    if project.operator:
        raise ConflictError("this project administers the server and cannot be deleted")
    active = session.scalar(select(Job.id).where(Job.project_id == project_id, Job.state.not_in([str(s) for s in ENDED])).limit(1))
    if active is not None:
        raise ConflictError(f"jobs of this project have not ended ({active}); cancel them or wait for their end, then delete it")
    blobs = []
    for table in reversed(Base.metadata.sorted_tables):  # those that refer to others first
        if "project_id" not in table.c or table.name == Usage.__tablename__:
            continue
        if "id" not in table.c:
            session.execute(table.delete().where(table.c.project_id == project_id))
            continue
        gone = session.scalars(table.delete().where(table.c.project_id == project_id).returning(table.c.id))
        blobs += [f"{table.name}/{id_}" for id_ in gone]
    session.delete(project)
    return blobs


def stored(session: Session, project_id: str) -> Stored:
    """What a project keeps."""
    datasets = 0
    for shards, upload_key, size in session.execute(
        select(Dataset.shards, Dataset.upload_key, Dataset.upload_bytes).where(Dataset.project_id == project_id)
    ):
        datasets += sum(shard["bytes"] for shard in shards or []) + (size if upload_key is not None else 0)
    unfinished = select(func.sum(Upload.bytes)).where(
        Upload.project_id == project_id, Upload.dataset_id.is_(None), Upload.expires_at > now(session)
    )
    datasets += int(session.scalar(unfinished) or 0)
    of_models = select(func.sum(ModelFile.bytes)).join(Model, Model.id == ModelFile.model_id).where(Model.project_id == project_id)
    of_jobs = select(func.sum(JobPicture.bytes)).join(Job, Job.id == JobPicture.job_id).where(Job.project_id == project_id)
    evaluations, embeddings = (
        sum(file["bytes"] for files in session.scalars(select(kind.files).where(kind.project_id == project_id)) for file in files)
        for kind in (Evaluation, Embedding)
    )
    return Stored(
        datasets=datasets,
        models=int(session.scalar(of_models) or 0),
        pictures=int(session.scalar(of_jobs) or 0),
        evaluations=evaluations,
        embeddings=embeddings,
        checkpoints=_of_checkpoints(session, project_id),
    )


def _of_checkpoints(session: Session, project_id: str) -> int:
    found = select(Job.checkpoints).where(Job.project_id == project_id, Job.state.in_(_WITH_CHECKPOINTS))
    return sum(one.get("bytes", 0) for checkpoints in session.scalars(found) for one in checkpoints)


def running(session: Session, project_id: str) -> int:
    """How many of its jobs a worker has."""
    held = [str(state) for state in HELD]
    return session.scalar(select(func.count(Job.id)).where(Job.project_id == project_id, Job.state.in_(held))) or 0


def gpu_seconds(session: Session, project_id: str) -> float:
    """GPU time of the last 30 days, of attempts that have ended."""
    since = (now(session) - timedelta(days=_GPU_DAYS)).date().isoformat()
    query = select(func.sum(Usage.seconds)).where(Usage.project_id == project_id, Usage.device == "cuda", Usage.day >= since)
    return float(session.scalar(query) or 0.0)


def usage(session: Session, project_id: str, *, days: int) -> list[Usage]:
    """Time of its jobs by day and device, the newest first."""
    since = (now(session) - timedelta(days=days)).date().isoformat()
    query = select(Usage).where(Usage.project_id == project_id, Usage.day > since).order_by(Usage.day.desc(), Usage.device)
    return list(session.scalars(query))


def room(session: Session, project_id: str) -> int | None:
    """Bytes that a project may still store; none if there is no bound.

    Raises:
        QuotaError: none are left.
    """
    most = get(session, project_id).most_bytes
    if most is None:
        return None
    left = most - stored(session, project_id).total
    if left <= 0:
        raise QuotaError(f"the project has used up its {most:,} bytes; delete datasets, models or evaluations, or have it raised")
    return left


def check_gpu(session: Session, project_id: str) -> None:
    """See whether a project has GPU time left.

    Raises:
        QuotaError: it has not.
    """
    most = get(session, project_id).most_gpu_seconds
    if most is not None and gpu_seconds(session, project_id) >= most:
        raise QuotaError(f"the project has used up its {most:,} GPU seconds of the last {_GPU_DAYS} days; have it raised, or wait")


def add_usage(session: Session, job: Job, seconds: float) -> None:
    """Note how long an attempt at a job ran."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {
        "project_id": job.project_id,
        "day": now(session).date().isoformat(),
        "device": "cuda" if job.device == "cuda" else "cpu",
        "seconds": seconds,
        "jobs": 1,
    }
    statement = insert(Usage).values(values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["project_id", "day", "device"],
            set_={"seconds": Usage.seconds + statement.excluded.seconds, "jobs": Usage.jobs + 1},
        )
    )
