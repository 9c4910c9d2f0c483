"""Evaluate: a model and a labelled dataset become a report."""

import json
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from records.database import now
from records.errors import RecordsError
from records.ids import new_id
from records.models import Evaluation, Job
from records.queries import datasets, events, labels, models
from ssl_core.spec.evaluate import EvaluateSpec, ModelEvaluation
from worker import cards
from worker.kinds.base import Workplace


class Evaluate:
    """Finds out how much a model's encoder knows of labels."""

    lane: ClassVar[str] = "train"

    def prepare(self, session: Session, job: Job, place: Workplace) -> list[str]:
        dataset = datasets.of_job(session, job)
        asked = ModelEvaluation.model_validate(job.spec)
        if asked.device == "auto":
            asked = asked.model_copy(update={"device": place.device})
        job.spec = asked.model_dump(mode="json")
        job.device = asked.device
        self._evaluation_id = new_id("eval")
        self._prefix = f"evaluations/{self._evaluation_id}"
        spec = EvaluateSpec.model_validate({name: getattr(asked, name) for name in EvaluateSpec.model_fields})
        (place.folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
        self._blobs, self._model_id = place.blobs, asked.model_id
        model = place.lay_out_model(session, asked.model_id)
        arguments = ["evaluate", str(place.folder / "spec.json"), "--model", str(model)]
        for model_id in asked.references:
            folder = models.lay_out(session, place.blobs, model_id, place.folder / "references" / model_id)
            # One word: a name may begin with a dash.
            arguments += ["--reference", str(folder), f"--reference-name={models.get(session, model_id).name}"]
        place.lay_out_checkpoints(session, job, "found-{:09}.json")
        return [*arguments, *place.lay_out(dataset, labels.pin(session, job))]

    def store(self, place: Workplace) -> None:
        folder = place.out / "report"
        self._files = place.stored(folder, self._prefix)
        self._report = json.loads((folder / "report.json").read_text(encoding="utf-8"))

    def publish(self, session: Session, job: Job, result: dict[str, Any]) -> None:
        evaluation = Evaluation(
            id=self._evaluation_id,
            job_id=job.id,
            model_id=self._model_id,
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
        session.flush()
        self._tell_on_the_card(session, job)

    def _tell_on_the_card(self, session: Session, job: Job) -> None:
        """An evaluation is worth more than its place on the card: what goes wrong with that is told, and nothing more."""
        try:
            cards.rewrite(session, self._blobs, self._model_id, self._evaluation_id)
        except (RecordsError, OSError, LookupError, TypeError, ValueError) as error:
            told = {"level": "warning", "message": f"the model's card does not tell of this evaluation: {error}"}
            events.add(session, job.id, job.attempt, [("log", told)])

    def discard(self, place: Workplace) -> None:
        place.blobs.delete(self._prefix)
        cards.discard(place.blobs, self._model_id, self._evaluation_id)

    def on_end(self, session: Session, job: Job, error: dict[str, Any] | None) -> None:
        """Nobody waits for anything but the job itself."""
