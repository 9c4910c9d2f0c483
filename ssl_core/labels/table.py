"""A table of labels: CSV with commas, semicolons or tabs, with or without a header, in UTF-8."""

import csv
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ssl_core.errors import UserError
from ssl_core.ingest.names import printable

_DELIMITERS = (",", ";", "\t")
_FILE = ("file", "filename", "file_name", "path", "image", "video")
_LABEL = ("label", "class")
_SPLIT = ("split", "set")
_HEAD_BYTES = 64 << 10
_LOOKED_AT = 20
"""Lines by which columns are found."""
_LONGEST_LABEL = 200
_BINARY = {
    b"PK\x03\x04": "a zip archive or an Excel workbook (.xlsx)",
    b"\xd0\xcf\x11\xe0": "an Excel workbook (.xls)",
    b"PAR1": "a Parquet file",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
}
_HOW = "give a CSV file with the columns file,label and, if you like, split"


class Row(NamedTuple):
    """One line of the table."""

    line: int
    """Its number in the file, from 1."""
    file: str
    label: str
    """Empty if it has none."""
    split: str
    """Empty if it has none."""
    problem: str = ""
    """Why the line cannot be used, if it cannot."""


@dataclass(frozen=True)
class Table:
    """What the columns of a file are."""

    path: Path
    delimiter: str
    file: int
    """Number of the column, from 0."""
    label: int
    split: int | None
    columns: int
    has_header: bool

    def rows(self) -> Iterator[Row]:
        """All lines that are not empty, one by one: a file of any length takes no memory.

        Raises:
            UserError: a line is no UTF-8 or no CSV, or its label is none that can be shown.
        """
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            skip = self.has_header
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except UnicodeDecodeError as error:
                    raise _no_utf8(f"behind line {reader.line_num}") from error
                except csv.Error as error:
                    raise UserError("invalid_labels", f"line {reader.line_num}: {error}; is a quotation mark missing?") from error
                if not any(cell.strip() for cell in cells):
                    continue
                if not skip:
                    yield self._row(reader.line_num, cells)
                skip = False

    def _row(self, line: int, cells: list[str]) -> Row:
        while len(cells) > self.columns and not cells[-1].strip():
            cells.pop()
        if len(cells) > self.columns or len(cells) <= max(self.file, self.label):
            hint = f"; a name with {self.delimiter!r} in it needs quotes" if len(cells) > self.columns else ""
            told = f"the line has {len(cells)} columns, and the first has {self.columns}{hint}"
            return Row(line, cells[self.file].strip() if len(cells) > self.file else "", "", "", told)
        split = cells[self.split] if self.split is not None and len(cells) > self.split else ""
        return Row(line, cells[self.file].strip(), _plain(cells[self.label], line), split.strip())


def open_table(path: Path) -> Table:
    """Find out what the columns of a file are.

    Raises:
        UserError: it is no CSV, or has no such columns.
    """
    lines = _head(path)
    delimiter, rows = _delimited(lines)
    if not rows:
        raise UserError("invalid_labels", f"the file has no lines; {_HOW}")
    first = [cell.strip().lower() for cell in rows[0]]
    if len(first) == 1:
        raise UserError("invalid_labels", f"the file has one column, without a comma, semicolon or tab; {_HOW}")
    file, label, split = (_among(first, names) for names in (_FILE, _LABEL, _SPLIT))
    if file is not None and label is not None:
        return Table(path, delimiter, file, label, split, len(first), has_header=True)
    shown = ", ".join(printable(cell)[:40] for cell in rows[0][:10])
    if (file is not None or label is not None) and not any("." in cell for cell in first):
        missing = "file" if file is None else "label"
        raise UserError("invalid_labels", f"the first line names the columns {shown}, and none is called `{missing}`; {_HOW}")
    if len(first) > 3:
        raise UserError(
            "invalid_labels",
            f"the file has {len(first)} columns, and its first line does not say which are the file and the label ({shown}); "
            "call them `file` and `label` there",
        )
    return Table(path, delimiter, 0, 1, 2 if len(first) == 3 else None, len(first), has_header=False)


def _head(path: Path) -> list[str]:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    for begin, what in _BINARY.items():
        if head.startswith(begin):
            raise UserError("invalid_labels", f"the file is {what}, not CSV; save it as CSV in UTF-8: {_HOW}")
    if b"\0" in head:
        raise UserError("invalid_labels", f"the file is binary, not CSV; {_HOW}")
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4 or len(head) < _HEAD_BYTES:  # else the head has cut a character in two
            raise _no_utf8(f"in line {head[: error.start].count(10) + 1}") from error
        text = head[: error.start].decode("utf-8-sig")
    lines = [line for line in text.splitlines(keepends=True) if line.strip()]
    return lines[: max(1, len(lines) - 1)] if len(head) == _HEAD_BYTES else lines


def _no_utf8(where: str) -> UserError:
    return UserError("invalid_labels", f"{where} are bytes that are no UTF-8; save the file as CSV in UTF-8")


def _delimited(lines: list[str]) -> tuple[str, list[list[str]]]:
    """What separates the columns, by which most of the first lines have two or more, and as many as the very first."""
    tried: list[tuple[int, str, list[list[str]]]] = []
    for delimiter in _DELIMITERS:
        try:
            rows = [row for row in csv.reader(lines[:_LOOKED_AT], delimiter=delimiter) if any(cell.strip() for cell in row)]
        except csv.Error as error:
            raise UserError("invalid_labels", f"the file is no CSV ({error}); {_HOW}") from error
        alike = sum(len(row) == len(rows[0]) for row in rows) if rows and len(rows[0]) > 1 else 0
        tried.append((alike, delimiter, rows))
    _, delimiter, rows = max(tried, key=lambda one: one[0])
    return delimiter, rows


def _among(cells: Sequence[str], names: Sequence[str]) -> int | None:
    return next((cells.index(name) for name in names if name in cells), None)


def _plain(label: str, line: int) -> str:
    plain = label.strip()
    if plain.isascii() and plain.isprintable() and len(plain) <= _LONGEST_LABEL:
        return plain
    if len(plain) > _LONGEST_LABEL:
        raise UserError(
            "invalid_labels",
            f"the label in line {line} has {len(plain):,} characters, and at most {_LONGEST_LABEL} are taken; is it the right "
            "column, or is a quotation mark missing?",
        )
    if printable(plain) != plain:
        raise UserError("invalid_labels", f"the label {plain!r} in line {line} has control characters; labels are plain text")
    return unicodedata.normalize("NFC", plain)
