import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.shapes import generate, write_zip
from records.blobs import LocalBlobs
from records.database import Database
from records.ids import new_id
from records.models import Job
from records.queries import datasets, jobs
from records.settings import Settings
from ssl_core.spec import DatasetFacts, PretrainSpec, resolve
from worker.engine import Engine

PROTOCOLS = [
    "knn",
    {"name": "label_efficiency", "labels_per_class": [1, 2], "steps": 12, "batch_size": 8, "draws": 6, "learning_rates": [0.001]},
]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The engine's own tests run on SQLite; its queries are tested on both systems, and one whole job below is."""
    return sqlite_url


@pytest.fixture
def worker_settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"checkpoint_seconds": 0.2, "reaper_seconds": 0.2, "lease_seconds": 2.0, "heartbeat_seconds": 0.2}
    )


@pytest.fixture
def make_engine(worker_settings: Settings, database: Database, blobs: LocalBlobs) -> Iterator[Callable[[], Engine]]:
    """Engines on one database and one blob store, stopped at the end."""
    made: list[Engine] = []

    def make() -> Engine:
        engine = Engine(worker_settings, database, blobs, lambda _job, _device: None, "cpu")
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.stop()


@pytest.fixture
def engine(make_engine: Callable[[], Engine]) -> Engine:
    return make_engine()


@pytest.fixture
def upload(database: Database, blobs: LocalBlobs, tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Puts a file where an upload lies, and gives the ids of its dataset and of the job that ingests it."""

    def put(path: Path) -> tuple[str, str]:
        dataset_id = new_id("ds")
        key = f"datasets/{dataset_id}/upload"
        blobs.put(key, path)
        with database.write() as session:
            dataset = datasets.create(
                session,
                dataset_id=dataset_id,
                name=path.name,
                filename=path.name,
                upload=(key, path.stat().st_size, "0" * 64),
                metadata={},
                idempotency_key=None,
            )
            assert dataset.job_id is not None
            return dataset_id, dataset.job_id

    return put


@pytest.fixture
def shapes_zip(tmp_path: Path) -> Path:
    images, _, _ = generate(count=64, seed=0, size=32)
    path = tmp_path / "shapes.zip"
    write_zip(path, images)
    return path


@pytest.fixture
def ingested(engine: Engine, upload: Callable[..., tuple[str, str]], shapes_zip: Path) -> str:
    """Id of a dataset that is ready."""
    dataset_id, job_id = upload(shapes_zip)
    engine.work(job_id)
    return dataset_id


@pytest.fixture
def pretrain(database: Database) -> Callable[..., str]:
    """Queues a pretraining of the tiny encoder on a dataset, and gives the job's id."""

    def queue(dataset_id: str, *, steps: int = 6, **more: object) -> str:
        asked = PretrainSpec.model_validate(
            {"task": {"name": "rotation"}, "encoder": {"name": "tiny"}, "steps": steps, "batch_size": 16, "formats": [], **more}
        )
        with database.write() as session:
            dataset = datasets.ready(session, dataset_id)
            facts = DatasetFacts(images=dataset.images or 0, median_side=dataset.median_side or 0)
            spec = resolve(asked, facts).model_dump(mode="json")
            return jobs.create(session, kind="pretrain", dataset_id=dataset_id, spec=spec).id

    return queue


@pytest.fixture
def read_job(database: Database) -> Callable[[str], Job]:
    def read(job_id: str) -> Job:
        with database.read() as session:
            return jobs.get(session, job_id)

    return read


@pytest.fixture
def in_background() -> Iterator[Callable[..., threading.Thread]]:
    """Runs a function in a thread that is waited for at the end."""
    threads: list[threading.Thread] = []

    def start(function: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=function, args=arguments)
        threads.append(thread)
        thread.start()
        return thread

    yield start
    for thread in threads:
        thread.join(25)
        assert not thread.is_alive()


@pytest.fixture
def labelled(engine: Engine, upload, tmp_path: Path) -> str:
    images, labels, _ = generate(count=80, seed=0, size=32)
    write_zip(tmp_path / "labelled.zip", images, [f"kind{label % 4}/{number}.png" for number, label in enumerate(labels)])
    dataset_id, job_id = upload(tmp_path / "labelled.zip")
    engine.work(job_id)
    return str(dataset_id)


@pytest.fixture
def model_id(engine: Engine, labelled: str, pretrain, read_job) -> str:
    job_id = pretrain(labelled)
    engine.work(job_id)
    return str(read_job(job_id).model_id)


@pytest.fixture
def evaluate(database: Database, labelled: str, model_id: str) -> Callable[..., str]:
    """Queues an evaluation, and gives the job's id."""

    def queue(**more: object) -> str:
        spec = {"model_id": model_id, "protocols": PROTOCOLS, **more}
        with database.write() as session:
            return jobs.create(session, kind="evaluate", dataset_id=labelled, spec=spec).id

    return queue
