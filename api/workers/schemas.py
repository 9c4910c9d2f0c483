"""What workers look like from outside."""

from typing import Literal, Self

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
