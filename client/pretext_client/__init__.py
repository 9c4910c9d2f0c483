"""Python client of Pretext Server: upload unlabelled images, pretrain an encoder on them, download it."""

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
from pretext_client.retry import Retry
from pretext_client.signatures import SignatureError, verify

__all__ = [
    "ApiError",
    "Conflict",
    "ConnectionFailed",
    "InvalidRequest",
    "JobFailed",
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
    "verify",
]
