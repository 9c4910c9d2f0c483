"""Python client of Pretext Server: upload unlabelled images, pretrain an encoder on them, download or load it."""

from typing import TYPE_CHECKING, Any

from pretext_client.bound import Dataset, Embedding, Evaluation, Job, Model
from pretext_client.client import Pretext
from pretext_client.errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    InvalidRequest,
    JobFailed,
    NotFound,
    PretextError,
    TooLarge,
    TransferFailed,
    Unauthorized,
    Unavailable,
    WaitTimedOut,
)
from pretext_client.loading import CannotLoad, load
from pretext_client.retry import Retry
from pretext_client.signatures import SignatureError, verify

if TYPE_CHECKING:
    from pretext_client.aio.bound import AsyncDataset, AsyncEmbedding, AsyncEvaluation, AsyncJob, AsyncModel
    from pretext_client.aio.client import AsyncPretext

__all__ = [
    "ApiError",
    "AsyncDataset",
    "AsyncEmbedding",
    "AsyncEvaluation",
    "AsyncJob",
    "AsyncModel",
    "AsyncPretext",
    "CannotLoad",
    "Conflict",
    "ConnectionFailed",
    "Dataset",
    "Embedding",
    "Evaluation",
    "InvalidRequest",
    "Job",
    "JobFailed",
    "Model",
    "NotFound",
    "Pretext",
    "PretextError",
    "Retry",
    "SignatureError",
    "TooLarge",
    "TransferFailed",
    "Unauthorized",
    "Unavailable",
    "WaitTimedOut",
    "load",
    "verify",
]


def __getattr__(name: str) -> Any:
    """The half for `await`, which is imported when it is asked for."""
    if name == "AsyncPretext":
        from pretext_client.aio.client import AsyncPretext

        return AsyncPretext
    if name.startswith("Async") and name in __all__:
        from pretext_client.aio import bound

        return getattr(bound, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
