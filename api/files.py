"""Files that can be downloaded: in parts, verified, and only if they are not there already."""

import base64
import mimetypes
from typing import Any

from fastapi import Response
from fastapi.responses import FileResponse

from api.errors import responses
from api.etags import is_there
from records.blobs import Blobs

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The file; its SHA-256 is in `ETag` and `Repr-Digest`."},
    206: {"description": "The part that `Range` asked for."},
    304: {"description": "The file is the one that `If-None-Match` names."},
    **responses(401, 404),
}
"""What an endpoint with such a file answers with, for the OpenAPI page."""


def file_answer(blobs: Blobs, *, name: str, key: str, sha256: str, if_none_match: str | None, fixed: bool = True) -> Response:
    """A file, or the part of it that `Range` asks for.

    Args:
        blobs: where it is.
        name: what it is called.
        key: of its blob.
        sha256: of its content, in hexadecimal.
        if_none_match: the request's header of this name.
        fixed: whether it never changes under its name.

    Raises:
        FileNotFoundError: it is gone from the store.
    """
    etag = f'"{sha256}"'
    headers = {
        "ETag": etag,
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:",
        "Cache-Control": "private, immutable, max-age=31536000" if fixed else "private, no-cache",
    }
    if is_there(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(blobs.path(key), media_type=kind, filename=name, headers=headers)
