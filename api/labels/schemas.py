"""What labels look like from outside."""

from dataclasses import asdict
from typing import Literal, Self

from pydantic import ConfigDict, Field, JsonValue

from api.pages import Resource
from ssl_core.labels.given import Mode, Report
from ssl_core.labels.stored import LabelSet

_EXAMPLE: JsonValue = {
    "object": "dataset.labels",
    "dataset_id": "ds_01m857cvew41sr5m1t4d32qf12",
    "applied": True,
    "mode": "replace",
    "labels_version": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    "lines": 3,
    "matched": 2,
    "matched_by": {"path": 1, "end": 1, "longer": 0},
    "unmatched": 1,
    "first_unmatched": [{"line": 4, "file": "dgo2.jpg", "reason": "no such file; nearest: pictures/dog2.jpg"}],
    "duplicates": 0,
    "conflicts": 0,
    "first_conflicts": [],
    "unlabelled": 1,
    "first_unlabelled": ["pictures/dog2.jpg"],
    "classes": {"cat": 1, "dog": 1},
    "splits": None,
}


class UnmatchedLine(Resource):
    """A line that was not used."""

    line: int
    """Its number, from 1."""
    file: str
    """The file that it names."""
    reason: str
    """Why it was not used, and what it may have meant."""


class LabelConflict(Resource):
    """A file of which lines say different things. None of them counts."""

    file: str
    """Its name in the dataset."""
    lines: tuple[int, int]
    """The first line, and the first that says something else."""
    said: tuple[str, str]
    """What they say."""


class LabelsOut(Resource):
    """What became of a table of labels."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    object: Literal["dataset.labels"] = "dataset.labels"
    """Always `dataset.labels`."""
    dataset_id: str
    """The dataset."""
    applied: bool
    """Whether these are the dataset's labels now. Not after a dry run."""
    mode: Mode
    """As it was asked for."""
    labels_version: str | None
    """SHA-256 of the labels that the dataset has, or would have. Evaluations name it."""
    lines: int
    """Lines of the table, without the header and empty ones."""
    matched: int
    """Lines that name a file of the dataset."""
    matched_by: dict[str, int]
    """Of these, by the whole `path`; by its `end`, which no other file has; and those whose path is `longer` than the dataset's."""
    unmatched: int
    """Lines that were not used."""
    first_unmatched: list[UnmatchedLine]
    """The first 100 of them."""
    duplicates: int
    """Lines that say once more what another one has said."""
    conflicts: int
    """Files of which lines say different things. They count as not named."""
    first_conflicts: list[LabelConflict]
    """The first 100 of them."""
    unlabelled: int = Field(examples=[10])
    """Files of the dataset that have no label then."""
    first_unlabelled: list[str]
    """The first 100 of them, in the dataset's order."""
    classes: dict[str, int]
    """Files of each class."""
    splits: dict[str, int] | None
    """Files in each split; none if there are no splits."""

    @classmethod
    def of(cls, dataset_id: str, found: LabelSet, report: Report, *, mode: Mode, applied: bool) -> Self:
        """Show what was found."""
        told = {
            **asdict(report),
            "dataset_id": dataset_id,
            "applied": applied,
            "mode": mode,
            "labels_version": found.version,
            "classes": found.counts(),
            "splits": found.split_counts(),
        }
        return cls.model_validate(told)
