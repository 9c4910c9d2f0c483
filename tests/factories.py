"""Records and files for tests."""

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy.orm import Session

from records.database import now
from records.ids import new_id
from records.models import Dataset, Embedding, Evaluation, Job, JobPicture, Model, ModelFile, Webhook
from records.queries import jobs, webhooks


def dataset(session: Session, **more: Any) -> Dataset:
    """A dataset that is ready, with 100 images of 32 px."""
    fields: dict[str, Any] = {
        "id": new_id("ds"),
        "name": "pictures",
        "state": "ready",
        "filename": "pictures.zip",
        "upload_bytes": 1,
        "upload_sha256": "0" * 64,
        "images": 100,
        "refused": 0,
        "median_side": 32,
        "shards": [],
        "meta": {},
        "created_at": now(session),
    }
    record = Dataset(**{**fields, **more})
    session.add(record)
    session.flush()
    return record


def job(session: Session, **more: Any) -> Job:
    """A queued job on a dataset of its own."""
    fields: dict[str, Any] = {"kind": "pretrain", "spec": {}}
    if "dataset_id" not in more:
        more["dataset_id"] = dataset(session).id
    return jobs.create(session, **{**fields, **more})


def model(session: Session, **more: Any) -> Model:
    """A model with one file that does not exist."""
    fields: dict[str, Any] = {
        "id": new_id("model"),
        "name": "tiny by rotation",
        "job_id": new_id("job"),
        "task": "rotation",
        "encoder": {"name": "tiny", "stem": "standard"},
        "features": 128,
        "image_size": 32,
        "metrics": {},
        "meta": {},
        "created_at": now(session),
        "files": [ModelFile(name="config.json", key="models/x/config.json", bytes=2, sha256="0" * 64)],
    }
    record = Model(**{**fields, **more})
    session.add(record)
    session.flush()
    return record


def evaluation(session: Session, **more: Any) -> Evaluation:
    """An evaluation without files."""
    fields: dict[str, Any] = {
        "id": new_id("eval"),
        "job_id": new_id("job"),
        "model_id": new_id("model"),
        "dataset_id": None,
        "sentence": "With 20 labels per class …",
        "metrics": {},
        "report": {"labels_saved": None},
        "files": [],
        "meta": {},
        "created_at": now(session),
    }
    record = Evaluation(**{**fields, **more})
    session.add(record)
    session.flush()
    return record


def embedding(session: Session, **more: Any) -> Embedding:
    """Embeddings without files."""
    fields: dict[str, Any] = {
        "id": new_id("emb"),
        "job_id": new_id("job"),
        "model_id": new_id("model"),
        "dataset_id": None,
        "stage": None,
        "normalized": False,
        "features": 128,
        "rows": 100,
        "left_out": 0,
        "weights_sha256": "0" * 64,
        "files": [],
        "meta": {},
        "created_at": now(session),
    }
    record = Embedding(**{**fields, **more})
    session.add(record)
    session.flush()
    return record


def picture(session: Session, job_id: str, **more: Any) -> JobPicture:
    """A picture of a job whose file does not exist."""
    fields: dict[str, Any] = {
        "epoch": 0,
        "step": 0,
        "attempt": 1,
        "key": f"jobs/{job_id}/pictures/000000-1.png",
        "bytes": 1,
        "sha256": "0" * 64,
        "width": 32,
        "height": 32,
        "caption": "nothing yet",
        "at": now(session),
    }
    record = JobPicture(job_id=job_id, **{**fields, **more})
    session.add(record)
    session.flush()
    return record


def webhook(session: Session, **more: Any) -> Webhook:
    """A webhook that wants to hear of everything."""
    fields: dict[str, Any] = {
        "url": "https://example.org/hook",
        "events": ["*"],
        "description": "",
        "metadata": {},
        "key_print": "0" * 16,
    }
    return webhooks.create(session, **{**fields, **more})


def png(side: int = 32, seed: int = 0, mode: str = "RGB") -> bytes:
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    """An archive of members by name."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tar_of(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    """A tar of members by name."""
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path
