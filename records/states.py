"""The states of a job, and which may follow which."""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_S = JobState

FOLLOWS: dict[JobState, frozenset[JobState]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.PAUSED, _S.CANCELLED, _S.FAILED}),
    _S.RUNNING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.PAUSING, _S.CANCELLING, _S.QUEUED}),
    _S.PAUSING: frozenset({_S.PAUSED, _S.SUCCEEDED, _S.FAILED, _S.CANCELLING}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.CANCELLING: frozenset({_S.CANCELLED}),
    _S.CANCELLED: frozenset(),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset(),
}
"""`running` to `queued` is a worker handing a job back, or losing it."""

ENDED = frozenset(state for state, following in FOLLOWS.items() if not following)
HELD = frozenset({_S.RUNNING, _S.PAUSING, _S.CANCELLING})
"""The states in which a worker has the job and renews its lease."""


def sources(target: JobState) -> list[JobState]:
    """The states from which a job may go to `target`."""
    return [state for state, following in FOLLOWS.items() if target in following]
