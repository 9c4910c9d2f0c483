"""The table of events that webhooks are told."""

from docs.generators.schema import table
from records.outbox import TYPES

_WHEN = {
    "job.queued": "a job waits for a worker: it was made, resumed, or given back by a worker that ended",
    "job.started": "a worker has begun with it, or goes on with it",
    "job.paused": "it was paused, and its worker is free",
    "job.succeeded": "it has ended well",
    "job.failed": "it has ended with an error, which `data` has",
    "job.cancelled": "somebody stopped it for good",
    "dataset.created": "a dataset was made, and its images are being checked",
    "dataset.ready": "it can be trained on",
    "dataset.failed": "none of it could be used, or its files could not be read",
    "model.created": "there is a new model, trained, exported or uploaded",
    "evaluation.created": "there is a new label report",
    "embedding.created": "a dataset's embeddings can be downloaded",
}


def overview() -> str:
    """Every event, and when it comes.

    Raises:
        KeyError: there is one that nobody has described here.
    """
    return table(["event", "when"], [[f"`{type_}`", _WHEN[type_]] for type_ in TYPES])
