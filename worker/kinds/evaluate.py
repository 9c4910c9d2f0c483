"""Evaluate: a model and a labelled dataset become a report."""

import json
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from records.database import now
from records.ids import new_id
from records.models import Evaluation, Job, Model
from records.queries import datasets, models
from ssl_core.spec.evaluate import EvaluateSpec, ModelEvaluation
from worker.kinds.base import Workplace


class Evaluate:
    """Finds out how much a model's encoder knows of labels."""

    lane: ClassVar[str] = "train"

    def prepare(self, session: Session, job: Job, place: Workplace) -> list[str]:
        assert job.dataset_id is not None
        dataset = datasets.ready(session, job.dataset_id)
        asked = ModelEvaluation.model_validate(job.spec)
        if asked.device == "auto":
            asked = asked.model_copy(update={"device": place.device})
        job.spec = asked.model_dump(mode="json")
        job.device = asked.device
        self._evaluation_id = new_id("eval")
        self._prefix = f"evaluations/{self._evaluation_id}"
        spec = EvaluateSpec.model_validate({name: getattr(asked, name) for name in EvaluateSpec.model_fields})
        (place.folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
        model = self._laid_out(models.get(session, asked.model_id), place, place.folder / "model")
        arguments = ["evaluate", str(place.folder / "spec.json"), "--model", str(model)]
        for model_id in asked.references:
            reference = models.get(session, model_id)
            folder = self._laid_out(reference, place, place.folder / "references" / reference.id)
            arguments += [
                "--reference",
                str(folder),
                f"--reference-name={reference.name}",
            ]  # one word: a name may begin with a dash
        place.lay_out_checkpoints(job, "found-{:09}.json")
        return [*arguments, *place.lay_out(dataset)]

    @staticmethod
    def _laid_out(model: Model, place: Workplace, folder: Path) -> Path:
        """Put an encoder where the child finds it."""
        folder.mkdir(parents=True)
        for file in model.files:
            if file.name in {models.WEIGHTS, models.CONFIG}:
                (folder / file.name).symlink_to(place.blobs.path(file.key))
        return folder

    def store(self, place: Workplace) -> None:
        folder = place.out / "report"
        self._files = place.stored(folder, self._prefix)
        self._report = json.loads((folder / "report.json").read_text(encoding="utf-8"))

    def publish(self, session: Session, job: Job, result: dict[str, Any]) -> None:
        evaluation = Evaluation(
            id=self._evaluation_id,
            job_id=job.id,
            model_id=ModelEvaluation.model_validate(job.spec).model_id,
            dataset_id=job.dataset_id,
            sentence=self._report["sentence"],
            metrics=result.get("metrics", {}),
            report=self._report,
            files=self._files,
            created_at=now(session),
            meta=job.meta,
        )
        session.add(evaluation)
        job.evaluation_id = evaluation.id

    def discard(self, place: Workplace) -> None:
        place.blobs.delete(self._prefix)

    def on_end(self, session: Session, job: Job, error: dict[str, Any] | None) -> None:
        """Nobody waits for anything but the job itself."""
