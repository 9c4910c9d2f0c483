"""Pretrain: a dataset becomes an encoder."""

from typing import Any, ClassVar

from sqlalchemy.orm import Session

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
        arguments = ["pretrain", str(place.folder / "spec.json"), *place.lay_out(dataset)]
        if spec.init_from is not None:
            weights = models.file(session, spec.init_from, models.WEIGHTS)
            arguments += ["--weights", str(place.blobs.path(weights.key))]
        place.lay_out_checkpoints(job, "checkpoint-{:09}.safetensors")
        return arguments

    def store(self, place: Workplace) -> None:
        self._files = place.stored(place.out / "bundle", self._prefix)

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
