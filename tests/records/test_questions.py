import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from records import questions as module
from records.questions import Answer, BrokerAwayError, PreviewQuestion, Question, Questions, TooManyError


@pytest.fixture
def questions(valkey: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Questions]:
    monkeypatch.setattr(module, "_QUEUE", f"pretext:test:{uuid.uuid4().hex}")
    monkeypatch.setattr(module, "_PREVIEWS", f"pretext:test:{uuid.uuid4().hex}")
    opened = Questions(valkey)
    yield opened
    opened.close()


@pytest.fixture
def asked(questions: Questions):
    """Asks in the background."""
    with ThreadPoolExecutor(8) as pool:
        yield lambda question, seconds=10.0: pool.submit(questions.ask, question, seconds)


def question(*images: bytes, **more: object) -> Question:
    return Question(**{"model_id": "model_1", "stage": None, "normalize": False, "images": images or (b"one",), **more})


def left_over(questions: Questions) -> list[bytes]:
    return [
        *questions._redis.scan_iter("pretext:embed:*"),
        *(one for queue in (module._QUEUE, module._PREVIEWS) for one in questions._redis.lrange(queue, 0, -1)),
    ]


class TestQuestions:
    def test_come_over_whole_and_are_answered(self, questions: Questions, asked):
        sent = question(b"one", b"", b"\x00\xff\n", stage="layer3", normalize=True)
        answer = asked(sent)
        assert questions.take(5, 64) == [sent]
        told = Answer(features=2, vectors=bytes(range(24)))
        questions.answer(sent.id, told)
        assert answer.result() == told
        assert left_over(questions) == []

    def test_previews_come_behind_images_and_one_by_one(self, questions: Questions, asked):
        sent = [PreviewQuestion("ds_1", {"task": {"name": name}}) for name in ("jigsaw", "gan")]
        pictures = [asked(one) for one in sent]
        while questions._count(module._PREVIEWS) < 2:
            pass
        embedded = asked(question())
        while not questions._count():
            pass
        (first,), (second,), (third,) = questions.take(5, 64), questions.take(5, 64), questions.take(5, 64)
        assert isinstance(first, Question)
        assert {second.spec["task"]["name"], third.spec["task"]["name"]} == {"jigsaw", "gan"}
        questions.answer(first.id, Answer(vectors=b"abcd"))
        for one in sent:
            questions.answer(one.id, Answer(picture=b"\n" + one.id.encode()))
        assert embedded.result() == Answer(vectors=b"abcd")
        assert [one.result() for one in pictures] == [Answer(picture=b"\n" + one.id.encode()) for one in sent]
        assert left_over(questions) == []

    def test_what_is_wrong_comes_back(self, questions: Questions, asked):
        answer = asked(question())
        (taken,) = questions.take(5, 64)
        questions.answer(taken.id, Answer(bad={3: "it is a poem"}, error={"code": "c", "message": "m"}))
        assert (answer.result().bad, answer.result().error) == ({3: "it is a poem"}, {"code": "c", "message": "m"})

    def test_one_alone_takes_each(self, questions: Questions, valkey: str, asked):
        answers = [asked(question(str(number).encode())) for number in range(8)]
        taken: list[Question] = []
        ready = threading.Barrier(3)

        def work() -> None:
            ready.wait()
            while found := questions.take(0.5, 1):
                taken.extend(found)
                for one in found:
                    questions.answer(one.id, Answer(vectors=one.images[0]))

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: work(), range(3)))
        assert [answer.result().vectors for answer in answers] == [str(number).encode() for number in range(8)]
        assert len(taken) == 8

    def test_those_that_wait_are_taken_along(self, questions: Questions, asked):
        answers = [asked(question(b"a", b"b")) for _ in range(3)]
        while questions._count() < 3:
            pass
        first, second = questions.take(5, 4), questions.take(5, 4)
        assert (len(first), len(second)) == (2, 1)
        for one in first + second:
            questions.answer(one.id, Answer())
        assert all(answer.result() == Answer() for answer in answers)

    def test_no_more_bytes_are_taken_along_than_one_may_have(self, questions: Questions, asked, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(module, "MOST_BYTES", 10)
        answers = [asked(question(b"12345678")) for _ in range(3)]
        while questions._count() < 3:
            pass
        taken = [questions.take(5, 64), questions.take(5, 64)]
        assert [len(one) for one in taken] == [2, 1]
        for one in [*taken[0], *taken[1]]:
            questions.answer(one.id, Answer())
        assert all(answer.result() == Answer() for answer in answers)

    def test_nothing_is_left_of_one_that_nobody_answers(self, questions: Questions):
        assert questions.ask(question(), 0.1) is None
        assert left_over(questions) == []
        assert questions.take(0.1, 64) == []

    def test_one_whose_asker_is_gone_is_not_taken(self, questions: Questions, asked):
        sent = question()
        answer = asked(sent, 0.5)
        while not questions._count():
            pass
        questions._redis.delete(f"pretext:embed:images:{sent.id}")
        assert questions.take(1, 64) == []
        assert answer.result() is None

    def test_images_expire_by_themselves(self, questions: Questions, asked):
        sent = question()
        asked(sent, 1)
        while not questions._count():
            pass
        assert 0 < questions._redis.pttl(f"pretext:embed:images:{sent.id}") <= 1000
        assert questions._redis.pttl(module._QUEUE) > 0

    def test_too_many_are_refused(self, questions: Questions, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(module, "_MOST_WAITING", 0)
        with pytest.raises(TooManyError):
            questions.ask(question(), 1)

    def test_a_broker_that_is_away_is_told(self):
        away = Questions("redis+socket:///nowhere/v.sock")
        with pytest.raises(BrokerAwayError):
            away.ask(question(), 1)
        with pytest.raises(BrokerAwayError):
            away.take(1, 1)
        away.close()


class TestUrl:
    @pytest.mark.parametrize(
        ("celery", "ours"),
        [
            ("redis+socket:///a/v.sock", "unix:///a/v.sock?db=0"),
            ("redis+socket:///a/v.sock?virtual_host=3", "unix:///a/v.sock?db=3"),
            ("redis://:secret@valkey:6379/0", "redis://:secret@valkey:6379/0"),
        ],
    )
    def test_is_read_as_celery_has_it(self, celery: str, ours: str):
        assert module._redis_url(celery) == ours
        assert redis.Redis.from_url(ours)
