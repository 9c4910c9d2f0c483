"""The rules of resumable uploads.

The size of the file that grows is the truth about how much is here; the database knows the rest.
"""

from collections.abc import Sequence
from contextlib import ExitStack

from api.datasets.upload import check_room, too_large
from api.quotas import check_quota
from api.services import Services
from api.uploads.wire import Checksum
from records.blobs import Growing
from records.database import now
from records.errors import ConflictError, GoneError, LockedError, NotFoundError, RecordsError, TooLargeError
from records.models import Upload
from records.queries import uploads
from records.sweep import sweep_uploads

_LOOK_BYTES = 64 << 20
"""Bytes between two looks at how much room is left."""


class OffsetError(ConflictError):
    """The bytes do not go on where the upload ends."""

    code = "wrong_offset"


def create(services: Services, *, filename: str, size: int, meta: str, notes: dict[str, str]) -> Upload:
    """Note an upload that is to come.

    Raises:
        TooLargeError: the server takes none so large.
        DiskFullError: there is no room for it.
        BacklogError: too many wait to be finished.
        QuotaError: the project may not store so much more.
    """
    settings = services.settings
    if size > settings.max_upload_bytes:
        raise too_large(settings.max_upload_bytes)
    check_room(services.blobs, size, min_free=settings.min_free_bytes)
    sweep_uploads(services.database, services.blobs)
    with services.database.write() as session:
        check_quota(session, size)
        return uploads.create(
            session,
            filename=filename,
            size=size,
            meta=meta,
            notes=notes,
            hours=settings.upload_hours,
            most=settings.max_unfinished_uploads,
            most_bytes=settings.max_unfinished_bytes,
        )


def offset_of(services: Services, upload: Upload) -> int:
    """Bytes of an upload that are here and count."""
    if upload.dataset_id is not None:
        return upload.bytes
    size = services.blobs.grown(uploads.key_of(upload.id))
    return size if upload.unverified_from is None else min(size, upload.unverified_from)


def delete(services: Services, upload_id: str) -> None:
    """Throw an upload away.

    Raises:
        NotFoundError: there is none with this id.
        GoneError, UsedError: it is gone already.
        LockedError: a request sends bytes to it at the moment.
    """
    with services.database.read() as session:
        uploads.live(session, upload_id)
    with services.blobs.grow(uploads.key_of(upload_id)):
        with services.database.write() as session:
            uploads.live(session, upload_id)
            uploads.forget(session, upload_id)
        services.blobs.delete(uploads.prefix_of(upload_id))


class Arrival:
    """The bytes of one request on their way into an upload. Blocks, so it is for a thread.

    Args:
        services: where it goes.
        upload_id: which upload it is.
        offset: where the request says that its bytes begin.
        announced: bytes of the request, if it says so.
        checksum: of the request's bytes, if it says so. A part that has one counts once it has come whole and right; what came of
            any other part counts however the request ends.

    Raises:
        NotFoundError, GoneError, UsedError: there is no such upload, or no more.
        LockedError: another request sends bytes to it at the moment.
        OffsetError: it goes on elsewhere.
        TooLargeError: there are more bytes than the upload has left.
        DiskFullError: there is no room for them.
    """

    def __init__(
        self, services: Services, upload_id: str, *, offset: int, announced: int | None, checksum: Checksum | None
    ) -> None:
        self._services = services
        self._id = upload_id
        self._start = offset
        self._checksum = checksum
        self._unlooked = 0
        with services.database.read() as session:
            uploads.live(session, upload_id)
        with ExitStack() as stack:
            try:
                self._growing: Growing = stack.enter_context(services.blobs.grow(uploads.key_of(upload_id)))
            except LockedError:
                with services.database.write() as session:
                    uploads.want(session, upload_id)
                raise
            try:
                self._bytes = self._begin(announced)
            except (GoneError, NotFoundError):  # in the moment before it was held
                services.blobs.delete(uploads.prefix_of(upload_id))
                raise
            self._held = stack.pop_all()

    def _begin(self, announced: int | None) -> int:
        services = self._services
        with services.database.read() as session:
            upload = uploads.live(session, self._id)
            self._since = now(session)
        if upload.unverified_from is not None:  # a process was killed within a part with a checksum
            self._growing.cut(upload.unverified_from)
        if self._start != self._growing.size:
            raise OffsetError(
                f"{self._growing.size:,} bytes of the upload are here, and the request's begin at {self._start:,}; "
                f"send it on from {self._growing.size}"
            )
        left = upload.bytes - self._start
        if (announced or 0) > left:
            raise _too_many(left)
        check_room(services.blobs, left if announced is None else announced, min_free=services.settings.min_free_bytes)
        self._prolong(self._start if self._checksum is not None else None)
        return upload.bytes

    def take(self, chunks: Sequence[bytes]) -> None:
        """Store the next bytes.

        Raises:
            TooLargeError: the upload has not so many.
            DiskFullError: there is no room for them.
        """
        if self._growing.size + sum(map(len, chunks)) > self._bytes:
            left = self._bytes - self._start
            self._growing.cut(self._start)
            raise _too_many(left)
        for chunk in chunks:
            self._growing.write(chunk)
            self._unlooked += len(chunk)
            if self._checksum is not None:
                self._checksum.digest.update(chunk)
        if self._unlooked >= _LOOK_BYTES:
            self._unlooked = 0
            check_room(self._services.blobs, 0, min_free=self._services.settings.min_free_bytes)

    def yield_if_wanted(self) -> None:
        """To be asked when nothing comes: whoever sends may have lost this connection without its end being heard of.

        Raises:
            LockedError: another request wants to go on with the upload.
        """
        with self._services.database.read() as session:
            wanted = uploads.get(session, self._id).wanted_at
        if wanted is not None and wanted > self._since:
            raise LockedError("another request has taken the upload over")

    def finish(self) -> Upload:
        """All bytes of the request are here.

        Raises:
            ChecksumError: they are wrong; none of them stays.
        """
        if self._checksum is not None:
            self._checksum.check()
        self._growing.sync()
        self._prolong(None)
        with self._services.database.read() as session:
            return uploads.get(session, self._id)

    def break_off(self) -> None:
        """The request has ended too early: keep what came of it, if that can be trusted."""
        if self._checksum is not None:
            self._growing.cut(self._start)
        self._growing.sync()
        self._prolong(None)

    @property
    def offset(self) -> int:
        """Bytes of the upload that are here."""
        return self._growing.size

    def close(self) -> None:
        """Let the upload go. To be called in any case."""
        self._held.close()

    def _prolong(self, unverified_from: int | None) -> None:
        with self._services.database.write() as session:
            uploads.prolong(session, self._id, self._services.settings.upload_hours, unverified_from=unverified_from)


def _too_many(left: int) -> RecordsError:
    return TooLargeError(f"the request has more bytes than the {left:,} that the upload has left; none of them was kept")
