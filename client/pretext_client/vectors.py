"""Embeddings as a file: JSON, CSV, or NumPy's own. Without NumPy."""

import csv
import json
from array import array
from collections.abc import Sequence
from pathlib import Path

from pretext_client.errors import PretextError
from pretext_client.types import Embedded

FORMATS = (".json", ".csv", ".npy")


def check(path: Path) -> None:
    """Refuse a name that does not say how to write it.

    Raises:
        PretextError: it ends otherwise.
    """
    if path.suffix.lower() not in FORMATS:
        raise PretextError(f"{path} has to end with {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, which says how it is written")


def write(path: Path, names: Sequence[str], embedded: Embedded) -> None:
    """Write embeddings: with their names as JSON or CSV, or as a matrix of float32 (N, D) in the order of the images.

    Args:
        path: where to; its suffix says how.
        names: of the images.
        embedded: their embeddings.
    """
    rows = [one.embedding for one in embedded.data]
    if path.suffix.lower() == ".json":
        found = [{"image": name, "embedding": list(row)} for name, row in zip(names, rows, strict=True)]
        path.write_text(json.dumps(found, ensure_ascii=False) + "\n", encoding="utf-8")
    elif path.suffix.lower() == ".csv":
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file)
            writer.writerow(["image", *range(embedded.features)])
            writer.writerows([name, *row] for name, row in zip(names, rows, strict=True))
    else:
        path.write_bytes(_npy(rows, embedded.features))


def _npy(rows: Sequence[Sequence[float]], width: int) -> bytes:
    """Version 1.0 of NumPy's format: a header that is padded so that the numbers begin at a multiple of 64 bytes."""
    told = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, {width}), }}"
    head = told.ljust(-(-(len(told) + 11) // 64) * 64 - 11) + "\n"
    values = array("f", [value for row in rows for value in row])
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + values.tobytes()
