"""One dataset."""

from dashboard.pages.base import Page
from dashboard.parts import basics


async def build(dataset_id: str) -> None:
    """Everything about it."""
    basics.heading(dataset_id)


PAGE = Page("/datasets/{dataset_id}", "Dataset", build)
