import json
from pathlib import Path

import pytest
import torch

from records.blobs import LocalBlobs, file_sha256
from records.database import Database
from records.models import Job, Model, ModelFile
from records.queries import events, jobs, models
from records.states import JobState
from ssl_core.embed import load_encoder
from ssl_core.encoders import build_encoder
from ssl_core.spec import ResolvedEncoder
from tests import factories
from worker.engine import Engine


@pytest.fixture
def export(database: Database, engine: Engine, read_job):
    """Runs an export job to its end."""

    def run(model_id: str, **more: object) -> Job:
        with database.write() as session:
            spec = {"model_id": model_id, "formats": [], **more}
            job_id = jobs.create(session, kind="export", dataset_id=None, spec=spec).id
        engine.work(job_id)
        return read_job(job_id)

    return run


@pytest.fixture
def trained(engine: Engine, ingested: str, pretrain, read_job) -> str:
    job_id = pretrain(ingested)
    engine.work(job_id)
    return str(read_job(job_id).model_id)


@pytest.fixture
def imported(database: Database, blobs: LocalBlobs, tmp_path: Path) -> str:
    """A model that somebody uploaded: weights, and the few words about them."""
    from safetensors.torch import save_file

    weights = build_encoder(ResolvedEncoder(name="tiny3d", stem="standard"), 16).weights()
    save_file({name: value.contiguous() for name, value in weights.items()}, tmp_path / "encoder.safetensors")
    about = {"encoder": {"name": "tiny3d", "stem": "standard"}, "features": 128, "image_size": 16}
    (tmp_path / "config.json").write_text(json.dumps(about))
    files = []
    for name in ("encoder.safetensors", "config.json"):
        blobs.put(f"models/mine/{name}", tmp_path / name)
        path = tmp_path / name
        files.append(ModelFile(name=name, key=f"models/mine/{name}", bytes=path.stat().st_size, sha256=file_sha256(path)))
    with database.write() as session:
        more = {"encoder": about["encoder"], "image_size": 16, "task": "imported", "job_id": None, "files": files}
        return str(factories.model(session, name="mine | <b>", **more).id)


def files_of(database: Database, blobs: LocalBlobs, model_id: str) -> dict[str, Path]:
    with database.read() as session:
        return {file.name: blobs.path(file.key) for file in models.get(session, model_id).files}


def model_of(database: Database, model_id: str) -> Model:
    with database.read() as session:
        return models.get(session, model_id)


class TestExport:
    def test_makes_a_model_that_ends_at_a_stage(self, database: Database, blobs: LocalBlobs, export, trained: str, tmp_path: Path):
        job = export(trained, stage="stage2", evaluation_id="eval_1")
        assert (job.state, job.error) == (JobState.SUCCEEDED, None)
        made, source = model_of(database, job.model_id), model_of(database, trained)
        assert (made.ends_at, made.features, made.made_from, made.job_id) == ("stage2", 64, trained, job.id)
        assert (made.name, made.task, made.dataset_id) == ("tiny by rotation, to stage2", "rotation", source.dataset_id)
        files, before = files_of(database, blobs, made.id), files_of(database, blobs, trained)
        assert files["encoder.safetensors"].read_bytes() == before["encoder.safetensors"].read_bytes()
        assert files["curves.png"].read_bytes() == before["curves.png"].read_bytes()
        for name in ("encoder.safetensors", "config.json"):
            (tmp_path / name).symlink_to(files[name])
        encoder, _ = load_encoder(tmp_path)
        assert encoder(torch.rand(2, 3, 32, 32)).shape == (2, 64)
        card = files["README.md"].read_text()
        assert f"| made from | model `{trained}` (tiny by rotation); the stage was chosen by evaluation `eval_1` |" in card
        assert "| features | 64: the mean over the map of `stage2`;" in card

    def test_a_training_starts_from_all_weights_of_it(
        self, engine: Engine, database: Database, ingested: str, export, trained: str, pretrain, read_job
    ):
        job_id = pretrain(ingested, init_from=export(trained, stage="stage2").model_id)
        engine.work(job_id)
        assert read_job(job_id).state == JobState.SUCCEEDED
        made = model_of(database, read_job(job_id).model_id)
        assert (made.ends_at, made.features, made.made_from) == (None, 128, None)

    def test_gives_uploaded_weights_their_formats_and_a_card(self, database: Database, blobs: LocalBlobs, export, imported: str):
        job = export(imported, formats=["pt2", "onnx"])
        assert (job.state, job.error) == (JobState.SUCCEEDED, None)
        files = files_of(database, blobs, job.model_id)
        assert files.keys() == {"README.md", "SHA256SUMS", "config.json", "encoder.onnx", "encoder.pt2", "encoder.safetensors"}
        card = files["README.md"].read_text()
        assert "# tiny3d, trained elsewhere" in card
        assert f"model `{imported}` (mine \\| \\<b\\>)" in card
        assert "| clip | 16 frames of 16 x 16 px, every 2nd frame of the video |" in card
        made = model_of(database, job.model_id)
        assert (made.task, made.made_from, made.ends_at) == ("imported", imported, None)

    def test_weights_that_do_not_fit_fail_it_by_name(self, database: Database, export, imported: str):
        with database.write() as session:
            weights = models.file(session, imported, "encoder.safetensors")
            weights.key = models.file(session, imported, "config.json").key
        job = export(imported)
        assert (job.state, job.error["code"], job.model_id) == (JobState.FAILED, "weights_unreadable", None)
        with database.read() as session:
            assert events.page(session, job.id, after=0, limit=100)[0][-1].data["state"] == "failed"
