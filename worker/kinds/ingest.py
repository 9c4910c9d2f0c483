"""Ingest: an upload becomes Parquet shards."""

import json
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from records.blobs import file_sha256
from records.database import after_commit
from records.errors import NotFoundError, RecordsError
from records.models import Dataset, Job
from records.queries import datasets
from ssl_core.errors import UserError
from ssl_core.ingest.files import FILES
from worker.kinds.base import Workplace


class Ingest:
    """Checks the members of an upload and stores the images or videos as Parquet shards."""

    lane: ClassVar[str] = "ingest"
    _place: Workplace | None = None

    def prepare(self, session: Session, job: Job, place: Workplace) -> list[str]:
        assert job.dataset_id is not None
        dataset = datasets.get(session, job.dataset_id)
        assert dataset.upload_key is not None
        self._prefix = f"datasets/{dataset.id}/attempt-{job.attempt}"
        self._place = place
        source = place.blobs.path(dataset.upload_key)
        # In one word: a name that begins with a dash would be taken for an option.
        arguments = ["ingest", str(source), f"--filename={dataset.filename}", "--kind", dataset.kind or "auto"]
        if dataset.base_dataset_id is not None:
            arguments += ["--base", str(place.lay_out_shards(self._base(session, dataset.base_dataset_id)))]
        return [*arguments, "--out", str(place.out)]

    def _base(self, session: Session, dataset_id: str) -> Dataset:
        try:
            return datasets.ready(session, dataset_id)
        except NotFoundError as error:
            told = f"{dataset_id}, which has the files that the upload left out, is gone; upload everything again"
            raise UserError("base_dataset_gone", told) from error

    def store(self, place: Workplace) -> None:
        self._shards = []
        report = json.loads((place.out / "report.json").read_text(encoding="utf-8"))
        for shard in report["shards"]:
            key = f"{self._prefix}/{shard['name']}"
            path = place.out / shard["name"]
            place.blobs.put(key, path)
            digest = shard.get("sha256") or file_sha256(path)
            self._shards.append({"key": key, "rows": shard["rows"], "bytes": shard["bytes"], "sha256": digest})
        place.blobs.put(f"{self._prefix}/refused.jsonl", place.out / "refused.jsonl")
        place.blobs.put(f"{self._prefix}/{FILES}", place.out / FILES)
        self._report = report

    def publish(self, session: Session, job: Job, result: dict[str, Any]) -> None:  # noqa: ARG002  the report says it all
        assert job.dataset_id is not None
        dataset = datasets.get(session, job.dataset_id)
        dataset.state = "ready"
        dataset.report = self._report
        dataset.kind = self._report["kind"]
        dataset.images = self._report[f"{dataset.kind}s"]
        dataset.refused = self._report["refused"]
        dataset.median_side = round(self._report["sizes"]["median_side"])
        dataset.labels = self._report["labels"] or None
        dataset.shards = self._shards
        dataset.refused_key = f"{self._prefix}/refused.jsonl"
        dataset.files_key = f"{self._prefix}/{FILES}"
        assert self._place is not None
        upload, blobs = dataset.upload_key, self._place.blobs
        dataset.upload_key = None
        if upload is not None:
            after_commit(session, lambda: blobs.delete(upload))

    def discard(self, place: Workplace) -> None:
        place.blobs.delete(self._prefix)

    def on_end(self, session: Session, job: Job, error: dict[str, Any] | None) -> None:
        if error is not None and job.dataset_id is not None and self._place is not None:
            self._keep_report(datasets.get(session, job.dataset_id), self._place)

    def _keep_report(self, dataset: Dataset, place: Workplace) -> None:
        """Let the owner see what was wrong with each member, if it came so far."""
        try:
            report = json.loads((place.out / "report.json").read_text(encoding="utf-8"))
            place.blobs.put(f"{self._prefix}/refused.jsonl", place.out / "refused.jsonl")
        except (RecordsError, OSError, ValueError):
            return
        dataset.report = report
        dataset.refused = report["refused"]
        dataset.refused_key = f"{self._prefix}/refused.jsonl"
