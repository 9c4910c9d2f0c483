"""Jobs."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Json, Owned


class Job(Owned, Base):
    """Something that takes time. The database owns it; the queue only wakes workers."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_state_kind", "state", "kind"),
        Index("ix_jobs_dataset_id", "dataset_id", "project_id", "id"),
        Index("ix_jobs_model_id", "model_id", "project_id", "id"),
        Index("ix_jobs_project_id_state", "project_id", "state", "id"),
        Index("ix_jobs_project_id_kind", "project_id", "kind", "id"),
        Index("ix_jobs_project_id_task", "project_id", "task", "id"),
        Index("ix_jobs_project_id_id", "project_id", "id", "created_at"),
        Index("ix_jobs_retry_of", "retry_of", "project_id", "id"),
        UniqueConstraint("project_id", "idempotency_key", name="uq_jobs_project_id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(default=0)
    """Raised by every claim. A write by a worker names the attempt that it holds, and goes nowhere if that is over."""
    failures: Mapped[int] = mapped_column(default=0)
    """Crashes and lost workers since the last new checkpoint."""
    priority: Mapped[int] = mapped_column(default=0)
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("datasets.id", ondelete="SET NULL"))
    device: Mapped[str] = mapped_column(String(8), default="auto")
    """What it has to run on: `auto`, `cpu` or `cuda`."""
    spec: Mapped[dict[str, Any]] = mapped_column(Json)
    task: Mapped[str | None] = mapped_column(String(40))
    """The pretext task that it trains by, as in `spec`, where no index could find it."""
    progress: Mapped[dict[str, Any] | None] = mapped_column(Json)
    environment: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Device and package versions of the newest attempt."""
    checkpoints: Mapped[list[Any]] = mapped_column(Json, default=list)
    """The newest last, each `{key, step, attempt, bytes, at}`; with `keep`, a part of the result that stays until the job ends."""
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    model_id: Mapped[str | None] = mapped_column(String(40))
    """The model that it made, or that it is about."""
    evaluation_id: Mapped[str | None] = mapped_column(String(40))
    """The evaluation that it made."""
    embedding_id: Mapped[str | None] = mapped_column(String(40))
    """The embeddings that it made."""
    labels: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """The labels that it has begun with, so that all of its attempts see the same: `{key}`, none for those of the upload."""
    evaluate: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """The evaluation that is queued when it succeeds; its `job_id`, once it is."""
    retry_of: Mapped[str | None] = mapped_column(String(40))
    """The job that it does again."""
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Memory that it is estimated to take; None: nobody knows."""
    passed_over_at: Mapped[datetime | None]
    """Since when it waits for memory while other jobs go first."""
    worker_id: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None]
    last_event: Mapped[int] = mapped_column(default=0)
    """Number of its newest event."""
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    """When the newest attempt began."""
    finished_at: Mapped[datetime | None]
    meta: Mapped[dict[str, str]] = mapped_column("metadata", Json, default=dict)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_hash: Mapped[str | None] = mapped_column(String(64))
