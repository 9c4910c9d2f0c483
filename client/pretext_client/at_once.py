"""Embedding a few images at once: as many requests as it takes, each a form with the images in it."""

import os
import secrets
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from pretext_client.errors import InvalidRequest, PretextError, TransferFailed
from pretext_client.http import Body, Call, Http
from pretext_client.types import Embedded, OneEmbedding

Image = str | os.PathLike[str] | bytes
"""A file, or what is in one."""
MOST_IMAGES = 64
MOST_BYTES = 32 << 20
"""Of one request, as the server takes it."""


def embed(http: Http, model_id: str, images: Iterable[Image], *, stage: str | None, normalize: bool) -> Embedded:
    """Embed images, in their order; as of `Models.embed`."""
    fields = {"stage": stage, "normalize": "true" if normalize else None}
    given = {name: value for name, value in fields.items() if value is not None}
    answers: list[Embedded] = []
    data: list[OneEmbedding] = []
    for batch in _batches(images):
        answer = _asked(http, model_id, batch, given, before=len(data))
        data += [replace(one, index=len(data) + place) for place, one in enumerate(answer.data)]
        answers.append(answer)
    if not answers:
        raise PretextError("there are no images to embed")
    if len(answers) == 1:
        return answers[0]
    rows = [{**one.raw, "index": one.index} for one in data]
    return replace(answers[0], data=tuple(data), raw={**answers[0].raw, "data": rows})


def _asked(http: Http, model_id: str, batch: Sequence[tuple[str, bytes]], fields: dict[str, str], *, before: int) -> Embedded:
    # Asking twice changes nothing; with such a key a request is sent again while no worker answers.
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    path = f"/v1/models/{quote(model_id, safe='')}/embed"
    try:
        return http.value(Call("POST", path, headers=headers, body=_form(batch, fields)), Embedded)
    except InvalidRequest as error:
        if before and error.code == "bad_image":
            told = f"{error.detail} (counted from image {before})"
            raise InvalidRequest(error.status, error.code, told, param=error.param, request_id=error.request_id) from error
        raise


def _batches(images: Iterable[Image]) -> Iterator[list[tuple[str, bytes]]]:
    """Names and contents, as many at a time as the server takes."""
    batch: list[tuple[str, bytes]] = []
    size = 0
    for image in images:
        name, content = _read(image)
        if batch and (len(batch) == MOST_IMAGES or size + len(content) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((name, content))
        size += len(content)
    if batch:
        yield batch


def _read(image: Image) -> tuple[str, bytes]:
    if isinstance(image, bytes):
        return "image", image
    path = Path(image)
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        raise TransferFailed(f"cannot read {path}: {error.strerror}") from error


def _form(images: Sequence[tuple[str, bytes]], fields: dict[str, str]) -> Body:
    boundary = f"pretext{secrets.token_hex(16)}"
    parts = [_part(boundary, f'name="{name}"', value.encode()) for name, value in fields.items()]
    parts += [_part(boundary, f'name="file"; filename="{_quoted(name)}"', content) for name, content in images]
    whole = b"".join([*parts, f"--{boundary}--\r\n".encode()])
    return Body(f"multipart/form-data; boundary={boundary}", len(whole), lambda: iter([whole]))


def _part(boundary: str, disposition: str, content: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode("utf-8", "surrogateescape") + content + b"\r\n"


def _quoted(filename: str) -> str:
    return filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
