"""Pretrain: a dataset becomes an encoder."""

from typing import Any, ClassVar

from sqlalchemy.orm import Session

from records.blobs import file_sha256
from records.database import now
from records.ids import new_id
from records.models import Job, Model, ModelFile
from records.queries import datasets, models
from ssl_core.spec import ENCODERS, ResolvedPretrain
from worker.kinds.base import Workplace


class Pretrain:
    """Trains an encoder by a pretext task."""

    lane: ClassVar[str] = "train"

    def prepare(self, session: Session, job: Job, place: Workplace) -> list[str]:
        assert job.dataset_id is not None
        dataset = datasets.ready(session, job.dataset_id)
        spec = ResolvedPretrain.model_validate(job.spec).on_device(place.device)
        job.spec = spec.model_dump(mode="json")
        job.device = spec.device
        self._model_id = new_id("model")
        self._prefix = f"models/{self._model_id}"
        (place.folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
        data = place.folder / "data"
        data.mkdir()
        for number, shard in enumerate(dataset.shards or []):
            (data / f"shard-{number:05}.parquet").symlink_to(place.blobs.path(shard["key"]))
        settings = place.settings
        arguments = ["pretrain", str(place.folder / "spec.json"), "--data", str(data), "--out", str(place.out)]
        arguments += ["--cache", str(settings.cache), "--cache-bytes", str(settings.cache_bytes), "--dataset-key", dataset.id]
        arguments += ["--checkpoint-seconds", str(settings.checkpoint_seconds)]
        if spec.init_from is not None:
            weights = models.file(session, spec.init_from, models.WEIGHTS)
            arguments += ["--weights", str(place.blobs.path(weights.key))]
        return arguments + self._resume(job, place)

    @staticmethod
    def _resume(job: Job, place: Workplace) -> list[str]:
        """The newest checkpoint that is still there."""
        folder = place.out / "checkpoints"
        folder.mkdir(parents=True)
        for checkpoint in job.checkpoints:
            try:
                source = place.blobs.path(checkpoint["key"])
            except FileNotFoundError:
                continue
            (folder / f"checkpoint-{checkpoint['step']:09}.safetensors").symlink_to(source)
        return []

    def store(self, place: Workplace) -> None:
        self._files: list[dict[str, Any]] = []
        bundle = place.out / "bundle"
        for path in sorted(bundle.iterdir()):
            key = f"{self._prefix}/{path.name}"
            place.blobs.put(key, path)
            self._files.append({"name": path.name, "key": key, "bytes": path.stat().st_size, "sha256": file_sha256(path)})

    def publish(self, session: Session, job: Job, result: dict[str, Any]) -> None:
        spec = ResolvedPretrain.model_validate(job.spec)
        model = Model(
            id=self._model_id,
            name=f"{spec.encoder.name} by {spec.task.name}",
            job_id=job.id,
            dataset_id=job.dataset_id,
            task=spec.task.name,
            encoder=spec.encoder.model_dump(),
            features=ENCODERS[spec.encoder.name].features,
            image_size=spec.image_size,
            metrics=result.get("metrics", {}),
            created_at=now(session),
            meta=job.meta,
            files=[ModelFile(**file) for file in self._files],
        )
        session.add(model)
        job.model_id = model.id

    def discard(self, place: Workplace) -> None:
        place.blobs.delete(self._prefix)

    def on_end(self, session: Session, job: Job, error: dict[str, Any] | None) -> None:
        """Nobody waits for anything but the job itself."""
