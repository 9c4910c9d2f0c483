"""What workers look like from outside."""

from typing import Literal, Self

from pydantic import Field

from api.pages import Moment, Resource
from records.models import Worker


class WorkerOut(Resource):
    """A worker that is, or was lately, alive."""

    object: Literal["worker"] = "worker"
    """Always `worker`."""
    id: str
    """Begins with `worker_`."""
    host: str
    """The machine that it is on."""
    device: Literal["cpu", "cuda"]
    """What it trains on."""
    device_name: str | None = Field(examples=["NVIDIA H100 80GB HBM3"])
    """Model of its GPU, or of its processor and how many threads jobs have."""
    memory_bytes: int | None = Field(examples=[85045870592])
    """Memory that its jobs may take together, in bytes: the GPU's, or the machine's, or `PRETEXT_WORKER_MEMORY_BYTES`."""
    slots: dict[str, int]
    """Jobs that it runs at a time, by lane."""
    alive: bool
    """Whether it was heard of in the last minute."""
    running: list[str]
    """Ids of the jobs that it has."""
    started_at: Moment
    """When it started."""
    seen_at: Moment
    """When it was last heard of."""

    @classmethod
    def of(cls, worker: Worker, *, alive: bool, running: list[str]) -> Self:
        """Show a record."""
        shown = {name: getattr(worker, name) for name in cls.model_fields if name not in {"object", "alive", "running"}}
        return cls.model_validate({**shown, "alive": alive, "running": running})
