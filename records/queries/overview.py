"""The queue and the workers at a glance, for those who watch over them. Jobs that have ended are not read: there are too many."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from records.database import now
from records.models import Job, Worker
from records.queries.workers import ALIVE_SECONDS
from records.states import ENDED, HELD, JobState

LANES = {"pretrain": "train", "evaluate": "train", "embed": "train", "ingest": "ingest", "export": "ingest"}
"""Which of a worker's slots a kind of job takes, as `worker/kinds` has it."""


@dataclass(frozen=True)
class Overview:
    """How things stand."""

    jobs: dict[tuple[str, str], int]
    """Jobs that have not ended, by kind and state."""
    oldest_seconds: dict[str, float]
    """How long the oldest queued job of a lane has been there; 0 if none waits."""
    workers: dict[str, int]
    """Workers that are alive, by device."""
    slots: dict[str, int]
    """Slots of those workers, by lane."""

    @property
    def busy(self) -> dict[str, int]:
        """Jobs that workers have, by lane."""
        found = dict.fromkeys(LANES.values(), 0)
        for (kind, state), count in self.jobs.items():
            if state in HELD:
                found[LANES[kind]] += count
        return found


def read(session: Session) -> Overview:
    """How things stand now."""
    moment = now(session)
    open_states = [str(state) for state in JobState if state not in ENDED]
    counted = select(Job.kind, Job.state, func.count()).where(Job.state.in_(open_states)).group_by(Job.state, Job.kind)
    jobs = {(kind, state): count for kind, state, count in session.execute(counted) if kind in LANES}
    oldest = dict.fromkeys(LANES.values(), 0.0)
    first = select(Job.kind, func.min(Job.created_at)).where(Job.state == JobState.QUEUED).group_by(Job.kind)
    for kind, since in session.execute(first):
        if kind in LANES:
            oldest[LANES[kind]] = max(oldest[LANES[kind]], (moment - since).total_seconds())
    workers = {"cpu": 0, "cuda": 0}
    slots = dict.fromkeys(LANES.values(), 0)
    alive = select(Worker.device, Worker.slots).where(Worker.seen_at > moment - timedelta(seconds=ALIVE_SECONDS))
    for device, has in session.execute(alive):
        workers[device] = workers.get(device, 0) + 1
        for lane in slots:
            slots[lane] += int(has.get(lane, 0))
    return Overview(jobs, oldest, workers, slots)
