"""Administration: projects, members, keys, workers and the audit log."""

from dataclasses import dataclass
from datetime import datetime

from pretext_client.types.base import Json, Value


@dataclass(frozen=True, kw_only=True)
class Project(Value):
    """Who shares datasets, jobs and models; nobody else sees anything of them."""

    id: str
    name: str
    operator: bool = False
    """Whether its administrators administer the server, too."""
    most_bytes: int | None = None
    """Bytes that it may store; none: no bound."""
    most_running: int | None = None
    """Jobs that may run at a time."""
    most_gpu_seconds: int | None = None
    """GPU seconds that its jobs may take in 30 days."""
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Usage(Value):
    """What a project uses."""

    project_id: str
    stored: Json
    """Bytes of `datasets`, `models`, `pictures`, `evaluations`, `embeddings`, and the `total`."""
    running: int
    """Jobs that a worker has."""
    gpu_seconds: float
    """GPU time of the last 30 days."""
    days: tuple[Json, ...]
    """Each `day` and `device` with `seconds` and `jobs`, the newest first."""


@dataclass(frozen=True, kw_only=True)
class Member(Value):
    """A person, or a program, that keys are given to."""

    id: str
    name: str
    email: str | None = None
    role: str
    """`read`, `write` or `admin`: the most that their keys can be for."""
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Key(Value):
    """A key; `key` is the key itself, and is there only just after it was made."""

    id: str
    name: str
    prefix: str
    """Its first characters."""
    scope: str
    """`read`, `write` or `admin`."""
    member_id: str | None = None
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Worker(Value):
    """A worker that is, or was lately, alive."""

    id: str
    host: str
    device: str
    """`cpu` or `cuda`."""
    device_name: str | None = None
    """Model of it."""
    memory_bytes: int | None = None
    """Memory that its jobs may take together."""
    slots: Json
    """Jobs that it runs at a time, by lane."""
    alive: bool
    running: tuple[str, ...]
    """Ids of the jobs that it has."""
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, kw_only=True)
class AuditEntry(Value):
    """Something that was done, or refused for want of rights."""

    id: str
    at: datetime
    key_id: str | None = None
    action: str
    outcome: str
    """`done` or `denied`."""
    subjects: tuple[str, ...]
    """Ids of what it was done to, and of what it made."""
    request_id: str | None = None
    address: str | None = None
