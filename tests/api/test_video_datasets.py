"""Datasets of videos over HTTP, made by the worker's own ingest."""

import io
import json
from pathlib import Path

import pytest
from httpx import Client
from PIL import Image

from api.services import Services
from ssl_core.events import TextEvents
from ssl_core.ingest import run_ingest
from ssl_core.process import StopRequest
from tests import factories
from tests.videos import moving, video


@pytest.fixture
def ready(services: Services, tmp_path: Path) -> str:
    """A dataset of three videos, of 20, 20 and 60 frames."""
    members = {"run/a.mp4": video(), "run/b.mp4": video(moving(60)), "sit/c.mp4": video(), "sit/d.txt": b"words"}
    report = run_ingest(
        factories.zip_of(tmp_path / "a.zip", members), tmp_path / "out", TextEvents(io.StringIO()), StopRequest(), kind="video"
    )
    report = json.loads(json.dumps(report))
    shards = []
    for shard in report["shards"]:
        services.blobs.put(f"datasets/v/{shard['name']}", tmp_path / "out" / shard["name"])
        shards.append({**shard, "key": f"datasets/v/{shard['name']}"})
    with services.database.write() as session:
        made = factories.dataset(
            session, kind="video", images=3, refused=1, median_side=48, labels=report["labels"], shards=shards, report=report
        )
        return made.id


class TestVideos:
    def test_are_counted_as_videos(self, client: Client, ready: str):
        shown = client.get(f"/v1/datasets/{ready}").json()
        assert (shown["kind"], shown["images"], shown["videos"], shown["frames"]) == ("video", None, 3, 100)

    def test_samples_have_lengths(self, client: Client, ready: str):
        found = client.get(f"/v1/datasets/{ready}/samples").json()["data"]
        assert [(one["path"], one["frames"], one["seconds"]) for one in found] == [
            ("run/a.mp4", 20, 0.8),
            ("run/b.mp4", 60, 2.4),
            ("sit/c.mp4", 20, 0.8),
        ]

    def test_thumbnails_move(self, client: Client, ready: str):
        moving_one = client.get(f"/v1/datasets/{ready}/samples/1/thumbnail", params={"size": 64})
        with Image.open(io.BytesIO(moving_one.content)) as picture:
            assert (picture.format, picture.size) == ("WEBP", (64, 48))
            assert picture.n_frames > 1
        still = client.get(f"/v1/datasets/{ready}/samples/1/thumbnail", params={"format": "png", "size": 64})
        with Image.open(io.BytesIO(still.content)) as picture:
            assert (picture.format, picture.size) == ("PNG", (64, 48))

    def test_a_task_about_images_is_refused(self, client: Client, ready: str):
        answer = client.post("/v1/jobs", json={"kind": "pretrain", "dataset_id": ready, "task": {"name": "rotation"}})
        assert answer.status_code == 422
        assert answer.json()["param"] == "task.name"
        assert "the dataset is of videos" in answer.json()["detail"]


class TestKind:
    def test_is_taken_from_the_form(self, client: Client, services: Services):
        from records.queries import datasets

        answer = client.post("/v1/datasets", files={"file": ("a.zip", b"PK\x03\x04")}, data={"kind": "video"})
        assert answer.json()["kind"] == "video"
        with services.database.read() as session:
            assert datasets.get(session, answer.json()["id"]).kind == "video"

    def test_another_is_refused(self, client: Client):
        answer = client.post("/v1/datasets", files={"file": ("a.zip", b"PK\x03\x04")}, data={"kind": "sound"})
        assert (answer.status_code, answer.json()["param"]) == (422, "kind")
