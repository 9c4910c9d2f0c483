"""Resources in short, as events of webhooks have them: fields by the names and with the values that the API gives them.

Large ones (specifications, reports, lists of files) are left out: who wants them asks for the resource by its id.
"""

from typing import Any

from records.models import Dataset, Embedding, Evaluation, Job, Model

Record = Dataset | Embedding | Evaluation | Job | Model

_FIELDS: dict[type[Any], tuple[str, ...]] = {
    Dataset: ("name", "state", "filename", "kind", "refused", "job_id", "error"),
    Embedding: ("job_id", "model_id", "dataset_id", "stage", "normalized", "features", "rows", "left_out", "weights_sha256"),
    Evaluation: ("job_id", "model_id", "dataset_id", "sentence", "metrics"),
    Job: (
        *("kind", "state", "attempt", "dataset_id", "priority", "model_id", "evaluation_id", "embedding_id", "error"),
        *("started_at", "finished_at"),
    ),
    Model: (*("name", "job_id", "dataset_id", "task", "encoder", "features", "image_size", "ends_at", "made_from", "metrics"),),
}


def thin(record: Record) -> dict[str, Any]:
    """A resource in short."""
    kind = type(record)
    shown = {"object": kind.__name__.lower(), "id": record.id, **{name: getattr(record, name) for name in _FIELDS[kind]}}
    if isinstance(record, Dataset):
        videos = record.kind == "video"
        shown |= {"bytes": record.upload_bytes, "images": None if videos else record.images}
        shown["videos"] = record.images if videos else None
    return {**shown, "created_at": record.created_at, "metadata": record.meta}
