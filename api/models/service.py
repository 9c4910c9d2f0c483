"""The rules of models."""

import json
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from api.datasets.upload import Form
from api.metadata import MetadataIn, parsed
from api.models.weights import check_weights
from api.quotas import check_quota
from api.services import Services
from records.errors import InvalidError
from records.models import Model, ModelFile
from records.queries import models
from ssl_core.spec import ENCODERS, DatasetFacts, PretrainSpec, ResolvedEncoder, SpecError, resolve

_LONGEST_NAME = 200
_LONG = 1000
"""Frames of a video that suits any encoder."""


class ModelFields(BaseModel):
    """The fields beside the file."""

    name: Annotated[str, Field(max_length=_LONGEST_NAME)] = ""
    encoder: Literal[tuple(ENCODERS)]  # type: ignore[valid-type]  # the catalogue is not known to mypy
    stem: Literal["standard", "small"] = "standard"
    image_size: Annotated[int, Field(ge=8, le=512)]
    metadata: MetadataIn = Field(default_factory=dict)


def prefix_of(model_id: str) -> str:
    """Where the files of a model lie."""
    return f"models/{model_id}"


def weights_key(model_id: str) -> str:
    """Where its weights lie."""
    return f"{prefix_of(model_id)}/{models.WEIGHTS}"


def create(services: Services, model_id: str, form: Form, idempotency_key: str | None) -> Model:
    """Make a model of weights that have arrived. They are dropped if they are refused, or were here before.

    Raises:
        InvalidError: a field is missing or impossible, or the file is not safetensors.
        SpecError: there is no such encoder with this stem and size.
        IdempotencyError: the key was used for other weights.
    """
    blobs = services.blobs
    try:
        fields = _fields(form)
        encoder = _encoder(fields)
        check_weights(blobs.path(weights_key(model_id)))
        config, weights = _config(services, model_id, encoder, fields.image_size), _weights(model_id, form)
        with services.database.write() as session:
            known = models.replayed(session, idempotency_key, weights.sha256)
            if known is None:
                check_quota(session, weights.bytes + config.bytes)
                return models.create_imported(
                    session,
                    model_id=model_id,
                    name=fields.name.strip() or f"{encoder.name} from {form.filename}"[:_LONGEST_NAME],
                    encoder=encoder.model_dump(),
                    features=ENCODERS[encoder.name].features,
                    image_size=fields.image_size,
                    files=[config, weights],
                    metadata=fields.metadata,
                    idempotency_key=idempotency_key,
                )
    except BaseException:
        blobs.delete(prefix_of(model_id))
        raise
    blobs.delete(prefix_of(model_id))
    return known


def _fields(form: Form) -> ModelFields:
    given = {name: value for name, value in form.fields.items() if name in ModelFields.model_fields and name != "metadata"}
    metadata = parsed(form.fields.get("metadata"))
    try:
        return ModelFields.model_validate({**given, "metadata": metadata})
    except ValidationError as error:
        found = error.errors()[0]
        param = str(found["loc"][0])
        told = "is required" if found["type"] == "missing" else f"{found['msg']}, not {found['input']!r:.80}"
        raise InvalidError(f"{param}: {told}", param=param) from error


def _encoder(fields: ModelFields) -> ResolvedEncoder:
    """The encoder, if there is one with this stem that takes images of this size: what a training would be refused for."""
    facts = DatasetFacts(images=2, median_side=fields.image_size)
    if ENCODERS[fields.encoder].modality == "video":
        facts = facts.model_copy(update={"kind": "video", "frames": 2 * _LONG, "lengths": ((_LONG, 2),)})
    asked = {
        "task": {"name": "rotation" if facts.kind == "image" else "video_rotation"},
        "encoder": {"name": fields.encoder, "stem": fields.stem},
        "image_size": fields.image_size,
    }
    try:
        return resolve(PretrainSpec.model_validate(asked), facts).encoder
    except SpecError as error:
        raise SpecError(error.param.removeprefix("encoder."), str(error)) from error


def _weights(model_id: str, form: Form) -> ModelFile:
    assert form.blob is not None
    return ModelFile(name=models.WEIGHTS, key=weights_key(model_id), bytes=form.blob.size, sha256=form.blob.digest())


def _config(services: Services, model_id: str, encoder: ResolvedEncoder, image_size: int) -> ModelFile:
    """The part of a bundle's configuration that is known of weights that came from elsewhere."""
    config = {"encoder": encoder.model_dump(), "features": ENCODERS[encoder.name].features, "image_size": image_size}
    content = (json.dumps(config, indent=2) + "\n").encode()
    key = f"{prefix_of(model_id)}/{models.CONFIG}"
    with services.blobs.writer(key) as writer:
        writer.write(content)
    return ModelFile(name=models.CONFIG, key=key, bytes=len(content), sha256=sha256(content).hexdigest())
