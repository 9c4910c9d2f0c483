"""From the browser to the server, in parts that can be sent again.

The page's script sends a file, or a tar that it makes of a folder while it reads it, in parts of some megabytes. Each is forwarded
as a part of a resumable upload, so that whatever breaks (the network, the browser, this process, the API) it goes on from there.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from pretext_client import Conflict, NotFound
from pydantic import BaseModel, Field

from dashboard.files import within
from dashboard.sessions import Sessions

MOST_PART = 16 << 20
"""Bytes of a part, which this process has in memory for a moment."""
UploadId = Annotated[str, Path(pattern=r"^up_[0-9a-z]+$", max_length=60)]


class _Announced(BaseModel):
    length: int = Field(ge=1)
    filename: str = Field(min_length=1, max_length=255)


class _Wanted(BaseModel):
    name: str = Field(default="", max_length=200)
    kind: str = Field(default="auto", pattern="^(auto|image|video)$")


def router(sessions: Sessions) -> APIRouter:
    """The routes of uploads, for the page's script."""
    routes = APIRouter(prefix="/uploads", include_in_schema=False)

    @routes.post("")
    async def create(request: Request, announced: _Announced) -> dict[str, Any]:
        made = await within(sessions, request, lambda pretext: pretext.uploads.create(announced.length, announced.filename))
        return {"id": made.id, "offset": 0}

    @routes.get("/{upload_id}/offset")
    async def offset(request: Request, upload_id: UploadId) -> JSONResponse:
        try:
            arrived = await within(sessions, request, lambda pretext: pretext.uploads.get(upload_id))
        except (NotFound, Conflict):  # it has expired, or was used up
            return JSONResponse({"gone": True})
        return JSONResponse({"id": upload_id, "offset": arrived.offset, "length": arrived.length})

    @routes.put("/{upload_id}")
    async def append(request: Request, upload_id: UploadId, offset: Annotated[int, Query(ge=0)]) -> JSONResponse:
        part = bytearray()
        async for chunk in request.stream():
            part += chunk
            if len(part) > MOST_PART:
                return JSONResponse({"detail": f"A part may have up to {MOST_PART} bytes."}, 413)
        whole = bytes(part)
        arrived = await within(sessions, request, lambda pretext: pretext.uploads.append(upload_id, offset, whole))
        return JSONResponse({"offset": arrived.offset})

    @routes.post("/{upload_id}/dataset")
    async def dataset(request: Request, upload_id: UploadId, wanted: _Wanted) -> dict[str, str]:
        made = await within(
            sessions,
            request,
            lambda pretext: pretext.datasets.create(upload_id, name=wanted.name, kind=wanted.kind, idempotency_key=upload_id),
        )
        return {"id": made.id}

    @routes.delete("/{upload_id}")
    async def delete(request: Request, upload_id: UploadId) -> dict[str, bool]:
        await within(sessions, request, lambda pretext: pretext.uploads.delete(upload_id))
        return {"gone": True}

    return routes
