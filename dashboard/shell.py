"""What is around every page: navigation, theme, and the place where pages appear without a reload."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from fastapi import Request
from nicegui import html, ui
from nicegui.element import Element
from nicegui.elements.sub_pages import SubPages
from pretext_client import PretextError

from dashboard import assets
from dashboard.calls import Trouble, session, to_sign_in
from dashboard.icons import icon
from dashboard.pages import PAGES, Page
from dashboard.parts import basics
from dashboard.sessions import Rights, Session, Sessions
from dashboard.threads import in_thread

_FIRST_CONTENT_SECONDS = 1.0
"""How long the first answer waits for the page's content; what takes longer comes by the websocket."""
_HEAD = """<link rel="icon" href="{icon}"><link rel="stylesheet" href="{css}"><script src="{js}"></script>
<meta name="theme-color" media="(prefers-color-scheme: light)" content="#ffffff">
<meta name="theme-color" media="(prefers-color-scheme: dark)" content="#101113">"""


class _Places(SubPages, component=None):
    """Where pages appear."""

    def _render_404(self) -> None:
        basics.trouble(Trouble("Not found", "There is no page at this address."))


def install(sessions: Sessions) -> None:
    """Register the pages with NiceGUI."""
    ui.add_head_html(_HEAD.format(icon=assets.url("icon.svg"), css=assets.url("page.css"), js=assets.url("page.js")), shared=True)

    async def everything(request: Request) -> None:
        session = await in_thread(sessions.of, request)
        assert session is not None, "the guard lets nobody in who is not signed in"
        await _build(session)

    ui.page("/")(everything)
    ui.page("/{_:path}")(everything)


async def _build(session: Session) -> None:
    client = ui.context.client
    client.storage["session"] = session
    links = _frame(session, [page for page in PAGES if session.rights.allow(page.needs)])
    built = asyncio.Event()

    def mark_current(path: str) -> None:
        current = path.partition("?")[0].rstrip("/") or "/"
        for page, link in links:
            is_here = page.marked_at(current)
            if is_here == ("aria-current" in link.props):
                continue
            if is_here:
                link.props["aria-current"] = "page"
            else:
                link.props.pop("aria-current", None)
            link.update()

    routes: dict[str, Callable[..., Any]] = {page.path: _shown(page, built) for page in PAGES}
    routes["/"] = routes["/datasets"]
    _Places(routes).classes("pages")
    client.sub_pages_router.on_path_changed(mark_current)
    mark_current(client.sub_pages_router.current_path)
    html.div(role="status").props("aria-live=polite id=said").classes("unseen")
    try:
        await asyncio.wait_for(built.wait(), _FIRST_CONTENT_SECONDS)
    except TimeoutError:
        return


def _shown(page: Page, built: asyncio.Event) -> Callable[..., Awaitable[None]]:
    """Build a page, and tell in its place what goes wrong with that."""

    @wraps(page.build)
    async def show(**given: Any) -> None:
        client = ui.context.client
        rights = session().rights
        client.run_javascript(f"page.opened({page.title!r})")
        client.title = f"{page.title} · Pretext Server"
        with html.div().classes("page") as place:
            waiting = html.div().classes("skeleton").props("aria-hidden=true")
            with waiting:
                for _ in range(3):
                    html.div()
        try:
            with place:
                if rights.allow(page.needs):
                    await page.build(**given)
                else:
                    _closed(page, rights)
        except PretextError as error:
            trouble = Trouble.of(error)
            if trouble.signed_out:
                to_sign_in()
            place.clear()
            with place:
                basics.trouble(trouble, ui.navigate.reload)
        finally:
            if not waiting.is_deleted:
                waiting.delete()
            built.set()

    return show


def _closed(page: Page, rights: Rights) -> None:
    """Say who may see a page, and how to go on."""
    basics.heading(page.title)
    needed, whom = f"with the scope “{page.needs}”", f"of “{rights.project}”"
    if page.needs == "operator":
        needed, whom = "of administrators of the whole server", "of the server"
    text = (
        f"It is for keys {needed}. Yours, “{rights.key_name}”, is for “{rights.scope}”. Sign out and in again with another key, "
        f"or ask an administrator {whom} for one."
    )
    with basics.empty("Your key may not see this page", text, "keys"):
        basics.link("To the datasets", "/datasets", look="button")


def _frame(session: Session, pages: list[Page]) -> list[tuple[Page, Element]]:
    """The bar at the side; on narrow screens a bar at the top, with a menu."""
    layout = ui.context.client.layout
    links: list[tuple[Page, Element]] = []
    with layout:
        side = html.header().classes("side")
        side.move(layout, 0)
        with side:
            html.a("Skip to the content", href="#content").classes("skip")
            with html.div().classes("brand-row"):
                with html.a(href="/datasets").classes("brand"):
                    html.img(src=assets.url("icon.svg"), alt="", width="22", height="22")
                    html.span("Pretext Server")
                menu = html.button(type="button").classes("button ghost menu-button")
                menu.on("click", js_handler="() => page.menu()")
                menu.props.update({"aria-label": "Menu", "aria-expanded": "false", "aria-controls": "menu"})
                with menu:
                    icon("menu")
            with html.div(id="menu").classes("menu"):
                with html.nav().props('aria-label="Main"'), html.ul():
                    for page in pages:
                        if page.icon:
                            with html.li().classes("apart" if page.apart else ""):
                                links.append((page, _nav_link(page)))
                _foot(session)
    main = ui.context.client.content.parent_slot
    assert main is not None
    main.parent.props("id=content tabindex=-1")
    return links


def _nav_link(page: Page) -> Element:
    made: Element = html.a(href=page.path)
    with made:
        icon(page.icon)
        html.span(page.title)
    return made


def _foot(session: Session) -> None:
    rights = session.rights
    with html.div().classes("foot"):
        with html.div().classes("who"):
            html.span(rights.project).classes("project")
            html.span(f"{rights.scope} key").classes("quiet small")
        with html.div().classes("foot-buttons"):
            theme = html.button(type="button").classes("button ghost").on("click", js_handler="() => page.theme()")
            theme.props.update({"aria-label": "Change the theme", "title": "Theme: system, light or dark"})
            with theme:
                icon("theme")
            with html.form(method="post", action="/sign-out"):
                leave = html.button(type="submit").classes("button ghost")
                leave.props.update({"aria-label": "Sign out", "title": "Sign out"})
                with leave:
                    icon("leave")
