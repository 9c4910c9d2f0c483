"""What a job is told when its worker, and not what it asked for, is in the way."""

import errno
import logging
from typing import Any

from records.errors import DiskFullError, RecordsError

logger = logging.getLogger(__name__)

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


def failure_of(error: Exception) -> dict[str, Any]:
    """The error of a job that an exception of its worker has ended: `code`, and `message` that says what to do."""
    if isinstance(error, DiskFullError) or (isinstance(error, OSError) and error.errno in _NO_ROOM):
        where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
        told = (
            f"a disk of the worker is full{where}: free some space in its scratch folder (PRETEXT_SCRATCH_DIR), its cache "
            "(PRETEXT_CACHE_DIR) and the blob store (PRETEXT_BLOBS_URL), or delete datasets and models, and start the job again"
        )
        return {"code": DiskFullError.code, "message": told}
    if isinstance(error, RecordsError):
        return {"code": error.code, "message": str(error)}
    if isinstance(error, OSError):
        return {"code": "storage_failed", "message": str(error)}
    logger.error("a defect in the worker", exc_info=error)
    return {"code": "internal_error", "message": f"the worker has a defect, its log has more: {error!r:.300}"}
