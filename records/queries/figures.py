"""Figures of a training as JSON text.

A page of them has a thousand rows and more, whose figures the database keeps as JSON already: to take them apart into records and
put them together again would cost several times what the rest of the request does.
"""

from sqlalchemy import ColumnElement, Text, func, select, type_coerce
from sqlalchemy.orm import Session

from records.models import JobMetric

_TEMPLATE = '{"object":"job.metric","step":%s,"epoch":%s,"at":"%sZ","values":%s}'


def page(session: Session, job_id: str, *, after: int, limit: int) -> tuple[list[str], bool]:
    """Figures after a step in order of the steps, and whether there is more.

    Each is the text of an object of `object`, `step`, `epoch`, `at` and `values`.
    """
    query = select(_text(session)).where(JobMetric.job_id == job_id, JobMetric.step > after)
    found = list(session.scalars(query.order_by(JobMetric.step).limit(limit + 1)))
    return found[:limit], len(found) > limit


def _text(session: Session) -> ColumnElement[str]:
    if session.get_bind().dialect.name == "postgresql":
        at = func.to_char(func.timezone("UTC", JobMetric.at), 'YYYY-MM-DD"T"HH24:MI:SS.US')
        return func.format(_TEMPLATE, JobMetric.step, JobMetric.epoch, at, JobMetric.values)
    at = func.replace(type_coerce(JobMetric.at, Text), " ", "T")
    return func.printf(_TEMPLATE, JobMetric.step, JobMetric.epoch, at, type_coerce(JobMetric.values, Text), type_=Text)
