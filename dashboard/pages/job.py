"""One job."""

from dashboard.pages.base import Page
from dashboard.parts import basics


async def build(job_id: str) -> None:
    """Everything about it."""
    basics.heading(job_id)


PAGE = Page("/jobs/{job_id}", "Job", build)
