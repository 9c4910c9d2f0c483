"""One attempt at a job: run it in a child process, watch it, and bring it to an end."""

import logging
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from records import context, tracing
from records.blobs import Blobs
from records.database import Database, after_commit
from records.errors import RecordsError
from records.models import Job
from records.queries import leases
from records.queries.leases import Lease, LeaseLostError
from records.settings import Settings
from records.states import JobState
from records.tenancy import act_for
from ssl_core.events import Ticker
from ssl_core.process import EXIT_INTERRUPTED, EXIT_OK, EXIT_USER_ERROR
from worker import checkpoints
from worker.child import Child
from worker.failures import failure_of
from worker.heartbeat import Heartbeat
from worker.journal import Journal
from worker.kinds import Kind, Workplace
from worker.logs import Log
from worker.metrics import Figures
from worker.phases import Phases
from worker.pictures import Pictures
from worker.spares import Spares

logger = logging.getLogger(__name__)
of_child = logging.getLogger("ssl_core")
"""What a job's process says for people is in the worker's log, too."""

_LOOK_SECONDS = 0.1
_FLUSH_SECONDS = 0.5
_AWAY_SECONDS = 1.0


@dataclass(frozen=True)
class Outcome:
    """How the child ended."""

    status: int
    """Exit status; negative for the signal that ended it."""
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    last_words: str


