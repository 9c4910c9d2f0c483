"""The way in and out: a plain form that works without scripts, and a link that works once."""

from html import escape
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pretext_client import ConnectionFailed, PretextError, Unauthorized

from dashboard import assets
from dashboard.config import Config
from dashboard.sessions import IDLE_SECONDS, Sessions, cookie_name
from dashboard.threads import in_thread

_MOST_FORM = 4096
_PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Pretext Server</title>
<link rel="icon" href="{icon}"><link rel="stylesheet" href="{fonts}"><link rel="stylesheet" href="{css}">
</head>
<body class="sign-in">
<main>
<img src="{icon}" alt="" width="40" height="40">
<h1>Sign in to Pretext Server</h1>
<p class="quiet">{lead}</p>
{trouble}
<form method="post" action="/sign-in">
<input type="hidden" name="to" value="{to}">
<label for="key">API key</label>
<input id="key" name="key" type="password" required autofocus autocomplete="current-password" spellcheck="false"{invalid}>
<button class="button primary" type="submit">Sign in</button>
</form>
<p class="quiet small">{hint}</p>
</main>
</body>
</html>
"""
_LEAD = "The key stays on the server; this browser gets a cookie that no script can read."
_HINT = (
    "On the machine of the server, <code>pretext-server up</code> prints a link that signs you in, and the file "
    "<code>api-key</code> in its data folder holds the key. Otherwise, ask an administrator for one."
)


def router(config: Config, sessions: Sessions) -> APIRouter:
    """The routes of signing in and out."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/sign-in")
    async def form(request: Request, to: Annotated[str, Query(max_length=500)] = "/") -> Response:
        if await in_thread(sessions.of, request) is not None:
            return RedirectResponse(_inside(to), 303)
        return _form(request, to)

    @routes.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        fields = parse_qs((await _small_body(request)).decode("utf-8", "replace"))
        key, to = fields.get("key", [""])[0].strip(), fields.get("to", ["/"])[0]
        if not key or not key.isascii() or not key.isprintable():
            return _form(request, to, "That is no key: give its letters and digits as they are.", 422)
        return await _begin(sessions, request, key, to)

    @routes.get("/sign-in/once")
    async def once(request: Request, code: Annotated[str, Query(max_length=200)] = "") -> Response:
        key = None if config.link is None else await in_thread(config.link.take, code)
        if key is None:
            return _form(request, "/", "This link was used already, or is of an earlier start. Sign in with the key.", 403)
        return await _begin(sessions, request, key, "/")

    @routes.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        session = await in_thread(sessions.of, request)
        if session is not None:
            await in_thread(sessions.end, session)
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(cookie_name(request))
        return answer

    return routes


async def _begin(sessions: Sessions, request: Request, key: str, to: str) -> Response:
    try:
        token = await in_thread(sessions.begin, key)
    except Unauthorized:
        return _form(request, to, "The server does not accept this key. Is it whole, and still valid?", 401)
    except ConnectionFailed:
        return _form(request, to, "The server does not answer at the moment. Try again in a few seconds.", 503)
    except PretextError as error:
        return _form(request, to, str(error), 502)
    answer = RedirectResponse(_inside(to), 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(cookie_name(request), token, max_age=IDLE_SECONDS, httponly=True, samesite="lax", secure=secure)
    return answer


async def _small_body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM:
            return b""
    return body


def _inside(to: str) -> str:
    """Where to go on: a path of this page, and never another site's address."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() else "/"


def _form(request: Request, to: str, trouble: str = "", status: int = 200) -> Response:
    told = f'<p class="trouble" role="alert" id="trouble">{escape(trouble)}</p>' if trouble else ""
    page = _PAGE.format(
        theme=assets.theme_of(request),
        icon=assets.url("icon.svg"),
        fonts=assets.FONTS,
        css=assets.url("page.css"),
        lead=_LEAD,
        hint=_HINT,
        trouble=told,
        to=escape(_inside(to), quote=True),
        invalid=' aria-invalid="true" aria-describedby="trouble"' if trouble else "",
    )
    return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})
