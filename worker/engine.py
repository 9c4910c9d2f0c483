"""The engine of a worker: free slots, claims, and the reaper that lets nothing get lost."""

import logging
import os
import shutil
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from records.blobs import Blobs
from records.database import Database
from records.errors import RecordsError
from records.ids import new_id
from records.models import Job
from records.queries import jobs, leases, origin, room, workers
from records.queries.leases import Lease
from records.queue import Wake
from records.settings import Settings
from records.states import JobState
from records.sweep import sweep_uploads
from records.tenancy import act_for
from worker.attempt import Attempt
from worker.clearing import abandoned
from worker.failures import failure_of
from worker.hardware import hardware_of
from worker.kinds import KINDS, Kind, Workplace
from worker.metrics import Figures
from worker.spares import Spares
from worker.sweeper import Sweeper

logger = logging.getLogger(__name__)

_SWEEP_SECONDS = 60
"""Between two looks for uploads that nobody finished in time."""
_SLOW_SECONDS = 5.0
"""A wait for the database that is long for everybody."""
_LOOKED_AT = 100
"""Waiting jobs that are looked at for one that has room in memory."""


class Engine:
    """Runs as many jobs at a time as it has slots: trainings in one lane, ingests beside them in another.

    Args:
        settings, database, blobs: what to work with.
        wake: sends the message that makes some worker look for a job.
        device: what this worker can train on.
    """

    def __init__(self, settings: Settings, database: Database, blobs: Blobs, wake: Wake, device: Literal["cpu", "cuda"]) -> None:
        self.worker_id = new_id("worker")
        self._settings = settings
        self._database = database
        self._blobs = blobs
        self._wake = wake
        self._device = device
        self._hardware = hardware_of(device, settings.worker_memory_bytes)
        self._claiming = threading.Lock()
        self._sizes = {"train": settings.workers, "ingest": 1}
        self._free = {lane: threading.Semaphore(size) for lane, size in self._sizes.items()}
        self._running = Counter[str]()
        self._counting = threading.Lock()
        self.figures: Figures | None = None
        """Told how it goes, if anybody wants to know."""
        self._stopping = threading.Event()
        self._sweep_at = 0.0
        self._sweeper = Sweeper(settings, database, blobs, self.worker_id, self._stopping)
        self._reap_from = 0.0
        self._spares = Spares() if settings.warm else None
        self._reaper = threading.Thread(target=self._reap_until_stopped, name="reaper", daemon=True)

    @property
    def slots(self) -> int:
        """How many jobs can run at a time."""
        return sum(self._sizes.values())

    def busy(self) -> dict[str, int]:
        """How many jobs run now, by lane."""
        with self._counting:
            return dict(self._running)

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    @property
    def _told_slots(self) -> dict[str, int]:
        """What others may know of this worker: its lanes, and whether it embeds images at once."""
        return {**self._sizes, "embed": int(self._settings.embed_at_once)}

    def start(self) -> None:
        """Begin to look after the queue."""
        self._sweep_scratch()
        self._reaper.start()
        if self._spares is not None:
            self._spares.start()

    def stop(self) -> None:
        """Hand back what runs and take nothing more. Returns at once; the calls of `work` return when their job is handed back."""
        self._stopping.set()

    def close(self) -> None:
        """Sign off, after everything has stopped."""
        self._stopping.set()
        if self._reaper.is_alive():
            self._reaper.join()
        self._sweeper.close()
        if self._spares is not None:
            self._spares.close()
        try:
            with self._database.write() as session:
                workers.gone(session, self.worker_id)
        except DBAPIError:
            logger.info("the database is away; this worker will be taken for dead a minute from now")
        self._database.engine.dispose()

    def work(self, job_id: str) -> None:
        """Answer a wake-up: if there is a free slot for this kind of job, run jobs until none waits.

        Which job comes first is not the message's to say: the highest priority is, then the oldest.
        """
        lane = self._lane_of(job_id)
        if lane is None or not self._free[lane].acquire(blocking=False):
            return
        try:
            while not self._stopping.is_set() and self._run_next(lane):
                pass
        finally:
            self._free[lane].release()

    def _lane_of(self, job_id: str) -> str | None:
        with self._database.read() as session:
            try:
                kind = jobs.get(session, job_id).kind
            except RecordsError:
                return None
        return KINDS[kind].lane

    def _run_next(self, lane: str) -> bool:
        """Claim and run one job. False if none waits."""
        with self._claiming:  # two that choose at the same time would both count on the same memory
            job_id = self._next(lane)
            if job_id is None:
                return False
            attempt = self._claim(job_id)
        if attempt is not None:
            with self._counting:
                self._running[lane] += 1
            try:
                attempt.run()
            finally:
                with self._counting:
                    self._running[lane] -= 1
                if self._spares is not None:
                    self._spares.refill()
        return True

    def _next(self, lane: str) -> str | None:
        """Id of the job that comes next; None if none waits, or none of them fits into memory beside those that run."""
        memory = self._hardware.memory_bytes if lane == "train" else None
        with self._database.read() as session:
            waiting = leases.next_queued(session, _kinds(lane), self._devices, 1 if memory is None else _LOOKED_AT)
        if memory is None or not waiting:
            return next(iter(waiting), None)
        own = room.Room(self.worker_id, self._device, memory, self._settings.passed_over_seconds)
        with self._database.write() as session:
            return room.choose(session, own, waiting)

    def _claim(self, job_id: str) -> Attempt | None:
        """Take a job and lay everything out for it. None if another worker was quicker, or it cannot be run at all."""
        with self._database.write() as session:
            job = leases.claim(session, job_id, self.worker_id, self._settings.lease_seconds)
            if job is None:
                return None
            kind, place = KINDS[job.kind](), self._workplace(job)
            try:
                place.make()
                act_for(session, job.project_id)
                arguments = kind.prepare(session, job, place)
            except DBAPIError:
                raise
            except Exception as error:  # noqa: BLE001  whatever it is, the job must not be claimed again and again before all others
                trouble = failure_of(error)
                kind.on_end(session, job, trouble)
                leases.end(session, job, JobState.FAILED, error=trouble)
                place.remove()
                return None
            session.flush()
            about = {"job_id": job.id, "attempt": job.attempt, "project_id": job.project_id, "kind": job.kind}
            about["request_id"] = origin.of(session, job.id).get("request_id")
            if self.figures is not None:
                first = job.started_at if job.attempt == 1 else None
                waited = None if first is None else (first - job.created_at).total_seconds()
                self.figures.began(job.kind, waited)
            return self._attempt(Lease(job.id, job.attempt), kind, place, arguments, about)

    def _attempt(self, lease: Lease, kind: Kind, place: Workplace, arguments: list[str], about: dict[str, Any]) -> Attempt:
        return Attempt(
            self._database,
            self._blobs,
            self._settings,
            lease=lease,
            kind=kind,
            place=place,
            arguments=arguments,
            spares=self._spares if kind.lane == "train" else None,
            stopping=self._stopping,
            about=about,
            figures=self.figures,
        )

    def _workplace(self, job: Job) -> Workplace:
        folder = self.scratch / f"{job.id}-{job.attempt}"
        return Workplace(
            folder=folder,
            database=self._database,
            blobs=self._blobs,
            settings=self._settings,
            device=self._device,
            device_name=self._hardware.name,
        )

    @property
    def _devices(self) -> list[str]:
        return ["auto", "cpu", "cuda"] if self._device == "cuda" else ["auto", "cpu"]

    @property
    def scratch(self) -> Path:
        """Its folder for what is under way."""
        return self._settings.scratch / f"{self.worker_id}-{os.getpid()}"

    def _sweep_scratch(self) -> None:
        """Remove what killed workers of this host have left behind."""
        root = self._settings.scratch
        root.mkdir(parents=True, exist_ok=True)
        for folder in abandoned(root):
            shutil.rmtree(folder, ignore_errors=True)

    def _reap_until_stopped(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            pause = self._settings.reaper_seconds
            try:
                self._reap()
            except SQLAlchemyError as error:
                # The others could not renew their leases either; they get the time to, before any lease is called expired.
                logger.warning("the database is away: %s", error)
                pause = self._settings.lease_seconds
            except OSError as error:
                logger.warning("the worker cannot look after everything: %s", error)

    def _reap(self) -> None:
        began = time.monotonic()
        with self._database.write() as session:
            workers.seen(
                session,
                self.worker_id,
                host=socket.gethostname(),
                pid=os.getpid(),
                device=self._device,
                slots=self._told_slots,
                device_name=self._hardware.name,
                memory_bytes=self._hardware.memory_bytes,
            )
            if self._others_could_renew(began):
                leases.reap(session, max_failures=self._settings.max_failures)
        for lane, free in self._free.items():
            if free.acquire(blocking=False):
                free.release()
                self._wake_for_waiting(lane)
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + _SWEEP_SECONDS
            sweep_uploads(self._database, self._blobs)
        self._sweeper.look()

    def _others_could_renew(self, began: float) -> bool:
        """Whether a lease that has expired tells of a lost worker.

        Whoever waited long for the database waited beside all the others, whose heartbeats may come right behind: then nobody is
        called lost for the length of a lease.
        """
        now = time.monotonic()
        if now - began > min(self._settings.lease_seconds / 2, _SLOW_SECONDS):
            self._reap_from = now + self._settings.lease_seconds
        return now >= self._reap_from

    def _wake_for_waiting(self, lane: str) -> None:
        with self._claiming:
            job_id = self._next(lane)
        if job_id is not None:
            self._wake(job_id, self._device)


def _kinds(lane: str) -> list[str]:
    return [name for name, kind in KINDS.items() if kind.lane == lane]
