"""The catalogue: what can be asked for."""

from fastapi import APIRouter

from api.catalogue.schemas import EncoderEntry, TaskEntry
from api.pages import Page
from ssl_core.spec import ENCODERS, TASKS, EncoderSpec

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/tasks", summary="List the pretext tasks")
def list_tasks() -> Page[TaskEntry]:
    """Every pretext task with its settings, their defaults and units, and what it learns from."""
    entries = [
        TaskEntry(
            name=name,
            modality=task.modality,
            summary=task.summary,
            learns_from=task.learns_from,
            preview=task.preview,
            paper=task.paper,
            chance_accuracy=task.chance_accuracy,
            defaults=task(name=name).model_dump(mode="json"),
            json_schema=task.model_json_schema(),
        )
        for name, task in TASKS.items()
    ]
    return Page(data=entries, has_more=False)


@router.get("/encoders", summary="List the encoders")
def list_encoders() -> Page[EncoderEntry]:
    """Every network that can be trained."""
    schema = EncoderSpec.model_json_schema()
    entries = [
        EncoderEntry(
            name=info.name,
            modality=info.modality,
            family=info.family,
            summary=info.summary,
            features=info.features,
            parameters=info.parameters,
            small_stem=info.small_stem,
            min_image_size=info.min_image_size,
            min_frames=info.min_frames,
            stages=list(info.stages),
            json_schema=schema,
        )
        for info in ENCODERS.values()
    ]
    return Page(data=entries, has_more=False)
