"""Evaluations: how many labels an encoder saves."""

from dataclasses import dataclass, field
from datetime import datetime

from pretext_client.types.base import Json, Value
from pretext_client.types.models import ModelFile


@dataclass(frozen=True, kw_only=True)
class LabelsSaved(Value):
    """A pretrained encoder with so many labels per class, beside training from scratch."""

    labels: float
    """Labels per class that the pretrained encoder has."""
    accuracy: float
    """Test accuracy that it reaches with them, 0 to 1."""
    scratch_accuracy: float
    """Test accuracy of training from scratch with as many."""
    needed: float | None = None
    """Labels per class that training from scratch needs to be as accurate; None if all that there are do not suffice."""
    low: float | None = None
    """Lower end of its 95% interval; None as above."""
    high: float | None = None
    """Upper end; None as above."""
    helps: bool = False
    """Whether more are needed for certain, at all numbers of labels together, than the pretrained encoder has."""


@dataclass(frozen=True, kw_only=True)
class Reference(Value):
    """Another model that was measured beside."""

    id: str
    name: str = ""
    encoder: Json = field(default_factory=dict)
    image_size: int | None = None
    """Side of the images that it was shown, in pixels."""
    labels_saved: tuple[LabelsSaved, ...] | None = None
    """By labels per class; None if `label_efficiency` was not asked for."""
    sentence: str | None = None
    """That in words."""


@dataclass(frozen=True, kw_only=True)
class Evaluation(Value):
    """What was found out of an encoder."""

    id: str
    job_id: str
    model_id: str
    sentence: str
    """The answer in words."""
    created_at: datetime
    files: tuple[ModelFile, ...] = ()
    """The report and its pictures."""
    dataset_id: str | None = None
    metrics: Json = field(default_factory=dict)
    """The figures that stand for it, 0 to 1."""
    labels_saved: tuple[LabelsSaved, ...] | None = None
    """By labels per class; None in a list, or if `label_efficiency` was not asked for."""
    references: tuple[Reference, ...] = ()
    """Other models that were measured beside; empty in a list."""
    report: Json | None = None
    """All figures; None in a list."""
    metadata: Json = field(default_factory=dict)
