"""The Celery application of a worker. The task is a wake-up call; `worker/engine.py` does the work."""

import logging
import os
import time
import warnings
from typing import Any, Literal

from celery import Celery, signals
from celery.exceptions import SecurityWarning

from records import context, endings, tracing
from records.blobs import open_blobs
from records.database import Database
from records.endings import Ending
from records.log import set_up_logging
from records.queue import CUDA_QUEUE, QUEUE, RUN_JOB, celery_app, waker
from records.settings import Settings
from worker.answers import Answers
from worker.devices import find_device
from worker.engine import Engine
from worker.metrics import Figures, MetricsServer
from worker.webhooks.sender import Sender

logger = logging.getLogger(__name__)

_SPARE_THREADS = 2
"""For wake-ups that find no free slot: they are over at once, and must not wait behind jobs."""
_ANEW_SECONDS = 2.0


def build(settings: Settings, engine: Engine) -> Celery:
    """The application with its task and its signals."""
    app = celery_app(settings.broker)

    @app.task(name=RUN_JOB)  # type: ignore[untyped-decorator]  # Celery has no types
    def run_job(job_id: str) -> None:
        engine.work(job_id)

    def on_ready(**_: Any) -> None:
        logger.info("worker %s is ready", engine.worker_id)

    def on_shutting_down(**_: Any) -> None:
        engine.stop()

    signals.setup_logging.connect(lambda **_: None, weak=False)  # the service's own logging is set up already
    signals.worker_ready.connect(on_ready, weak=False)
    signals.worker_shutting_down.connect(on_shutting_down, weak=False)
    return app


def _answers(settings: Settings, engine: Engine, device: Literal["cpu", "cuda"]) -> Answers | None:
    """What embeds images at once, listening; None if it is switched off."""
    if not settings.embed_at_once:
        return None
    answers = Answers(settings, Database(settings.database), open_blobs(settings.blobs), engine.scratch / "answers", device)
    answers.start()
    return answers


def _metrics(settings: Settings, database: Database, engine: Engine) -> MetricsServer | None:
    """What serves the worker's figures, serving; None if it is switched off."""
    if not settings.worker_metrics_port:
        return None
    engine.figures = Figures(settings, database, engine.busy)
    server = MetricsServer(settings, engine.figures.registry)
    server.start()
    return server


def _trace_job(ending: Ending) -> None:
    if ending.final:
        about = {"pretext__kind": ending.kind, "pretext__outcome": ending.outcome, "pretext__attempts": ending.attempt}
        tracing.tell_job(ending.job_id, ending.created_at.timestamp(), link=ending.traceparent, error=ending.error, **about)


def run(settings: Settings) -> int:
    """Run a worker until it is told to stop; gives the exit status."""
    set_up_logging(settings)
    # What comes by the queue is JSON with a job's id in it: nothing that root would run.
    warnings.filterwarnings("ignore", "You're running the worker with superuser privileges", SecurityWarning)
    device = find_device(settings.device)
    wake = waker(celery_app(settings.broker))
    database = Database(settings.database)
    engine = Engine(settings, database, open_blobs(settings.blobs), wake, device)
    context.bind_process(worker_id=engine.worker_id)
    tracing.set_up("pretext-worker")
    endings.listen(_trace_job)
    served = _metrics(settings, database, engine)
    app = build(settings, engine)
    engine.start()
    answers = _answers(settings, engine, device)
    sender = Sender(settings, Database(settings.database))
    sender.start()
    queues = f"{QUEUE},{CUDA_QUEUE}" if device == "cuda" else QUEUE
    try:
        return listen(
            app,
            engine,
            hostname=f"{engine.worker_id}@{os.uname().nodename}",
            pool="threads",
            concurrency=engine.slots + _SPARE_THREADS,
            queues=queues.split(","),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            loglevel=settings.log_level.upper(),
            quiet=True,
        )
    finally:
        engine.stop()
        sender.close()
        if answers is not None:
            answers.close()
        engine.close()
        if served is not None:
            served.close()
        tracing.close()


def listen(app: Celery, engine: Engine, **options: Any) -> int:
    """Listen for wake-ups until the worker is told to stop; gives the exit status.

    Celery gives up on some errors of a broker that it lost, and would end the worker with it; here it begins anew.
    """
    while True:
        worker = app.Worker(**options)
        worker.start()
        if engine.stopped or not worker.exitcode:
            return int(worker.exitcode or 0)
        logger.error("Celery has given up listening for jobs, which the lines above have the reason of; it begins anew")
        time.sleep(_ANEW_SECONDS)
