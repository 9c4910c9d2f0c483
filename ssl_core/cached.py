"""Entries of the cache of decoded images, for those who make room in it or clear it up. Torch-free, and light."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ssl_core.locks import exclusive_if_free

NEW = ".new"
"""What the name of an entry ends with that is being made."""


def lock_of(entry: Path) -> Path:
    """The file that is locked by those who make or use an entry."""
    return entry.with_name(f"{entry.name.removesuffix(NEW)}.lock")


def size_of(folder: Path) -> int:
    """Bytes of an entry."""
    total = 0
    with suppress(FileNotFoundError):  # another process is at work in it
        for path in folder.iterdir():
            total += path.stat().st_size
    return total


def entries(cache: Path) -> Iterator[Path]:
    """All entries, those in the making too."""
    if cache.is_dir():
        yield from (folder for folder in sorted(cache.iterdir()) if folder.is_dir())


def is_free(entry: Path) -> bool:
    """Whether nobody uses or makes an entry at this moment."""
    with exclusive_if_free(lock_of(entry)) as free:
        return free


def evict(entry: Path) -> bool:
    """Delete an entry, unless somebody uses or makes it; says whether it is deleted."""
    with exclusive_if_free(lock_of(entry)) as free:
        if free:
            shutil.rmtree(entry, ignore_errors=True)
        return free
