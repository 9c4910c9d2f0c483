"""The page's own files: served with names that change with their content, so that browsers may keep them for good."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from nicegui import __version__
from starlette.requests import HTTPConnection

FOLDER = Path(__file__).parent / "static"
FONTS = f"/_nicegui/{__version__}/static/fonts.css"
"""The fonts that NiceGUI brings along; nothing comes from another server."""
THEMES = ("auto", "light", "dark")


@cache
def url(name: str) -> str:
    """Where a file of the page is."""
    digest = sha256((FOLDER / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def theme_of(connection: HTTPConnection) -> str:
    """`light`, `dark`, or `auto`, which follows the system."""
    theme = connection.cookies.get("pretext_theme", "auto")
    return theme if theme in THEMES else "auto"
