"""A new job."""

from dashboard.pages.base import Page
from dashboard.parts import basics


async def build() -> None:
    """The form."""
    basics.heading("New job")


PAGE = Page("/new-job", "New job", build, icon="new", needs="write")
