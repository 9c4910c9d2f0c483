"""Embed: a model and a dataset become embeddings in Parquet files."""

from typing import Any, ClassVar

from sqlalchemy.orm import Session

from records.database import now
from records.ids import new_id
from records.models import Embedding, Job
from records.queries import datasets, labels
from ssl_core.spec.embed import EmbedSpec, ModelEmbedding
from worker.kinds.base import Workplace


class Embed:
    """Embeds every image or video of a dataset."""

    lane: ClassVar[str] = "train"

    def prepare(self, session: Session, job: Job, place: Workplace) -> list[str]:
        dataset = datasets.of_job(session, job)
        asked = ModelEmbedding.model_validate(job.spec)
        if asked.device == "auto":
            asked = asked.model_copy(update={"device": place.device})
        job.spec = asked.model_dump(mode="json")
        job.device = asked.device
        self._embedding_id = new_id("emb")
        self._prefix = f"embeddings/{self._embedding_id}"
        spec = EmbedSpec.model_validate({name: getattr(asked, name) for name in EmbedSpec.model_fields})
        (place.folder / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
        model = place.lay_out_model(session, asked.model_id)
        place.lay_out_checkpoints(session, job, "rows-{:09}.parquet")
        arguments = ["embed", str(place.folder / "spec.json"), "--model", str(model), "--model-id", asked.model_id]
        return [*arguments, *place.lay_out(dataset, labels.pin(session, job))]

    def store(self, place: Workplace) -> None:
        self._files = place.stored(place.out / "embeddings", self._prefix)

    def publish(self, session: Session, job: Job, result: dict[str, Any]) -> None:
        asked = ModelEmbedding.model_validate(job.spec)
        embedding = Embedding(
            id=self._embedding_id,
            job_id=job.id,
            model_id=asked.model_id,
            dataset_id=job.dataset_id,
            stage=asked.stage,
            normalized=asked.normalize,
            features=result["features"],
            rows=result["rows"],
            left_out=result["left_out"],
            weights_sha256=result["weights_sha256"],
            files=self._files,
            created_at=now(session),
            meta=job.meta,
        )
        session.add(embedding)
        job.embedding_id = embedding.id

    def discard(self, place: Workplace) -> None:
        place.blobs.delete(self._prefix)

    def on_end(self, session: Session, job: Job, error: dict[str, Any] | None) -> None:
        """Nobody waits for anything but the job itself."""