class Attempt:
    """Runs a job that was claimed.

    Args:
        database, blobs, settings: what to work with.
        lease: the claim.
        kind: the kind of the job, prepared.
        place: where the attempt works.
        arguments: the child's command line.
        about: what all that is logged meanwhile is about.
        figures: told how it goes.
        spares: where a process may be that runs it; None if the job does not need one.
        stopping: set when the worker has to go; the job is handed back then.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        settings: Settings,
        *,
        lease: Lease,
        kind: Kind,
        place: Workplace,
        arguments: list[str],
        spares: Spares | None,
        stopping: threading.Event,
        about: Mapping[str, Any],
        figures: Figures | None,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._settings = settings
        self._lease = lease
        self._kind = kind
        self._place = place
        self._arguments = arguments
        self._spares = spares
        self._stopping = stopping
        self._about = about
        self._figures = figures
        self._kind_name = str(about["kind"])
        self._phases = Phases(lease, self._kind_name)
        self._ended_as = "lost"
        self._journal = Journal(database, lease)
        self._log = Log(database, lease, place.folder / "log.txt", settings)
        self._log.say(f"--- attempt {lease.attempt} begins, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, on {place.device_name} ---")
        self._pictures = Pictures(database, blobs, lease, place.out, self._warn)
        self._waiting: list[dict[str, Any]] = []
        self._result: dict[str, Any] | None = None
        self._error: dict[str, Any] | None = None

    def run(self) -> None:
        """Run the job to its end, to where it is handed back, or until it is lost."""
        with context.bound(**{name: self._about.get(name) for name in context.NAMES}):
            logger.info("attempt %d at the %s job begins", self._lease.attempt, self._kind_name)
            self._run()
            logger.info("attempt %d is over: %s", self._lease.attempt, self._ended_as)

    def _run(self) -> None:
        settings = self._settings
        try:
            with Heartbeat(
                self._database, self._lease, every=settings.heartbeat_seconds, lasting=settings.lease_seconds
            ) as heartbeat:
                outcome = self._watched(heartbeat)
                self._settle(outcome)
        except LeaseLostError:
            logger.warning("%s went to another attempt than %d; this one stops", self._lease.job_id, self._lease.attempt)
            if self._figures is not None:
                self._figures.lost()
            self._pictures.discard()
            if not self._published():
                self._kind.discard(self._place)
        finally:
            if self._figures is not None:
                self._figures.speed(self._lease.job_id, self._kind_name, None)
            self._phases.end(self._ended_as)
            self._place.remove()

    def _watched(self, heartbeat: Heartbeat) -> Outcome:
        spare = self._spares.take() if self._spares is not None else None
        try:
            try:
                child = Child(self._arguments, self._place.folder / "log.txt", spare)
            except OSError as error:
                return Outcome(EXIT_USER_ERROR, None, failure_of(error), "")
            try:
                return self._watch(child, heartbeat)
            finally:
                child.close()
        finally:
            if spare is not None:
                spare.close()

    def _watch(self, child: Child, heartbeat: Heartbeat) -> Outcome:
        flush = Ticker(_FLUSH_SECONDS)
        kill_at: float | None = None
        while True:
            status = child.wait(_LOOK_SECONDS)
            self._take(child.events())
            if heartbeat.lost:
                raise LeaseLostError
            if status is not None or flush.due():
                self._write_down()
            if status is not None:
                self._log.say(f"--- attempt {self._lease.attempt}: {_ending(status)} ---")
                return Outcome(status, self._result, self._error, child.last_words())
            if kill_at is None and (heartbeat.state is not JobState.RUNNING or self._stopping.is_set()):
                child.ask_to_stop()
                kill_at = time.monotonic() + self._settings.grace_seconds
            if kill_at is not None and time.monotonic() > kill_at:
                child.kill()

    def _take(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            self._phases.see(event)
            self._tell(event)
            if event["type"] == "checkpoint":
                self._take_checkpoint(event)
            elif event["type"] == "picture":
                self._pictures.add(event)
            elif event["type"] == "result":
                self._result = event
            elif event["type"] == "error":
                self._log.say(f"error    {event['message']}")
                self._error = {"code": event["code"], "message": event["message"]}
            else:
                if event["type"] == "log":
                    self._log.say(f"{event.get('level', 'info'):<8} {event.get('message', '')}")
                self._journal.add(event)

    def _tell(self, event: dict[str, Any]) -> None:
        """Tell those who watch over the worker."""
        if event["type"] in {"log", "error"}:
            level = logging.INFO if event.get("level") == "info" else logging.WARNING
            of_child.log(level, "%s", event.get("message"))
        elif event["type"] == "progress" and self._figures is not None:
            self._figures.speed(self._lease.job_id, self._kind_name, event)

    def _write_down(self, *, ended: bool = False) -> bool:
        """Store what the child has said so far. False if some of it waits for the database."""
        if not self._log.flush(ended=ended):
            return False
        if not (self._journal.flush() and self._keep_checkpoints() and self._pictures.flush()):
            return False
        return self._journal.flush()  # what the two before it may have warned of

    def _take_checkpoint(self, event: dict[str, Any]) -> None:
        """Only the newest counts, and those that are to be kept."""
        if self._waiting and not self._waiting[-1].get("keep"):
            self._waiting.pop()
        self._waiting.append(event)

    def _keep_checkpoints(self) -> bool:
        while self._waiting:
            try:
                with tracing.span("checkpoint", job_id=self._lease.job_id, pretext__step=self._waiting[0]["step"]):
                    checkpoints.keep(self._database, self._blobs, self._lease, self._waiting[0])
            except DBAPIError as error:
                logger.warning("the database is away, a checkpoint waits: %s", error)
                return False
            except (RecordsError, OSError) as error:
                self._warn(f"a checkpoint could not be stored: {error}")
            del self._waiting[0]
        return True

    def _warn(self, message: str) -> None:
        self._journal.add({"type": "log", "level": "warning", "message": message})

    def _settle(self, outcome: Outcome) -> None:
        """Write down the end, however long the database is away."""
        outcome = self._stored(outcome)
        while True:
            try:
                if self._write_down(ended=True):
                    with tracing.span("end", job_id=self._lease.job_id), self._database.write() as session:
                        job = leases.hold(session, self._lease)
                        act_for(session, job.project_id)
                        self._end(session, job, outcome)
                        ended_as = str(job.state)
                    self._ended_as = ended_as
                    return
            except DBAPIError as error:
                logger.warning("the database is away, the end of %s waits: %s", self._lease.job_id, error)
            time.sleep(_AWAY_SECONDS)

    def _stored(self, outcome: Outcome) -> Outcome:
        if outcome.status != EXIT_OK or outcome.result is None:
            return outcome
        try:
            with tracing.span("store", job_id=self._lease.job_id):
                self._kind.store(self._place)
        except (RecordsError, OSError) as error:
            failure = failure_of(error)
            failure["message"] = f"the result could not be stored: {failure['message']}"
            self._kind.discard(self._place)
            return Outcome(EXIT_USER_ERROR, None, failure, outcome.last_words)
        return outcome

    def _end(self, session: Session, job: Job, outcome: Outcome) -> None:
        if job.state == JobState.CANCELLING:
            self._kind.discard(self._place)
            self._kind.on_end(session, job, None)
            self._drop_checkpoints(session, job)
            leases.end(session, job, JobState.CANCELLED)
        elif outcome.status == EXIT_OK and outcome.result is not None:
            self._kind.publish(session, job, outcome.result)
            self._drop_checkpoints(session, job)
            made = {name: getattr(job, name) for name in ("model_id", "evaluation_id", "embedding_id")}
            leases.end(session, job, JobState.SUCCEEDED, **made)
        elif outcome.status == EXIT_INTERRUPTED or self._stopping.is_set():
            paused = job.state == JobState.PAUSING
            leases.end(session, job, JobState.PAUSED if paused else JobState.QUEUED, reason="handed back by its worker")
        elif outcome.status < 0 and job.failures + 1 < self._settings.max_failures:
            job.failures += 1
            # One that is asked to pause and writes no checkpoint in time is ended that way.
            after = JobState.PAUSED if job.state == JobState.PAUSING else JobState.QUEUED
            leases.end(session, job, after, reason=f"its process was ended by {_signal_name(-outcome.status)}")
        else:
            error = outcome.error or _crash(outcome)
            self._kind.on_end(session, job, error)
            leases.end(session, job, JobState.FAILED, error=error)

    def _published(self) -> bool:
        """Whether the job has ended by this very attempt: a commit can succeed although its answer does not arrive."""
        with self._database.read() as session:
            job = session.get(Job, self._lease.job_id)
            return job is not None and job.attempt == self._lease.attempt and job.state == JobState.SUCCEEDED

    def _drop_checkpoints(self, session: Session, job: Job) -> None:
        """Free the bytes of its checkpoints, also of those that it took over from another job. Its pictures stay."""
        gone = [f"jobs/{job.id}/checkpoints", *(checkpoint["key"] for checkpoint in job.checkpoints)]
        job.checkpoints = []
        for key in gone:
            after_commit(session, partial(self._blobs.delete, key))


def _ending(status: int) -> str:
    if status < 0:
        return f"ended by {_signal_name(-status)}"
    return {EXIT_OK: "ended well", EXIT_INTERRUPTED: "stopped, and can go on"}.get(status, f"ended with status {status}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _crash(outcome: Outcome) -> dict[str, Any]:
    if outcome.status < 0:
        name = _signal_name(-outcome.status)
        memory = "; most likely the machine ran out of memory: try a smaller `batch_size`, `image_size` or encoder"
        return {"code": "killed", "message": f"the job's process was ended by {name}{memory if name == 'SIGKILL' else ''}"}
    last = outcome.last_words.splitlines()[-1:] or ["it left no message"]
    return {
        "code": "crashed",
        "message": f"the job's process ended with status {outcome.status}: {last[0][:500]}",
        "log": outcome.last_words,
    }
