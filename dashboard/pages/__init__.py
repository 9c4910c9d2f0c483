"""The pages, in the order of the navigation. To add one, see CONTRIBUTING.md, "Add a page"."""

from dashboard.pages import compare, dataset, datasets, job, jobs, model, models, new_job, workers
from dashboard.pages.base import Page

PAGES: tuple[Page, ...] = (
    datasets.PAGE,
    dataset.PAGE,
    new_job.PAGE,
    jobs.PAGE,
    job.PAGE,
    compare.PAGE,
    models.PAGE,
    model.PAGE,
    workers.PAGE,
)

__all__ = ["PAGES", "Page"]
