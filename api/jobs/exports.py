"""The rules of exports."""

from sqlalchemy.orm import Session

from api.jobs.schemas import ExportRequest
from records.models import Model
from records.queries import evaluations, models
from ssl_core.card.evaluations import best_stage
from ssl_core.spec import SpecError
from ssl_core.spec.export import BEST, ModelExport, stages_of


def resolved(session: Session, request: ExportRequest) -> ModelExport:
    """What is asked for, with the stage decided. It runs on any worker's CPU.

    Raises:
        NotFoundError: there is no such model.
        SpecError: its encoder has no such stage, or nothing is known of which one is the best.
    """
    model = models.to_start_from(session, request.model_id, param="model_id")
    stage, evaluation_id = _best(session, model) if request.stage == BEST else (request.stage, None)
    stages = stages_of(model.encoder["name"], model.ends_at)
    if stage is not None and stage not in stages:
        raise SpecError("stage", f"the encoder of {model.id} has no stage {stage!r}; choose one of {', '.join(stages)}, or {BEST}")
    return ModelExport(model_id=model.id, stage=stage, formats=request.formats, evaluation_id=evaluation_id)


def _best(session: Session, model: Model) -> tuple[str, str]:
    """The best stage, and the newest evaluation that knows it."""
    for found in evaluations.of_model(session, model.id):
        if (stage := best_stage(found.report)) is not None:
            return stage, found.id
    raise SpecError(
        "stage",
        f"no evaluation of {model.id} has found its best stage; evaluate it with the protocol linear or knn first, or name a "
        f"stage: {', '.join(stages_of(model.encoder['name'], model.ends_at))}",
    )
