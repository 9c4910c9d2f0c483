"""Pretrain: a dataset becomes an encoder."""

import logging
from functools import partial
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from records.database import after_commit, now
from records.errors import RecordsError
from records.ids import new_id
from records.models import Job, Model, ModelFile
from records.queries import datasets, events, jobs, measurements, models
from ssl_core.spec import ENCODERS, ResolvedPretrain
from ssl_core.spec.costs import sort_of
from ssl_core.spec.evaluate import EvaluateAfter
from worker.kinds.base import Workplace

logger = logging.getLogger(__name__)

_FEWEST_STEPS = 20
"""Of a training whose speed says something."""


class Pretrain:
    """Trains an encoder by a pretext task."""

    lane: ClassVar[str] = "train"

    def prepare(self, session: Session, job: Job, place: Workplace) -> list[str]:
        dataset = datasets.of_job(session, job)
        spec = ResolvedPretrain.model_validate(job.spec).on_device(place.device)
        job.spec = spec.model_dump(mode="json")
        job.device = spec.device
        self._place = place
        self._model_id = new_id("model")
        self._prefix = f"models/{self._model_id}"
        (place.folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
        arguments = ["pretrain", str(place.folder / "spec.json"), *place.lay_out(dataset)]
        if spec.init_from is not None:
            weights = models.file(session, spec.init_from, models.WEIGHTS)
            arguments += ["--weights", str(place.blobs.path(weights.key))]
        place.lay_out_checkpoints(session, job, "checkpoint-{:09}.safetensors")
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
        timed = job.attempt == 1 and job.retry_of is None
        after_commit(session, partial(self._note, job.id, spec, result, timed=timed))
        if job.evaluate is not None:
            self._evaluate(session, job, job.evaluate)

    def _note(self, job_id: str, spec: ResolvedPretrain, result: dict[str, Any], *, timed: bool) -> None:
        """Keep how fast it was and how much memory it took, for the estimates of those to come.

        After the job has ended, and whatever comes of it: no estimate is worth a training.
        """
        try:
            self._measure(spec, result, timed=timed)
        except Exception:
            logger.exception("what %s has taken is not known to the estimates of others", job_id)

    def _measure(self, spec: ResolvedPretrain, result: dict[str, Any], *, timed: bool) -> None:
        """`timed`: whether it ran at one go; one that was taken up again may have been on another device before."""
        device_name, peak = self._place.device_name, result.get("memory", {}).get("peak_bytes")
        if device_name is None or peak is None:
            return
        steps, seconds = int(result["steps"]), float(result["seconds"])
        timed = timed and steps >= _FEWEST_STEPS  # one that is over at once has only warmed up
        own = max(1, int(peak) - int(result["memory"].get("dataset_bytes", 0)))
        with self._place.database.write() as session:
            measurements.note(
                session,
                device_name,
                sort_of(spec),
                samples=steps * spec.batch_size if timed else 0,
                seconds=seconds if timed else 0.0,
                memory_bytes=own,
            )

    @staticmethod
    def _evaluate(session: Session, job: Job, asked: dict[str, Any]) -> None:
        """Queue the evaluation that was asked for with the pretraining. The reaper wakes a worker for it."""
        after = EvaluateAfter.model_validate(asked)
        assert after.dataset_id is not None
        try:
            dataset = datasets.to_work_on(session, after.dataset_id)
        except RecordsError as error:
            told = {"level": "warning", "message": f"the encoder is not evaluated: {error}"}
            events.add(session, job.id, job.attempt, [("log", told)])
            return
        spec = {**after.model_dump(mode="json", exclude={"dataset_id"}), "model_id": job.model_id}
        queued = jobs.create(
            session,
            kind="evaluate",
            dataset_id=dataset.id,
            spec=spec,
            device=after.device,
            priority=job.priority,
            metadata=job.meta,
        )
        queued.model_id = job.model_id
        job.evaluate = {**asked, "job_id": queued.id}

    def discard(self, place: Workplace) -> None:
        place.blobs.delete(self._prefix)

    def on_end(self, session: Session, job: Job, error: dict[str, Any] | None) -> None:
        """Nobody waits for anything but the job itself."""
