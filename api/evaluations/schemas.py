"""What evaluations look like from outside."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field

from api.pages import Metadata, Moment, Resource
from records.models import Evaluation


class EvaluationFileOut(Resource):
    """A file of an evaluation."""

    name: str = Field(examples=["label_efficiency.svg"])
    """Its name."""
    bytes: int
    """Its size."""
    sha256: str
    """SHA-256 of its content, in hexadecimal."""
    url: str
    """Where it can be downloaded, with the same key."""


class LabelsSavedOut(Resource):
    """The pretrained encoder with so many labels per class, beside training from scratch."""

    labels: float = Field(examples=[20])
    """Labels per class that the pretrained encoder has; of all labels, their mean."""
    accuracy: float
    """Test accuracy that it reaches with them, mean over the draws, 0 to 1."""
    scratch_accuracy: float
    """Test accuracy that the same network reaches from random weights with as many."""
    needed: float | None = Field(examples=[130])
    """Labels per class that training from scratch needs to be as accurate; null if all that there are do not suffice."""
    low: float | None
    """Lower end of its 95% interval; null as above."""
    high: float | None
    """Upper end; null as above."""
    helps: bool
    """Whether more are needed for certain, at all numbers of labels together, than the pretrained encoder has."""


class ReferenceOut(Resource):
    """Another model that was measured beside."""

    model_config = ConfigDict(extra="ignore")

    id: str
    """The model's id; it may have been deleted since."""
    name: str = Field(examples=["resnet18, ImageNet"])
    """What it was called."""
    encoder: dict[str, Any]
    """Its network."""
    image_size: int
    """Side of the images that it was shown, in pixels."""
    labels_saved: list[LabelsSavedOut] | None = None
    """How many labels it saves, beside the same training from scratch; null if `label_efficiency` was not asked for."""
    sentence: str | None = None
    """That in words."""


class EvaluationListed(Resource):
    """What was found out of an encoder, in short."""

    object: Literal["evaluation"] = "evaluation"
    """Always `evaluation`."""
    id: str
    """Begins with `eval_`."""
    job_id: str
    """The job that made it."""
    model_id: str
    """The model whose encoder was evaluated; it may have been deleted since."""
    dataset_id: str | None
    """The labelled dataset; it may have been deleted since."""
    sentence: str
    """The answer in words."""
    metrics: dict[str, Any]
    """The figures that stand for it: accuracies of `knn`, `linear` and `fine_tune`, `mean_average_precision`; of `robustness`
    accuracy when `attacked` (PGD) and `corrupted`, by the first head; 0 to 1."""
    files: list[EvaluationFileOut]
    """The report and its pictures, each as PNG and as SVG."""
    created_at: Moment
    """When it was published."""
    metadata: Metadata

    @classmethod
    def of(cls, evaluation: Evaluation) -> Self:
        """Show a record."""
        files = [
            {
                **{name: file[name] for name in ("name", "bytes", "sha256")},
                "url": f"/v1/evaluations/{evaluation.id}/files/{file['name']}",
            }
            for file in evaluation.files
        ]
        known = EvaluationListed.model_fields.keys() - {"object", "files", "metadata"}
        shown = {name: getattr(evaluation, name) for name in known}
        return cls.model_validate({**shown, **cls._more(evaluation), "files": files, "metadata": evaluation.meta})

    @staticmethod
    def _more(_evaluation: Evaluation) -> dict[str, Any]:
        return {}


class EvaluationOut(EvaluationListed):
    """What was found out of an encoder: the whole report."""

    model_config = ConfigDict(extra="ignore")

    labels_saved: list[LabelsSavedOut] | None
    """How many labels the encoder saves, by labels per class; null if `label_efficiency` was not asked for."""
    references: list[ReferenceOut]
    """Other models that were measured beside."""
    report: dict[str, Any]
    """All figures: `data` (what trained and what tested, duplicates), `classes`, `chance`, and one object for each protocol."""

    @staticmethod
    def _more(evaluation: Evaluation) -> dict[str, Any]:
        report = evaluation.report
        return {"report": report, "labels_saved": report["labels_saved"], "references": report.get("references", [])}
