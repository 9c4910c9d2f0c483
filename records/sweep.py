"""Throwing away uploads that nobody finished in time."""

import logging

from records.blobs import Blobs
from records.database import Database
from records.errors import DiskFullError, LockedError
from records.queries import uploads

logger = logging.getLogger(__name__)


def sweep_uploads(database: Database, blobs: Blobs) -> int:
    """Throw away the uploads whose time is over, bytes first: what is cut short here is found again the next time.

    Any process may do it at any time, several at once too. One that still grows is left alone.

    Returns:
        How many were thrown away.
    """
    with database.read() as session:
        found = uploads.expired(session)
    return sum(sweep_upload(database, blobs, upload_id) for upload_id in found)


def sweep_upload(database: Database, blobs: Blobs, upload_id: str) -> bool:
    """Throw an expired upload away; says whether it is gone."""
    try:
        with blobs.grow(uploads.key_of(upload_id)):
            blobs.delete(uploads.prefix_of(upload_id))
    except LockedError:
        return False
    except DiskFullError:  # there is not even room for the empty file that would be held, so it has no bytes
        blobs.delete(uploads.prefix_of(upload_id))
    except OSError as error:
        logger.warning("the bytes of the expired upload %s cannot be thrown away: %s", upload_id, error)
        return False
    with database.write() as session:
        uploads.forget(session, upload_id)
    return True
