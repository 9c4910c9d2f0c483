"""Labels from a table, put on a dataset's members, with a report of what did not fit. N: members."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from ssl_core.errors import UserError
from ssl_core.ingest.labels import SPLITS
from ssl_core.labels.members import Members
from ssl_core.labels.stored import LabelSet
from ssl_core.labels.table import Row, Table

MOST_CLASSES = 10_000
SHOWN = 100
"""Of each kind of trouble, so many are named."""
_NOT_SAID, _NONE = -2, -1
_TRIED = 20

Mode = Literal["replace", "merge"]


@dataclass(frozen=True)
class Unmatched:
    """A line that was not used."""

    line: int
    file: str
    reason: str


@dataclass(frozen=True)
class Conflict:
    """A member of which lines say different things."""

    file: str
    lines: tuple[int, int]
    said: tuple[str, str]


@dataclass
class Report:
    """What came of a table."""

    lines: int = 0
    matched: int = 0
    """Lines that name a member."""
    matched_by: dict[str, int] = field(default_factory=lambda: {"path": 0, "end": 0, "longer": 0})
    unmatched: int = 0
    first_unmatched: list[Unmatched] = field(default_factory=list)
    duplicates: int = 0
    """Lines that say once more what another has said."""
    conflicts: int = 0
    """Members of which lines say different things."""
    first_conflicts: list[Conflict] = field(default_factory=list)
    unlabelled: int = 0
    """Members without a label, in the end."""
    first_unlabelled: list[str] = field(default_factory=list)


def give(table: Table, members: Members, folders: LabelSet, current: LabelSet, mode: Mode) -> tuple[LabelSet, Report]:
    """Put the labels of a table on a dataset.

    Args:
        table: the table.
        members: the names of the dataset's members.
        folders: what the upload's folders say. Where the table has no column of splits, the splits are these.
        current: the labels that the dataset has now, which `merge` changes.
        mode: `replace` drops all labels that it had; `merge` keeps those of the members that the table does not name.

    Raises:
        UserError: the table cannot be meant so: it has almost as many classes as lines, or bytes that are no text.
    """
    reading = _Reading(len(members), has_splits=table.split is not None)
    for row in table.rows():
        reading.take(row, members)
    reading.explain(members)
    found = reading.over(folders, current, mode)
    report = reading.report
    without = np.flatnonzero(found.labels < 0)
    report.unlabelled = len(without)
    report.first_unlabelled = [members.path(int(row)) for row in without[:SHOWN]]
    return found, report


class _Reading:
    """What the lines say so far, as arrays over the members: a million lines take some megabytes.

    Args:
        count: N.
        has_splits: whether there is a column of splits.
    """

    def __init__(self, count: int, *, has_splits: bool) -> None:
        self.report = Report()
        self._labels: npt.NDArray[np.int64] = np.full(count, _NOT_SAID, np.int64)
        self._splits: npt.NDArray[np.int8] = np.full(count, _NONE, np.int8)
        self._lines: npt.NDArray[np.int64] = np.zeros(count, np.int64)
        self._torn: npt.NDArray[np.bool_] = np.zeros(count, bool)
        self._numbers: dict[str, int] = {}
        self._unknown: list[Unmatched] = []
        self._has_splits = has_splits

    def take(self, row: Row, members: Members) -> None:
        """Take one line."""
        report = self.report
        report.lines += 1
        label, split = self._numbered(row), SPLITS.get(row.split.lower()) if row.split else ""
        if row.problem or not row.file or split is None:
            named = f"there is no split {row.split!r:.60}; it is train, validation or test"
            self._leave(row, row.problem or (named if row.file else "the line names no file"))
            return
        match = members.find(row.file)
        if match.row < 0:
            self._leave(row, match.ambiguous)
            return
        report.matched += 1
        report.matched_by[match.how] += 1
        self._put(match.row, row, label, _SPLIT_NAMES.index(split) if split else _NONE, members)

    def _numbered(self, row: Row) -> int:
        if not row.label:
            return _NONE
        number = self._numbers.setdefault(row.label, len(self._numbers))
        if number >= MOST_CLASSES:
            raise UserError(
                "invalid_labels",
                f"the file has more than {MOST_CLASSES:,} different labels by line {row.line}, such as {row.label!r}; a label is "
                "the name of a class, which many images share. Are the columns file and label swapped?",
            )
        return number

    def _put(self, place: int, row: Row, label: int, split: int, members: Members) -> None:
        if self._labels[place] == _NOT_SAID:
            self._labels[place], self._splits[place], self._lines[place] = label, split, row.line
        elif (self._labels[place], self._splits[place]) == (label, split):
            self.report.duplicates += 1
        elif not self._torn[place]:
            self._torn[place] = True
            self.report.conflicts += 1
            if len(self.report.first_conflicts) < SHOWN:
                before = self._said(int(self._labels[place]), int(self._splits[place]))
                lines = (int(self._lines[place]), row.line)
                conflict = Conflict(members.path(place), lines, (before, self._said(label, split)))
                self.report.first_conflicts.append(conflict)

    def _said(self, label: int, split: int) -> str:
        name = next((name for name, number in self._numbers.items() if number == label), "no label")
        return f"{name} in {_SPLIT_NAMES[split]}" if split >= 0 else name

    def _leave(self, row: Row, reason: str) -> None:
        self.report.unmatched += 1
        if len(self._unknown) < SHOWN:
            self._unknown.append(Unmatched(row.line, row.file, reason))

    def explain(self, members: Members) -> None:
        """Say of the lines that match nothing what they may have meant, and whether the columns are swapped."""
        names = [one.file for one in self._unknown if not one.reason]
        nearest = iter(members.nearest(names) if names else [])
        for one in self._unknown:
            near = None if one.reason else next(nearest)
            reason = one.reason or "no such file" + (f"; nearest: {near}" if near else "")
            self.report.first_unmatched.append(Unmatched(one.line, one.file, reason))
        if self.report.matched == 0 and self._are_files(members):
            raise UserError("invalid_labels", "the labels are names of the dataset's files: the columns file and label are swapped")

    def _are_files(self, members: Members) -> bool:
        tried = list(self._numbers)[:_TRIED]
        return len(tried) > 0 and sum(members.find(name).row >= 0 for name in tried) > len(tried) / 2

    def over(self, folders: LabelSet, current: LabelSet, mode: Mode) -> LabelSet:
        """The labels that the dataset has then."""
        said = (self._labels != _NOT_SAID) & ~self._torn
        before = current if mode == "merge" else LabelSet((), np.full(len(said), _NONE, np.int64), None)
        every = [*before.names, *self._numbers]
        places = {name: number for number, name in enumerate(sorted(set(every)))}
        numbers = np.array([*(places[name] for name in every), _NONE], np.int64)
        # Behind the names that there were come those of the table; -1 is the last entry, which stays -1.
        ours = np.where(self._labels >= 0, self._labels + len(before.names), _NONE)
        labels = numbers[np.where(said, ours, before.labels)]
        used = np.unique(labels[labels >= 0])
        names = sorted(places)
        anew = np.full(len(names) + 1, _NONE, np.int64)
        anew[used] = np.arange(len(used))
        splits = self._split(said, current if mode == "merge" else None, folders)
        return LabelSet(tuple(names[number] for number in used), anew[labels], splits)

    def _split(
        self, said: npt.NDArray[np.bool_], kept: LabelSet | None, folders: LabelSet
    ) -> list[str | None] | tuple[str | None, ...] | None:
        if not self._has_splits:
            known = folders if kept is None else kept
            return None if known.splits is None else list(known.splits)
        before: Iterator[str | None] = iter((None,) * len(said) if kept is None or kept.splits is None else kept.splits)
        found = [
            (_SPLIT_NAMES[split] if split >= 0 else None) if is_said else was
            for is_said, split, was in zip(said.tolist(), self._splits.tolist(), before, strict=True)
        ]
        return found if any(found) else None


_SPLIT_NAMES = ("train", "validation", "test")
