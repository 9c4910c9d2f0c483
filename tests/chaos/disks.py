"""Disks of a few megabytes that can be filled up, in a mount namespace that needs no root."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

_MEGABYTES = 24
_CHUNK = 64 << 10


class SmallDisks:
    """Gives each of some folders a disk of its own. They exist for processes that are started with `prefix` alone.

    Raises:
        OSError: this machine does not allow it.
    """

    def __init__(self, *folders: Path) -> None:
        mounts = " && ".join(f"mount -t tmpfs -o size={_MEGABYTES}m tmpfs {folder}" for folder in folders)
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        command = ["unshare", "-rm", "sh", "-c", f"{mounts} && echo mounted && exec sleep infinity"]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "mounted\n":
            _, said = self._holder.communicate()
            raise OSError(said.strip())

    @property
    def prefix(self) -> Sequence[str]:
        """What a command begins with that shall see them."""
        return ["nsenter", "--preserve-credentials", "-U", "-m", "-t", str(self._holder.pid), "--"]

    def seen(self, folder: Path) -> Path:
        """Where a process that does not see them finds the content of one."""
        return Path(f"/proc/{self._holder.pid}/root{folder}")

    def close(self) -> None:
        """Let go of them, and of what is on them."""
        self._holder.kill()
        self._holder.communicate()

    @contextlib.contextmanager
    def full(self, folder: Path) -> Iterator[None]:
        """Leave no room on one of them for as long as the block lasts."""
        filling = self.seen(folder) / "filling"
        descriptor = os.open(filling, os.O_CREAT | os.O_WRONLY)
        try:
            with contextlib.suppress(OSError):
                while True:
                    os.write(descriptor, bytes(_CHUNK))
            with contextlib.suppress(OSError):
                while True:
                    os.write(descriptor, b"0")
            yield
        finally:
            os.close(descriptor)
            filling.unlink()
