"""Which files of a folder an earlier dataset has, byte for byte, under whatever name: they need not be sent again."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from pretext_client.archive import Member
from pretext_client.types import Dataset
from pretext_client.upload import Payload, packed

LIST = ".pretext-unchanged"
"""The first member of an archive that leaves files out: which, and where they belong."""


@dataclass(frozen=True)
class Comparison:
    """How the files of a folder compare with those of an earlier dataset, as far as they are compared."""

    dataset: Dataset
    compared: int
    """Files that were looked at."""
    files: int
    """Files in all."""
    unchanged: int
    """Those that the dataset has, and that are not sent."""
    bytes: int
    """Bytes of these."""


OnCompare = Callable[[Comparison], None]


class Known:
    """The files of a dataset, by their content."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._samples: dict[int, dict[bytes, list[int]]] = {}
        """By size in bytes and SHA-256."""

    def add(self, line: str) -> None:
        """Note a file by its line of the server's list."""
        told = json.loads(line)
        self._samples.setdefault(told["bytes"], {}).setdefault(bytes.fromhex(told["sha256"]), []).append(told["sample"])

    def without(self, found: Payload, on_compare: OnCompare | None = None) -> Payload:
        """What is sent if the files that the dataset has are left out. Each of them is read, to make sure.

        Args:
            found: all of it.
            on_compare: is told how far the comparison is.
        """
        sent: list[Member] = []
        lines: list[str] = []
        unchanged = 0
        for number, member in enumerate(found.members, 1):
            sample = self._sample(member)
            if sample is None:
                sent.append(member)
            else:
                unchanged += member.size
                lines.append(json.dumps({"path": member.name, "sample": sample, "before": len(sent)}) + "\n")
            if on_compare is not None:
                on_compare(Comparison(self.dataset, number, len(found.members), len(lines), unchanged))
        if not lines:
            return found
        content = "".join(lines).encode()
        # The dataset's id, for the same list means other files of another dataset.
        told = Member(Path(self.dataset.id), LIST, len(content), content=content)
        return packed([told, *sent], found.title or found.name)

    def _sample(self, member: Member) -> int | None:
        of_its_size = self._samples.get(member.size)
        if of_its_size is None:
            return None
        try:
            with member.path.open("rb") as file:
                digest = file_digest(file, "sha256").digest()
        except OSError:
            return None  # it is told when it is to be sent
        same = of_its_size.get(digest)
        return same.pop(0) if same else None
