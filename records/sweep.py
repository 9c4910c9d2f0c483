"""Throwing away what nobody needs any more: uploads that were not finished in time, and blobs that a crash has left behind."""

import logging
from itertools import islice

from records.blobs import Blobs
from records.database import Database
from records.errors import DiskFullError, LockedError
from records.queries import named, uploads

logger = logging.getLogger(__name__)

UNNAMED_SECONDS = 24 * 3600.0
"""Age at which a blob that no record names is taken for one that was left behind. Until then a record may still come."""
_AT_ONCE = 500


def sweep_uploads(database: Database, blobs: Blobs) -> int:
    """Throw away the uploads whose time is over, bytes first: what is cut short here is found again the next time.

    Any process may do it at any time, several at once too. One that still grows is left alone.

    Returns:
        How many were thrown away.
    """
    with database.read() as session:
        found = uploads.expired(session)
    swept = 0
    for upload_id in found:
        try:
            with blobs.grow(uploads.key_of(upload_id)):
                blobs.delete(uploads.prefix_of(upload_id))
        except LockedError:
            continue
        except DiskFullError:  # there is not even room for the empty file that would be held, so it has no bytes
            blobs.delete(uploads.prefix_of(upload_id))
        except OSError as error:
            logger.warning("the bytes of the expired upload %s cannot be thrown away: %s", upload_id, error)
            continue
        with database.write() as session:
            uploads.forget(session, upload_id)
        swept += 1
    return swept


def sweep_blobs(database: Database, blobs: Blobs, *, seconds: float = UNNAMED_SECONDS) -> int:
    """Throw away the blobs that no record names.

    A process was killed between storing them and its commit, or between that and deleting what had become of no use.
    Any process may do it at any time, several at once too. The keys are listed before the records are read, so a blob that got its
    record in between stays.

    Returns:
        How many were thrown away.
    """
    swept, keys = 0, blobs.aged(seconds)
    while batch := list(islice(keys, _AT_ONCE)):
        with database.read() as session:
            found = named.without_record(session, batch)
        for key in found:
            swept += _swept(blobs, key)
    return swept


def _swept(blobs: Blobs, key: str) -> bool:
    try:
        blobs.delete(key)
    except OSError as error:
        logger.warning("the blob %s, which no record names, cannot be thrown away: %s", key, error)
        return False
    logger.info("the blob %s, which no record names, was thrown away", key)
    return True
