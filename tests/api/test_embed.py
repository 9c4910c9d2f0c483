import threading
import uuid
from array import array
from collections.abc import Callable, Iterator

import pytest
from httpx import Client

from api.models import embedding
from api.services import Services
from records import questions as module
from records.queries import workers
from records.questions import Answer, Question, Questions
from tests import factories

IMAGE = ("file", ("cat.png", factories.png()))


@pytest.fixture(autouse=True)
def _own_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUEUE", f"pretext:test:{uuid.uuid4().hex}")


@pytest.fixture
def model_id(services: Services) -> str:
    with services.database.write() as session:
        return factories.model(session).id


@pytest.fixture
def path(model_id: str) -> str:
    return f"/v1/models/{model_id}/embed"


@pytest.fixture
def worker(services: Services) -> None:
    """A worker that says it embeds images at once."""
    seen(services, 1)


def seen(services: Services, embed: int) -> None:
    with services.database.write() as session:
        workers.seen(session, "worker_1", host="h", pid=1, device="cpu", slots={"train": 1, "embed": embed})


@pytest.fixture
def answered(services: Services, worker: None) -> Iterator[Callable[[Answer], list[Question]]]:
    """Has whatever is asked answered by one answer; gives the list of what was asked."""
    threads: list[threading.Thread] = []

    def begin(answer: Answer) -> list[Question]:
        asked: list[Question] = []

        def work() -> None:
            questions = Questions(services.settings.broker)
            for question in questions.take(20, 1):
                asked.append(question)
                questions.answer(question.id, answer)
            questions.close()

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return asked

    yield begin
    for thread in threads:
        thread.join()


class TestAnswer:
    def test_has_an_embedding_for_each_image_in_order(self, client: Client, path: str, model_id: str, answered):
        asked = answered(Answer(features=3, vectors=array("f", [0, 1, 2, 3, 4, 0.1]).tobytes()))
        images = [("file", ("b.jpg", b"second")), ("file", ("a.jpg", b"first"))]
        answer = client.post(path, files=images, data={"stage": "layer3", "normalize": "true"})
        assert answer.status_code == 200
        told = answer.json()
        assert {name: told[name] for name in told if name != "data"} == {
            "object": "list",
            "model_id": model_id,
            "features": 3,
            "stage": "layer3",
            "normalized": True,
        }
        assert [(one["object"], one["index"]) for one in told["data"]] == [("embedding", 0), ("embedding", 1)]
        assert told["data"][0]["embedding"] == [0, 1, 2]
        assert told["data"][1]["embedding"] == pytest.approx([3, 4, 0.1])
        assert asked[0].images == (b"second", b"first")
        assert (asked[0].stage, asked[0].normalize) == ("layer3", True)

    def test_names_the_images_that_cannot_be_used(self, client: Client, path: str, answered):
        answered(Answer(bad={1: "the file is empty"}))
        answer = client.post(path, files=[IMAGE, ("file", ("dog.png", b"x"))])
        assert (answer.status_code, answer.json()["code"], answer.json()["param"]) == (422, "bad_image", "file.1")
        assert answer.json()["detail"] == "image 1 (dog.png): the file is empty"

    @pytest.mark.parametrize(
        ("code", "status", "param"),
        [("unknown_stage", 422, "stage"), ("not_of_images", 422, None), ("embedder_crashed", 503, None)],
    )
    def test_tells_what_a_worker_refuses(self, client: Client, path: str, answered, code: str, status: int, param: str | None):
        answered(Answer(error={"code": code, "message": "because"}))
        answer = client.post(path, files=[IMAGE])
        assert (answer.status_code, answer.json()["detail"], answer.json().get("param")) == (status, "because", param)


class TestNobody:
    def test_is_told_at_once_where_no_worker_is_alive(self, client: Client, services: Services, path: str):
        for _ in range(2):
            answer = client.post(path, files=[IMAGE])
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
            assert "no worker is alive that embeds images at once" in answer.json()["detail"]
            seen(services, 0)

    def test_is_told_after_a_while_where_one_does_not_answer(
        self, client: Client, services: Services, path: str, worker: None, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(services.settings, "embed_seconds", 0.1)
        answer = client.post(path, files=[IMAGE])
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert "no worker has answered within 0.1 s, though 1 worker is alive" in answer.json()["detail"]

    def test_is_told_where_too_many_wait(self, client: Client, path: str, worker: None, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(module, "_MOST_WAITING", 0)
        assert "too many requests to embed images wait" in client.post(path, files=[IMAGE]).json()["detail"]
        monkeypatch.setattr(embedding, "_MOST_AT_ONCE", 0)
        answer = client.post(path, files=[IMAGE])
        assert (answer.status_code, "wait to be embedded already" in answer.json()["detail"]) == (503, True)


class TestRefused:
    @pytest.mark.parametrize(
        ("sent", "status", "says"),
        [
            ({"json": {"images": []}}, 422, "multipart/form-data"),
            ({"data": {"stage": "a"}, "files": [("other", b"x")]}, 422, "no part `file`"),
            ({"files": [("file", b"x")] * 65}, 422, "64 images are taken at once"),
            ({"files": [IMAGE], "data": {"normalize": "perhaps"}}, 422, "normalize"),
            ({"files": [("file", bytes(17 << 20))] * 2}, 413, "32 MiB"),
            ({"content": b"no form", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 422, "cannot be read"),
        ],
    )
    def test_what_is_no_request(self, client: Client, path: str, worker: None, sent: dict, status: int, says: str):
        answer = client.post(path, **sent)
        assert answer.status_code == status, answer.text
        assert says in answer.json()["detail"]

    def test_a_body_of_any_length_is_not_read_to_its_end(self, client: Client, path: str, worker: None):
        def endless() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            for _ in range(40):
                yield bytes(1 << 20)

        answer = client.post(path, content=endless(), headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert answer.status_code == 413

    def test_a_model_that_is_not_there_or_of_videos(self, client: Client, services: Services, worker: None):
        assert client.post("/v1/models/model_x/embed", files=[IMAGE]).status_code == 404
        with services.database.write() as session:
            of_videos = factories.model(session, task="clip_order").id
        answer = client.post(f"/v1/models/{of_videos}/embed", files=[IMAGE])
        assert (answer.status_code, "the encoder is of videos" in answer.json()["detail"]) == (422, True)
