"""The pages, in the order of the navigation. To add one, see CONTRIBUTING.md, "Add a page"."""

from dashboard.pages import (
    audit,
    compare,
    dataset,
    datasets,
    delivery,
    job,
    jobs,
    keys,
    members,
    model,
    models,
    new_job,
    usage,
    webhook,
    webhooks,
    workers,
)
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
    usage.PAGE,
    keys.PAGE,
    members.PAGE,
    webhooks.PAGE,
    webhook.PAGE,
    delivery.PAGE,
    audit.PAGE,
    workers.PAGE,
)

__all__ = ["PAGES", "Page"]
