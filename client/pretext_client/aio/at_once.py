"""The same as `at_once.py` for `await`. Made by client/make_async: change that file, and run it."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from urllib.parse import quote

from pretext_client.async_http import AsyncHttp
from pretext_client.at_once import Image, _batches, _form
from pretext_client.errors import InvalidRequest, PretextError
from pretext_client.http import Call
from pretext_client.types import Embedded, OneEmbedding


async def embed(http: AsyncHttp, model_id: str, images: Iterable[Image], *, stage: str | None, normalize: bool) -> Embedded:
    """Embed images, in their order; as of `Models.embed`."""
    fields = {"stage": stage, "normalize": "true" if normalize else None}
    given = {name: value for name, value in fields.items() if value is not None}
    answers: list[Embedded] = []
    data: list[OneEmbedding] = []
    for batch in _batches(images):
        answer = await _asked(http, model_id, batch, given, before=len(data))
        data += [replace(one, index=len(data) + place) for place, one in enumerate(answer.data)]
        answers.append(answer)
    if not answers:
        raise PretextError("there are no images to embed")
    if len(answers) == 1:
        return answers[0]
    rows = [{**one.raw, "index": one.index} for one in data]
    return replace(answers[0], data=tuple(data), raw={**answers[0].raw, "data": rows})


async def _asked(
    http: AsyncHttp, model_id: str, batch: Sequence[tuple[str, bytes]], fields: dict[str, str], *, before: int
) -> Embedded:
    # Asking twice changes nothing; with such a key a request is sent again while no worker answers.
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    path = f"/v1/models/{quote(model_id, safe='')}/embed"
    try:
        return await http.value(Call("POST", path, headers=headers, body=_form(batch, fields)), Embedded)
    except InvalidRequest as error:
        if before and error.code == "bad_image":
            told = f"{error.detail} (counted from image {before})"
            raise InvalidRequest(error.status, error.code, told, param=error.param, request_id=error.request_id) from error
        raise
