import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from httpx import Client

from api.services import Services
from records import questions as module
from records.queries import datasets, workers
from records.questions import Answer, PreviewQuestion, Questions
from ssl_core.spec import ResolvedPretrain
from tests import factories

PICTURE = b"RIFF\x00\x00\x00\x00WEBP" + bytes(range(256))


@pytest.fixture(autouse=True)
def _own_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PREVIEWS", f"pretext:test:{uuid.uuid4().hex}")


@pytest.fixture
def dataset_id(services: Services) -> str:
    with services.database.write() as session:
        return factories.dataset(session, images=2000, kind="image").id


@pytest.fixture
def path(dataset_id: str) -> str:
    return f"/v1/datasets/{dataset_id}/previews"


@pytest.fixture
def worker(services: Services) -> None:
    with services.database.write() as session:
        workers.seen(session, "worker_1", host="h", pid=1, device="cpu", slots={"train": 1, "embed": 1})


@pytest.fixture
def answered(services: Services, worker: None) -> Iterator[Callable[..., list[PreviewQuestion]]]:
    """Has whatever is asked answered by one answer, after something has happened; gives the list of what was asked."""
    threads: list[threading.Thread] = []

    def begin(answer: Answer, before: Callable[[], object] = lambda: None) -> list[PreviewQuestion]:
        asked: list[PreviewQuestion] = []

        def work() -> None:
            questions = Questions(services.settings.broker)
            for question in questions.take(20, 1):
                assert isinstance(question, PreviewQuestion)
                asked.append(question)
                before()
                questions.answer(question.id, answer)
            questions.close()

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return asked

    yield begin
    for thread in threads:
        thread.join()


def kept(stored: Path, dataset_id: str) -> list[Path]:
    return list((stored / "datasets" / dataset_id).rglob("*.webp"))


class TestPreview:
    def test_is_drawn_once_and_kept_until_the_dataset_goes(
        self, client: Client, path: str, dataset_id: str, answered, stored: Path
    ):
        asked = answered(Answer(picture=PICTURE))
        answer = client.get(f"{path}/rotation")
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PICTURE, "image/webp")
        assert asked[0].dataset_id == dataset_id
        spec = ResolvedPretrain.model_validate(asked[0].spec)
        assert (spec.task.name, spec.encoder.name, spec.image_size) == ("rotation", "resnet18", 32)
        again = client.get(f"{path}/rotation")  # nobody answers any more
        assert (again.content, again.headers["etag"]) == (PICTURE, answer.headers["etag"])
        assert [file.read_bytes() for file in kept(stored, dataset_id)] == [PICTURE]
        assert client.delete(f"/v1/datasets/{dataset_id}").status_code == 204
        assert kept(stored, dataset_id) == []

    def test_is_not_sent_to_who_has_it(self, client: Client, path: str, answered):
        answered(Answer(picture=PICTURE))
        first = client.get(f"{path}/jigsaw")
        assert first.headers["cache-control"] == "private, no-cache"
        again = client.get(f"{path}/jigsaw", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        head = client.head(f"{path}/jigsaw")
        assert (head.status_code, head.headers["etag"]) == (200, first.headers["etag"])

    def test_leaves_nothing_of_a_dataset_that_is_deleted_meanwhile(
        self, client: Client, services: Services, path: str, dataset_id: str, answered, stored: Path
    ):
        def delete() -> None:
            with services.database.write() as session:
                datasets.delete(session, dataset_id)

        answered(Answer(picture=PICTURE), delete)
        assert client.get(f"{path}/rotation").status_code == 404
        assert kept(stored, dataset_id) == []

    @pytest.mark.parametrize(
        ("code", "status"), [("embedder_crashed", 503), ("too_slow", 503), ("not_found", 404), ("damaged_dataset", 409)]
    )
    def test_what_a_worker_refuses_is_told_and_not_kept(
        self, client: Client, path: str, dataset_id: str, answered, stored: Path, code: str, status: int
    ):
        answered(Answer(error={"code": code, "message": "because"}))
        answer = client.get(f"{path}/rotation")
        assert (answer.status_code, answer.json()["detail"]) == (status, "because")
        assert kept(stored, dataset_id) == []


class TestRefused:
    def test_where_no_worker_is_alive(self, client: Client, path: str):
        answer = client.get(f"{path}/rotation")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert "no worker is alive that draws previews" in answer.json()["detail"]

    def test_where_none_answers(self, client: Client, services: Services, path: str, worker: None, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(services.settings, "embed_seconds", 0.1)
        answer = client.get(f"{path}/rotation")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert "within 0.1 s, though 1 worker is alive to draw previews" in answer.json()["detail"]

    def test_a_task_that_there_is_not_or_that_the_dataset_does_not_allow(self, client: Client, services: Services, path: str):
        answer = client.get(f"{path}/origami")
        assert (answer.status_code, answer.json()["param"]) == (422, "task")
        assert "choose one of rotation, " in answer.json()["detail"]
        answer = client.get(f"{path}/clip_order")
        assert (answer.status_code, "clip_order is about videos" in answer.json()["detail"]) == (422, True)
        with services.database.write() as session:
            few = factories.dataset(session, images=4, kind="image").id
        answer = client.get(f"/v1/datasets/{few}/previews/simclr")
        assert (answer.status_code, "needs at least 8" in answer.json()["detail"]) == (422, True)

    def test_a_dataset_that_is_not_there_or_not_ready(self, client: Client, services: Services):
        assert client.get("/v1/datasets/ds_x/previews/rotation").status_code == 404
        with services.database.write() as session:
            ingesting = factories.dataset(session, state="ingesting").id
        answer = client.get(f"/v1/datasets/{ingesting}/previews/rotation")
        assert (answer.status_code, "still being ingested" in answer.json()["detail"]) == (409, True)
