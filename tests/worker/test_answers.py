import io
import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from launcher.shapes import generate
from records import questions as module
from records.blobs import LocalBlobs
from records.database import Database
from records.models import ModelFile
from records.queries import embeddings, jobs, models
from records.questions import Answer, PreviewQuestion, Question, Questions
from records.settings import Settings
from ssl_core.encoders import build_encoder
from ssl_core.preview import preview
from ssl_core.spec import DatasetFacts, PretrainSpec, ResolvedEncoder, resolve
from tests import factories
from tests.worker.test_engine import until
from tests.worker.test_spares import alive
from worker import answers as answers_module
from worker.answers import Answers
from worker.engine import Engine


@pytest.fixture
def model_id(database: Database, blobs: LocalBlobs) -> str:
    torch.manual_seed(0)
    encoder = build_encoder(ResolvedEncoder(name="tiny", stem="standard"), 32)
    config = {"encoder": {"name": "tiny", "stem": "standard"}, "features": 128, "image_size": 32}
    contents = {"encoder.safetensors": save(encoder.weights()), "config.json": json.dumps(config).encode()}
    for name, content in contents.items():
        with blobs.writer(f"models/model_1/{name}") as writer:
            writer.write(content)
    with database.write() as session:
        files = [ModelFile(name=name, key=f"models/model_1/{name}", bytes=1, sha256=name) for name in contents]
        return factories.model(session, id="model_1", files=files).id


@pytest.fixture
def answers(worker_settings: Settings, database: Database, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    monkeypatch.setattr(module, "_QUEUE", f"pretext:test:{uuid.uuid4().hex}")
    monkeypatch.setattr(module, "_PREVIEWS", f"pretext:test:{uuid.uuid4().hex}")
    answers = Answers(worker_settings, database, blobs, worker_settings.scratch / "answers", "cpu")
    answers.start()
    yield answers
    answers.close()
    assert answers._process is None


@pytest.fixture
def ask(answers: Answers, worker_settings: Settings) -> Iterator[Callable[..., Answer]]:
    questions = Questions(worker_settings.broker)

    def ask(*images: bytes, model_id: str = "model_1", stage: str | None = None, normalize: bool = False) -> Answer:
        answer = questions.ask(Question(model_id, stage, normalize, images), 25)
        assert answer is not None
        return answer

    yield ask
    questions.close()


def matrix(answer: Answer) -> np.ndarray:
    return np.frombuffer(answer.vectors, "<f4").reshape(-1, answer.features)


def pid_of(answers: Answers) -> int:
    assert answers._process is not None
    return answers._process.pid


class TestAnswers:
    def test_are_what_a_job_says(
        self, answers: Answers, ask, engine: Engine, database, blobs, ingested: str, model_id: str, read_job
    ):
        pictures = []
        for pixels in generate(count=64, seed=0, size=32)[0]:
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            pictures.append(buffer.getvalue())
        found = ask(*pictures[:7], stage="stage3", normalize=True)
        with database.write() as session:
            spec = {"model_id": model_id, "stage": "stage3", "normalize": True}
            job_id = jobs.create(session, kind="embed", dataset_id=ingested, spec=spec).id
        engine.work(job_id)
        with database.read() as session:
            files = embeddings.get(session, read_job(job_id).embedding_id).files
        rows = pq.read_table(blobs.path(files[0]["key"]), columns=["embedding"])["embedding"].to_pylist()
        assert np.abs(matrix(found) - np.array(rows[:7], np.float32)).max() < 1e-4

    def test_say_what_is_wrong_with_whom(self, answers: Answers, ask, model_id: str):
        with ThreadPoolExecutor(3) as pool:  # taken along together, once the process is there
            good, bad, other = pool.map(
                lambda images: ask(*images),
                [[factories.png(40), factories.png(50)], [factories.png(40), b"a poem"], [factories.png(40, mode="L")]],
            )
        assert matrix(good).shape == (2, 128)
        assert list(bad.bad) == [1]
        assert "not an image" in bad.bad[1]
        assert matrix(other).shape == (1, 128)
        assert "no stage 'x'; it has stage1" in ask(factories.png(8), stage="x").error["message"]
        assert ask(factories.png(8), model_id="model_x").error["code"] == "not_found"

    def test_go_on_after_their_process_is_killed(self, answers: Answers, ask, model_id: str):
        before = ask(factories.png(40))
        first = pid_of(answers)
        os.kill(first, signal.SIGKILL)
        assert np.array_equal(matrix(ask(factories.png(40))), matrix(before))
        assert pid_of(answers) != first
        assert not alive(first)

    def test_forget_a_deleted_model_and_after_a_while_all(
        self, answers: Answers, ask, database: Database, model_id: str, monkeypatch
    ):
        assert answers._process is None
        told: list[dict] = []
        monkeypatch.setattr(answers_module.Answerer, "tell", lambda _self, header: told.append(header))
        ask(factories.png(40))
        with database.write() as session:
            models.delete(session, model_id)
        until(lambda: told)
        assert told == [{"keep": []}]
        assert not (answers._folder / model_id).exists()
        assert ask(factories.png(40)).error["code"] == "not_found"
        pid = pid_of(answers)
        monkeypatch.setattr(answers_module, "_IDLE_SECONDS", 0)
        until(lambda: answers._process is None)
        assert not alive(pid)

    def test_images_that_end_the_process_are_told_and_cost_nobody_else(self, answers: Answers, monkeypatch):
        asked: list[int] = []

        def die(header: dict, images: list[bytes]) -> tuple[dict, bytes]:
            asked.append(len(images))
            if b"deadly" in images:
                raise answers_module.ProcessEndedError
            return {"bad": {}, "features": 1}, bytes(4 * len(images))

        monkeypatch.setattr(answers, "_asked", die)
        monkeypatch.setattr(answers, "_model", lambda _model_id: ("sha", answers._folder))
        three = [Question("m", None, False, images) for images in ((b"a",), (b"deadly",), (b"b", b"c"))]
        first, second, third = answers._answered(three)
        assert asked == [4, 1, 1, 2]
        assert (len(first.vectors), len(third.vectors)) == (4, 8)
        assert second.error["code"] == "embedder_crashed"


class TestPreviews:
    def test_are_drawn_of_the_dataset_s_own_samples(self, answers: Answers, worker_settings: Settings, ingested: str):
        spec = resolve(PretrainSpec.model_validate({"task": {"name": "jigsaw"}}), DatasetFacts(images=64, median_side=32))
        questions = Questions(worker_settings.broker)
        answer = questions.ask(PreviewQuestion(ingested, spec.model_dump(mode="json")), 25)
        images = np.stack(generate(count=64, seed=0, size=32)[0])
        assert answer == Answer(picture=preview(spec, images[[8, 24, 40, 56]]))
        gone = questions.ask(PreviewQuestion("ds_gone", spec.model_dump(mode="json")), 25)
        questions.close()
        assert gone.error["code"] == "not_found"
