"""Files of models that were loaded, kept by their SHA-256, so that the second time takes no download. Bounded."""

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 20 * 10**9
"""Bound of the folder unless `PRETEXT_CACHE_MOST_BYTES` says another; what was used longest ago makes room."""
_PARTIAL_SECONDS = 24 * 3600
"""What has not grown for so long is no download that still goes on."""


def cache_dir(environment: Mapping[str, str] | None = None) -> Path:
    """The user's folder for what can be fetched again: `$XDG_CACHE_HOME/pretext`, by default `~/.cache/pretext`."""
    base = (os.environ if environment is None else environment).get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pretext"


class Cache:
    """A folder with a folder for each file, named by the file's SHA-256.

    Args:
        folder: default: the user's.
        most_bytes: bound of all files together; those of the model that is being loaded stay, whatever their size.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, most_bytes: int | None = None) -> None:
        self.folder = Path(folder) if folder is not None else cache_dir()
        self._most = most_bytes if most_bytes is not None else int(os.environ.get("PRETEXT_CACHE_MOST_BYTES") or MOST_BYTES)

    def place(self, sha256: str) -> Path:
        """The folder of a file, which is used just now."""
        found = self.folder / "files" / sha256
        found.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.utime(found)
        return found

    def make_room(self, kept: set[str]) -> None:
        """Delete what was used longest ago until the rest is within the bound."""
        sizes = []
        for one in (self.folder / "files").glob("*"):
            with suppress(OSError):
                files = [path.stat() for path in one.iterdir()]
                newest = max([one.stat().st_mtime, *(file.st_mtime for file in files if file.st_size)])
                sizes.append((newest, sum(file.st_size for file in files), one))
        total = sum(size for _, size, _ in sizes)
        for used, size, one in sorted(sizes, key=lambda entry: entry[0]):
            if total <= self._most:
                return
            busy = any(path.suffix == ".part" for path in one.glob(".*")) and time.time() - used < _PARTIAL_SECONDS
            if one.name not in kept and not busy:
                shutil.rmtree(one, ignore_errors=True)
                total -= size
