"""Export: a model becomes another one, which ends at another stage or comes in other formats."""

import json
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from records.database import now
from records.ids import new_id
from records.models import Job, Model, ModelFile
from records.queries import models
from ssl_core.spec.export import ModelExport, Source, SourcedExport
from worker.kinds.base import Workplace

_LONGEST_NAME = 200


class Export:
    """Makes a new bundle of a model's encoder."""

    lane: ClassVar[str] = "ingest"
    """It takes seconds, and must not wait for a training of days."""

    def prepare(self, session: Session, job: Job, place: Workplace) -> list[str]:
        asked = ModelExport.model_validate(job.spec)
        model = models.get(session, asked.model_id)
        self._model_id = new_id("model")
        self._prefix = f"models/{self._model_id}"
        source = Source(model_id=model.id, name=model.name, evaluation_id=asked.evaluation_id)
        spec = SourcedExport(stage=asked.stage, formats=asked.formats, source=source)
        (place.folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
        return [
            "export",
            str(place.folder / "spec.json"),
            "--model",
            str(place.lay_out_model(session, model.id)),
            "--out",
            str(place.out),
        ]

    def store(self, place: Workplace) -> None:
        folder = place.out / "bundle"
        self._files = place.stored(folder, self._prefix)
        self._config = json.loads((folder / "config.json").read_text(encoding="utf-8"))

    def publish(self, session: Session, job: Job, result: dict[str, Any]) -> None:  # noqa: ARG002  the files say it all
        source = models.get(session, ModelExport.model_validate(job.spec).model_id)
        ends_at = self._config.get("ends_at")
        model = Model(
            id=self._model_id,
            name=f"{source.name}, {f'to {ends_at}' if ends_at else 'exported'}"[-_LONGEST_NAME:],
            job_id=job.id,
            dataset_id=source.dataset_id,
            task=source.task,
            encoder=source.encoder,
            features=self._config["features"],
            image_size=source.image_size,
            metrics=source.metrics,
            ends_at=ends_at,
            made_from=source.id,
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
