"""What projects look like from outside."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.changes import Change
from api.metadata import MetadataIn
from api.pages import Metadata, Moment, Resource
from records.models import Project

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Bound = Annotated[int, Field(ge=0, le=10**18, strict=True)] | None
"""Strict: `false` is no bound of 0."""


class Quotas(BaseModel):
    """What a project may use."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    most_bytes: Bound = None
    """Bytes that it may store. None: no bound."""
    most_running: Bound = None
    """Jobs that may run at a time; more wait. None: no bound."""
    most_gpu_seconds: Bound = None
    """GPU seconds that its jobs may take in 30 days. None: no bound."""


class ProjectRequest(Quotas):
    """A project to make."""

    name: Name
    """What it is called."""
    metadata: MetadataIn = Field(default_factory=dict)


class ProjectUpdate(Quotas, Change):
    """What shall be different. What is left out stays."""

    name: Name = ""
    """What it is called."""


class ProjectOut(Resource):
    """Who shares datasets, jobs and models. Nobody else sees anything of them."""

    object: Literal["project"] = "project"
    """Always `project`."""
    id: str
    """Begins with `proj_`."""
    name: str
    """What it is called."""
    operator: bool
    """Whether its administrators administer the server, too."""
    most_bytes: int | None
    """Bytes that it may store; none: no bound."""
    most_running: int | None
    """Jobs that may run at a time; none: no bound."""
    most_gpu_seconds: int | None
    """GPU seconds that its jobs may take in 30 days; none: no bound."""
    created_at: Moment
    """When it was made."""
    metadata: Metadata

    @classmethod
    def of(cls, project: Project) -> Self:
        """Show a record."""
        shown = {name: getattr(project, name) for name in cls.model_fields if name not in {"object", "metadata"}}
        return cls.model_validate({**shown, "metadata": project.meta})


class StoredOut(Resource):
    """Bytes that a project stores."""

    datasets: int
    """Uploads, as large as they were announced, and datasets."""
    models: int
    """Models' files."""
    pictures: int
    """Pictures of trainings."""
    evaluations: int
    """Reports and their pictures."""
    embeddings: int
    """Embeddings of datasets."""
    checkpoints: int
    """Checkpoints of jobs that have not ended, or have failed."""
    total: int
    """All of it."""


class UsageDay(Resource):
    """What attempts at jobs that ended on one day took on one kind of device."""

    day: str
    """In UTC, as 2026-11-25."""
    device: Literal["cpu", "cuda"]
    """What they ran on."""
    seconds: float
    """How long they ran, in sum."""
    jobs: int
    """How many there were."""


class UsageOut(Resource):
    """What a project uses."""

    object: Literal["usage"] = "usage"
    """Always `usage`."""
    project_id: str
    """The project."""
    stored: StoredOut
    """Bytes, now."""
    running: int
    """Jobs that a worker has, now."""
    gpu_seconds: float
    """GPU time of the last 30 days."""
    days: list[UsageDay]
    """By day, the newest first."""
