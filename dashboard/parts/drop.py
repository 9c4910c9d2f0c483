"""Where folders and archives are dropped. The work is in `static/upload.js`, for only a browser can read what was dropped."""

from nicegui import html, ui
from nicegui.element import Element

from dashboard import assets
from dashboard.icons import icon


def drop_zone() -> Element:
    """A field that uploads what is dropped on it or chosen, shows how far it is, and goes to the new dataset at the end."""
    zone: Element = html.section().classes("drop").props('aria-label="Upload" data-drop')
    with zone:
        icon("upload")
        with html.div().classes("drop-words"):
            html.h2("Drop a folder or an archive here")
            html.p(
                "zip, tar, tar.gz, tar.zst, or single files. Large ones go on where they were when the connection breaks."
            ).classes("quiet small")
        with html.div().classes("actions"):
            _choose("Choose a folder", "data-choose=folder", "webkitdirectory multiple")
            _choose("Choose files", "data-choose=files", "multiple")
        with html.div().classes("drop-progress").props("hidden"):
            html.div(role="progressbar").classes("bar").props('aria-label="Upload" aria-valuemin=0 aria-valuemax=100')
            html.p("").classes("quiet small num drop-said").props("role=status")
            html.button("Stop", type="button").classes("button ghost drop-stop")
    ui.run_javascript(f"import({assets.url('upload.js')!r}).then((upload) => upload.attach())")
    return zone


def _choose(text: str, what: str, how: str) -> None:
    """A file input behind a button of the page's own look."""
    with html.label().classes("button").props(what):
        html.span(text)
        html.input_(type="file").classes("unseen").props(f'{how} aria-label="{text}"')
