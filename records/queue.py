"""Waking workers: by a Celery message that holds a job's id and nothing else.

The message is a hint. If it is lost, a worker finds the job in the database a few seconds later.
"""

import logging
from collections.abc import Callable
from queue import Full, Queue
from threading import Lock, Thread

from celery import Celery
from kombu.exceptions import OperationalError
from kombu.transport.redis import Channel

logger = logging.getLogger(__name__)

RUN_JOB = "pretext.run_job"
QUEUE = "pretext"
CUDA_QUEUE = "pretext.cuda"
"""Jobs that have to run on a GPU; only workers that have one listen here."""

_MOST_WAITING = 1000
"""Messages that wait for the broker; more are not sent."""

Channel.do_restore = False
"""Messages that were taken when the broker was lost are not put back: they are hints, and kombu fails at it and ends the worker."""

Wake = Callable[[str, str], None]
"""Called with a job's id and the device it needs, once the job is committed."""


def celery_app(broker: str) -> Celery:
    """The Celery application of both sides: the API sends by name, the worker adds the task."""
    app = Celery("pretext", broker=broker, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=False,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2, "retry_on_timeout": False},
        redis_socket_timeout=5,
        redis_socket_connect_timeout=2,
    )
    return app


def redis_url(broker: str) -> str:
    """The address of a broker, as the `redis` package wants it."""
    return broker.replace("redis+socket://", "unix://")


def waker(app: Celery) -> Wake:
    """A function that wakes a worker for a job, and never waits for the broker: a thread of its own sends the messages.

    A broker that is away is logged and no more: the job is safe in the database.
    """
    waiting: Queue[tuple[str, str]] = Queue(_MOST_WAITING)
    starting = Lock()
    sender: list[Thread] = []

    def send_all() -> None:
        while True:
            job_id, device = waiting.get()
            queue = CUDA_QUEUE if device == "cuda" else QUEUE
            try:
                app.send_task(RUN_JOB, args=[job_id], queue=queue, retry=False)
            except (OperationalError, OSError) as error:
                logger.warning("the broker is away (%s); a worker will find %s by itself", error, job_id)
            except Exception:  # the thread has to go on: kombu fails in other ways too where it has lost its broker
                logger.exception("no worker could be woken; one will find %s by itself", job_id)

    def wake(job_id: str, device: str) -> None:
        with starting:  # at the first call: a thread does not outlive a fork
            if not sender:
                sender.append(Thread(target=send_all, name="waker", daemon=True))
                sender[0].start()
        try:
            waiting.put_nowait((job_id, device))
        except Full:
            logger.warning("%s messages wait for the broker already; a worker will find %s by itself", _MOST_WAITING, job_id)

    return wake
