"""Projects: who shares datasets, jobs and models."""

from datetime import datetime

from sqlalchemy import BigInteger, Double, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from records.models.base import Base, Json, Owned

DEFAULT_PROJECT = "proj_default"
"""The project that a new server has."""


class Project(Base):
    """A tenant. Nobody sees anything of another project's."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    operator: Mapped[bool] = mapped_column(default=False)
    """Whether its administrators also administer the server: all projects, and the workers."""
    most_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Quota of what it stores, in bytes; none: no bound."""
    most_running: Mapped[int | None]
    """Quota of jobs that run at a time; more wait."""
    most_gpu_seconds: Mapped[int | None] = mapped_column(BigInteger)
    """Quota of GPU time over the last 30 days, in seconds."""
    created_at: Mapped[datetime]
    meta: Mapped[dict[str, str]] = mapped_column("metadata", Json, default=dict)


class Member(Owned, Base):
    """A person, or a program, that keys are given to."""

    __tablename__ = "members"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(320))
    role: Mapped[str] = mapped_column(String(8))
    """`read`, `write` or `admin`: the most that their keys can be for."""
    created_at: Mapped[datetime]
    meta: Mapped[dict[str, str]] = mapped_column("metadata", Json, default=dict)


class Usage(Base):
    """Time that jobs of a project have run, by day and device."""

    __tablename__ = "usage"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    """Of the UTC calendar, as 2026-11-25."""
    device: Mapped[str] = mapped_column(String(8), primary_key=True)
    """`cpu` or `cuda`."""
    seconds: Mapped[float] = mapped_column(Double, default=0.0)
    jobs: Mapped[int] = mapped_column(default=0)
    """Attempts that have ended."""
