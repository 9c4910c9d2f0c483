"""What is answered at once: takes questions from the broker and has a process answer them that keeps torch and models in memory."""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.exc import DBAPIError

from records.blobs import Blobs
from records.database import Database
from records.errors import RecordsError
from records.queries import datasets, models
from records.questions import MOST_IMAGES, Answer, BrokerAwayError, PreviewQuestion, Question, Questions
from records.settings import Settings
from ssl_core.frames import read_frame, write_frame

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_AWAY_SECONDS = 2.0
_IDLE_SECONDS = 900.0
"""Seconds without a question after which the process ends, and gives its memory back."""
_START_SECONDS = 60.0
"""Seconds more that the first answer of a process may take: it loads torch, on a machine that may be busy."""
_TRIES = 2
_CRASHED = {"code": "embedder_crashed", "message": "the process that answers at once has ended twice over this; its log says why"}


class ProcessEndedError(Exception):
    """The process ended before it had answered."""


class Answerer:
    """`python -m ssl_core answer`. The kernel ends it with the thread that makes it."""

    def __init__(self, settings: Settings, device: Literal["auto", "cpu", "cuda"]) -> None:
        arguments = {"device": device, "threads": settings.embed_threads, "model-bytes": settings.embed_model_bytes}
        options = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
        self._process = process = subprocess.Popen(
            [sys.executable, "-m", "ssl_core", "answer", *options, "--supervisor", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(settings.embed_threads)},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._answers = process.stdin, process.stdout
        self._starts = _START_SECONDS

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it is there."""
        return self._process.poll() is None

    def tell(self, header: dict[str, Any]) -> None:
        """Send an order that has no answer."""
        with contextlib.suppress(OSError):
            write_frame(self._orders, header)

    def ask(self, header: dict[str, Any], images: Sequence[bytes], seconds: float) -> tuple[dict[str, Any], bytes]:
        """Have an order carried out.

        Raises:
            ProcessEndedError: it has ended, or took so long that it was ended.
        """
        patience = threading.Timer(seconds + self._starts, self.kill)
        patience.start()
        try:
            write_frame(self._orders, header, images)
            found = read_frame(self._answers)
        except (OSError, ValueError) as error:
            raise ProcessEndedError from error
        finally:
            patience.cancel()
        if found is None:
            raise ProcessEndedError
        self._starts = 0.0
        return found[0], found[1][0]

    def kill(self) -> None:
        """End it and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it, and leave nothing of it behind."""
        self.kill()
        for pipe in (self._orders, self._answers):
            with contextlib.suppress(OSError):
                pipe.close()
        self._process.wait()


class Answers:
    """Answers questions in a thread of its own, one group of the same model after the other.

    Args:
        settings, database, blobs: what to work with.
        folder: of its own, for links to models.
        device: what this worker can train on.
    """

    def __init__(self, settings: Settings, database: Database, blobs: Blobs, folder: Path, device: Literal["cpu", "cuda"]) -> None:
        self._settings, self._database, self._blobs, self._folder = settings, database, blobs, folder
        self._device: Literal["auto", "cpu", "cuda"] = device if settings.embed_device == "auto" else settings.embed_device
        self._questions = Questions(settings.broker)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._process: Answerer | None = None
        self._known: dict[str, str] = {}
        self._used = 0.0

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Answer what was taken, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._questions.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._carefully(self._step)
        finally:
            self._end_process()

    def _carefully(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BrokerAwayError as error:
            logger.warning("no images can be embedded at once, the broker is away: %s", error)
            self._stopping.wait(_AWAY_SECONDS)
        except Exception:  # the thread has to live as long as its worker
            logger.exception("a defect in embedding at once")
            self._stopping.wait(_AWAY_SECONDS)

    def _step(self) -> None:
        taken = self._questions.take(_LOOK_SECONDS, MOST_IMAGES)
        groups: dict[tuple[str, str | None, bool], list[Question]] = defaultdict(list)
        for question in taken:
            if isinstance(question, PreviewQuestion):
                self._questions.answer(question.id, self._drawn(question))
            else:
                groups[question.model_id, question.stage, question.normalize].append(question)
        for questions in groups.values():
            for one, answer in zip(questions, self._answered(questions), strict=True):
                self._questions.answer(one.id, answer)
        if not taken:
            self._rest()

    def _answered(self, questions: Sequence[Question]) -> list[Answer]:
        """An answer to each of some questions about one model."""
        first = questions[0]
        try:
            sha256, folder = self._model(first.model_id)
        except (RecordsError, OSError, DBAPIError) as error:
            return [Answer(error=_told(error))] * len(questions)
        header = {"model": sha256, "folder": str(folder), "stage": first.stage, "normalize": first.normalize}
        try:
            found, vectors = self._asked(header, [image for question in questions for image in question.images])
        except ProcessEndedError:
            if len(questions) > 1:  # one of them did it; the others shall not suffer
                return [answer for question in questions for answer in self._answered([question])]
            return [Answer(error=_CRASHED)]
        if "error" in found:
            return [Answer(error=found["error"])] * len(questions)
        bad = {int(number): reason for number, reason in found["bad"].items()}
        return _shared_out(questions, bad, found["features"], vectors)

    def _drawn(self, question: PreviewQuestion) -> Answer:
        """A preview of a task."""
        try:
            with self._database.read() as session:
                dataset = datasets.ready(session, question.dataset_id)
                shards = [str(self._blobs.path(shard["key"])) for shard in dataset.shards or []]
        except (RecordsError, OSError, DBAPIError) as error:
            return Answer(error=_told(error))
        try:
            found, picture = self._asked({"preview": question.spec, "shards": shards}, [])
        except ProcessEndedError:
            return Answer(error=_CRASHED)
        return Answer(error=found["error"]) if "error" in found else Answer(picture=picture)

    def _model(self, model_id: str) -> tuple[str, Path]:
        """SHA-256 of a model's weights, and the folder where they and its configuration are linked."""
        with self._database.read() as session:
            sha256 = models.file(session, model_id, models.WEIGHTS).sha256
            folder = self._folder / model_id
            if not folder.is_dir():
                self._folder.mkdir(parents=True, exist_ok=True)
                models.lay_out(session, self._blobs, model_id, folder)
        self._known[model_id] = sha256
        return sha256, folder

    def _asked(self, header: dict[str, Any], images: Sequence[bytes]) -> tuple[dict[str, Any], bytes]:
        for left in reversed(range(_TRIES)):
            self._used = time.monotonic()
            if self._process is None or not self._process.alive:
                self._end_process()
                self._process = Answerer(self._settings, self._device)
            try:
                return self._process.ask(header, images, self._settings.embed_seconds)
            except ProcessEndedError:
                logger.warning("the process that embeds at once has ended")
                self._end_process()
                if not left:
                    raise
        raise AssertionError

    def _rest(self) -> None:
        """Nobody asks: let go of deleted models, and, after a while, of the process."""
        if self._process is None:
            return
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self._end_process()
            return
        try:
            with self._database.read() as session:
                gone = [model_id for model_id in self._known if not models.exists(session, model_id)]
        except DBAPIError:
            return
        if gone:
            for model_id in gone:
                del self._known[model_id]
                shutil.rmtree(self._folder / model_id, ignore_errors=True)
            self._process.tell({"keep": sorted(set(self._known.values()))})

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


def _told(error: Exception) -> dict[str, str]:
    """Why a record or its files cannot be read."""
    if isinstance(error, DBAPIError):
        logger.warning("the database is away: %s", error)
        return {"code": "unavailable", "message": "the worker's database does not answer; try again shortly"}
    return {"code": getattr(error, "code", "storage_failed"), "message": str(error)}


def _shared_out(questions: Sequence[Question], bad: dict[int, str], features: int, vectors: bytes) -> list[Answer]:
    """To each question the embeddings of its own images, or what is wrong with them."""
    answers, first, row = [], 0, 0
    for question in questions:
        count = len(question.images)
        own = {number - first: bad[number] for number in range(first, first + count) if number in bad}
        rows = count - len(own)
        mine = vectors[row * features * 4 : (row + rows) * features * 4]
        answers.append(Answer(bad=own) if own else Answer(features=features, vectors=mine))
        first, row = first + count, row + rows
    return answers
