"""The OpenAPI page. Its script and style come from a Python package, so it works with no internet."""

from pathlib import Path

import fastapi_swagger
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

_ASSETS = Path(fastapi_swagger.__file__).parent / "resources"
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pretext Server</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="icon" href="/docs/assets/favicon-32x32.png">
</head>
<body>
<div id="page"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#page", deepLinking: true, persistAuthorization: true,
  displayRequestDuration: true, tryItOutEnabled: true, validatorUrl: null,
});
"""

router = APIRouter(include_in_schema=False)


@router.get("/")
def home() -> Response:
    """To the docs, until there is a better home."""
    return RedirectResponse("/docs")


@router.get("/docs")
def page() -> Response:
    """The page."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/start.js")
def start() -> Response:
    """The page's few lines of script, apart from it so that the policy can forbid scripts in pages."""
    return Response(_START, media_type="text/javascript")


def install(app: FastAPI) -> None:
    """Add the page to an application."""
    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(directory=_ASSETS))
