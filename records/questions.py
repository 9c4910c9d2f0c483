"""What a worker is asked at once, and what it answers, on their way through the broker: embeddings of images, previews of tasks.

A question is announced in a list, so that one worker alone takes it. Its images lie under a key of their own, which expires: what
nobody asks for any more is gone, whatever the clocks of several hosts say. An answer is a list of one that expires, too. What is
sent is JSON and bytes; nothing of it is ever run.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import accumulate, pairwise
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import redis

MOST_IMAGES = 64
"""Images of one question."""
MOST_BYTES = 32 << 20
"""Bytes of all images of one question."""
_QUEUE = "pretext:embed:questions"
_PREVIEWS = "pretext:preview:questions"
"""A list of its own: a worker of an earlier version passes over what it does not understand."""
_MOST_WAITING = 256
"""Questions that may wait for workers."""
_LONGEST_ANSWER_LIFE = 60
_SOCKET_SECONDS = 5.0


class BrokerAwayError(Exception):
    """The broker does not answer."""


class TooManyError(Exception):
    """As many questions as may wait do so already."""


@dataclass(frozen=True)
class Question:
    """What the embeddings of a few images are asked for."""

    model_id: str
    stage: str | None
    normalize: bool
    images: tuple[bytes, ...] = field(repr=False)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class PreviewQuestion:
    """A picture of what a task does to a dataset is asked for."""

    dataset_id: str
    spec: dict[str, Any]
    """A resolved pretraining, as JSON."""
    images: tuple[bytes, ...] = field(default=(), repr=False)
    """None: they are in the dataset."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class Answer:
    """The embeddings or the picture, or why there are none."""

    features: int = 0
    """D, numbers in each embedding."""
    bad: dict[int, str] = field(default_factory=dict)
    """Why an image cannot be used, by its number from 0. If there is one, there are no embeddings."""
    error: dict[str, str] | None = None
    """`code` and `message` of what is wrong with all of it."""
    vectors: bytes = field(default=b"", repr=False)
    """float32, little-endian, one embedding behind the other."""
    picture: bytes = field(default=b"", repr=False)
    """A WebP."""


QuestionT = TypeVar("QuestionT", Question, PreviewQuestion)


class Questions:
    """Both ends of the way.

    Args:
        broker: URL of the Redis or Valkey that wakes workers, as Celery has it.
    """

    def __init__(self, broker: str) -> None:
        self._redis = redis.Redis.from_url(
            _redis_url(broker), socket_timeout=_SOCKET_SECONDS, socket_connect_timeout=2, health_check_interval=30
        )

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def ask(self, question: Question | PreviewQuestion, seconds: float) -> Answer | None:
        """Ask, and wait for the answer; None if none comes in time. Afterwards nothing of the question is left.

        Raises:
            BrokerAwayError: the broker does not answer.
            TooManyError: too many wait already.
        """
        told = json.dumps({**_known(question), "sizes": [len(image) for image in question.images]})
        queue = _QUEUE if isinstance(question, Question) else _PREVIEWS
        life = max(1, round(seconds * 1000))
        try:
            if self._count(queue) >= _MOST_WAITING:
                raise TooManyError
            with self._redis.pipeline() as send:
                send.set(_images_key(question.id), b"".join(question.images), px=life)
                send.rpush(queue, told)
                send.pexpire(queue, life + 60_000)
                send.execute()
            try:
                return self._wait(question.id, seconds)
            finally:
                with self._redis.pipeline() as clear:
                    clear.delete(_images_key(question.id), _answer_key(question.id))
                    clear.lrem(queue, 1, told)
                    clear.execute()
        except redis.RedisError as error:
            raise BrokerAwayError(str(error)) from error

    def _wait(self, question_id: str, seconds: float) -> Answer | None:
        left = seconds
        while left > 0:
            step = min(left, _SOCKET_SECONDS / 2)
            found: Any = self._redis.blpop([_answer_key(question_id)], timeout=step)
            if found is not None:
                return _read_answer(found[1])
            left -= step
        return None

    def take(self, seconds: float, most_images: int) -> Sequence[Question | PreviewQuestion]:
        """Wait for a question for so long, and take along those that wait behind it, up to a number of images. No other gets them.

        Previews are taken one by one, when no images wait. The last question may go beyond that number, and beyond `MOST_BYTES`, by
        what one question may have.

        Raises:
            BrokerAwayError: the broker does not answer.
        """
        try:
            first: Any = self._redis.blpop([_QUEUE, _PREVIEWS], timeout=seconds)
            if first is None:
                return []
            taken = [json.loads(first[1])]
            if first[0].decode() == _PREVIEWS:
                return self._with_images(taken, PreviewQuestion)
            while sum(len(one["sizes"]) for one in taken) < most_images and sum(sum(one["sizes"]) for one in taken) < MOST_BYTES:
                more: Any = self._redis.lpop(_QUEUE)
                if more is None:
                    break
                taken.append(json.loads(more))
            return self._with_images(taken, Question)
        except redis.RedisError as error:
            raise BrokerAwayError(str(error)) from error

    def answer(self, question_id: str, answer: Answer) -> None:
        """Send an answer.

        Raises:
            BrokerAwayError: the broker does not answer.
        """
        header = {name: value for name, value in asdict(answer).items() if name not in {"vectors", "picture"}}
        if answer.picture:
            header["is_picture"] = True
        try:
            with self._redis.pipeline() as send:
                send.rpush(_answer_key(question_id), json.dumps(header).encode() + b"\n" + (answer.picture or answer.vectors))
                send.expire(_answer_key(question_id), _LONGEST_ANSWER_LIFE)
                send.execute()
        except redis.RedisError as error:
            raise BrokerAwayError(str(error)) from error

    def _count(self, queue: str | None = None) -> int:
        found: Any = self._redis.llen(queue or _QUEUE)
        return int(found)

    def _with_images(self, taken: Sequence[dict[str, Any]], kind: type[QuestionT]) -> list[QuestionT]:
        """Questions with their images, without those that have expired."""
        found = []
        for told in taken:
            content: Any = self._redis.getdel(_images_key(told["id"]))
            sizes = told.pop("sizes")
            if content is not None and sum(sizes) == len(content):
                places = pairwise(accumulate(sizes, initial=0))
                found.append(kind(**told, images=tuple(content[start:end] for start, end in places)))
        return found


def _known(question: Question | PreviewQuestion) -> dict[str, Any]:
    return {one.name: getattr(question, one.name) for one in fields(question) if one.name != "images"}


def _read_answer(content: bytes) -> Answer:
    header, _, rest = content.partition(b"\n")
    told = json.loads(header)
    bad = {int(number): reason for number, reason in told.pop("bad").items()}
    if told.pop("is_picture", False):
        return Answer(**told, bad=bad, picture=rest)
    return Answer(**told, bad=bad, vectors=rest)


def _images_key(question_id: str) -> str:
    return f"pretext:embed:images:{question_id}"


def _answer_key(question_id: str) -> str:
    return f"pretext:embed:answer:{question_id}"


def _redis_url(broker: str) -> str:
    """A broker's URL as redis-py has it: Celery calls a unix socket `redis+socket`, and its database `virtual_host`."""
    parts = urlsplit(broker)
    if parts.scheme not in {"redis+socket", "redis+unix"}:
        return broker
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0]
    return f"unix://{parts.path}?db={database}"
