"""Pictures that a running job draws, on their way into the blob store. A training never fails for one."""

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sqlalchemy.exc import DBAPIError

from records.blobs import Blobs, file_sha256
from records.database import Database, after_commit, is_away
from records.errors import RecordsError
from records.models.picture import LONGEST_CAPTION
from records.queries import leases, pictures
from records.queries.leases import Lease
from records.queries.pictures import Drawn

logger = logging.getLogger(__name__)

MOST_WAITING = 100
"""Pictures that are kept while the database is away; the oldest make room."""
MOST_BYTES = 16 << 20
"""Largest picture; the API holds one in memory to send it."""
_MOST_EPOCH, _MOST_STEP = 2**31 - 1, 2**63 - 1
_PNG_HEAD = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_HEAD_BYTES = 30


@dataclass(frozen=True)
class Picture:
    """A picture as the child told of it."""

    path: Path
    epoch: int
    step: int
    caption: str

    @classmethod
    def of(cls, event: dict[str, Any], folder: Path) -> Self:
        """Read an event.

        Raises:
            ValueError: a field is missing or impossible, or the file is not in the child's own folder.
        """
        path, caption = Path(str(event.get("path"))).resolve(), str(event.get("caption", ""))
        if not path.is_relative_to(folder.resolve()) or path.is_dir():
            raise ValueError(f"{path} is no file in the folder of the job")
        epoch, step = _number(event, "epoch", _MOST_EPOCH), _number(event, "step", _MOST_STEP)
        # PostgreSQL has no NUL in a text.
        return cls(path, epoch, step, caption.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_CAPTION])


def _number(event: dict[str, Any], name: str, most: int) -> int:
    value = event.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"`{name}` is {value!r}")
    return value


class Pictures:
    """Collects the pictures of one attempt, stores them and lets the job know of them.

    Args:
        database, blobs: where to.
        lease: the attempt.
        folder: the child's own folder; no file outside of it is touched.
        warn: told what could not be stored, and why.
    """

    def __init__(self, database: Database, blobs: Blobs, lease: Lease, folder: Path, warn: Callable[[str], None]) -> None:
        self._database = database
        self._blobs = blobs
        self._lease = lease
        self._folder = folder
        self._warn = warn
        self._waiting: deque[Picture] = deque()
        self._drawn: list[Drawn] = []

    def add(self, event: dict[str, Any]) -> None:
        """Take one event of the child."""
        if len(self._waiting) == MOST_WAITING:
            oldest = self._waiting.popleft()
            _remove(oldest.path)
            self._warn(f"the picture of epoch {oldest.epoch} was dropped: too many wait for the database")
        try:
            self._waiting.append(Picture.of(event, self._folder))
        except (ValueError, OSError) as error:
            self._warn(f"a picture could not be stored: {error}")

    def flush(self) -> bool:
        """Store what has come together. False if the database is away; it is tried again the next time.

        Raises:
            LeaseLostError: the job is no longer this attempt's.
        """
        while self._drawn or self._waiting:
            if not self._drawn:
                self._store()
            if not self._told():
                return False
        return True

    def discard(self) -> None:
        """Delete from the store what no job refers to. A commit can succeed although its answer does not arrive, hence the look."""
        try:
            with self._database.read() as session:
                known = pictures.keys(session, self._lease.job_id)
        except DBAPIError as error:
            logger.warning("the database is away, %d pictures stay in the store for nothing: %s", len(self._drawn), error)
            known = {one.key for one in self._drawn}
        for one in self._drawn:
            if one.key not in known:
                with suppress(OSError):
                    self._blobs.delete(one.key)
        self._drawn = []

    def _store(self) -> None:
        """Move the files that wait into the store, under keys that no other content and no other attempt has."""
        while self._waiting:
            picture = self._waiting.popleft()
            try:
                self._drawn.append(self._stored(picture))
            except (RecordsError, OSError, ValueError) as error:
                self._warn(f"the picture of epoch {picture.epoch} could not be stored: {error}")
            _remove(picture.path)

    def _stored(self, picture: Picture) -> Drawn:
        suffix, width, height = _looked_at(picture.path)
        digest = file_sha256(picture.path)
        key = f"jobs/{self._lease.job_id}/pictures/{picture.epoch:06}-{self._lease.attempt}-{digest[:16]}{suffix}"
        size = picture.path.stat().st_size
        self._blobs.put(key, picture.path)
        return Drawn(picture.epoch, picture.step, key, size, digest, width, height, picture.caption)

    def _told(self) -> bool:
        """Let the job know of what lies in the store. False if the database is away."""
        try:
            if self._drawn:
                self._refer()
        except DBAPIError as error:
            if is_away(error):
                logger.warning("the database is away, %d pictures wait: %s", len(self._drawn), error)
                return False
            self._warn(f"{len(self._drawn)} pictures could not be stored: {error.orig}")
            self.discard()
        except OSError as error:
            self._warn(f"a picture that was replaced could not be deleted: {error}")
        self._drawn = []
        return True

    def _refer(self) -> None:
        with self._database.write() as session:
            job = leases.hold(session, self._lease)
            for old in pictures.put(session, job.id, job.attempt, self._drawn):
                after_commit(session, lambda gone=old: self._blobs.delete(gone))  # type: ignore[misc]


def _remove(path: Path) -> None:
    with suppress(OSError):  # it goes with the attempt's folder at the latest
        path.unlink()


def _looked_at(path: Path) -> tuple[str, int, int]:
    """What a PNG or animated WebP file is, as the end of its name, and its width and height, all by its own head.

    Raises:
        ValueError: it is neither, or too large.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        size = file.seek(0, 2)
    if size > MOST_BYTES:
        raise ValueError(f"{path.name} has {size:,} bytes, and a picture may have up to {MOST_BYTES:,}")
    if head.startswith(_PNG_HEAD) and len(head) >= 24:
        return ".png", int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) == _HEAD_BYTES:
        return ".webp", int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    raise ValueError(f"{path.name} is no PNG file and no animated WebP file")
