"""Traces, where OpenTelemetry's own variables ask for them, such as OTEL_EXPORTER_OTLP_ENDPOINT. Elsewhere this does nothing."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from records.otel import Otel

logger = logging.getLogger(__name__)

Kind = Literal["internal", "server", "client", "consumer"]
_LONGEST_STATEMENT = 2000
_otel: "Otel | None" = None


def set_up(service: str) -> None:
    """Begin to send spans, if that is asked for."""
    global _otel  # noqa: PLW0603  a process has one service and one place that its spans go to
    asked = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if not asked or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return
    try:
        from records.otel import Otel
    except ImportError:
        logger.warning("an OTLP endpoint is named, but OpenTelemetry is not installed: pip install 'pretext-server[otel]'")
        return
    _otel = Otel(service)


def close() -> None:
    """Send what has not been sent, and stop."""
    global _otel
    otel, _otel = _otel, None
    if otel is not None:
        otel.close()


def on() -> bool:
    """Whether spans are sent."""
    return _otel is not None


def traceparent() -> str | None:
    """The span that is current here, as the W3C header tells it; None if there is none."""
    return None if _otel is None else _otel.traceparent()


@contextmanager
def span(
    name: str, *, kind: Kind = "internal", headers: Mapping[str, str] | None = None, job_id: str | None = None, **attributes: Any
) -> Iterator[Any]:
    """A span around a block. Gives the span, or None if there are no traces.

    Args:
        name: what is done; of few different ones.
        kind: on which side of a call it is.
        headers: of a request, which may tell what it is a part of.
        job_id: the job that it is a part of.
        attributes: what to know of it; `__` in a name stands for a dot.
    """
    if _otel is None:
        yield None
        return
    with _otel.span(name, _dotted(attributes), kind=kind, headers=headers, job_id=job_id) as found:
        yield found


def tell(name: str, start: float, end: float, *, job_id: str | None = None, **attributes: Any) -> None:
    """A span that is over, from and until so many seconds since 1970: a part of a job, or of the current span."""
    if _otel is not None:
        _otel.tell(name, _dotted(attributes), start, end, kind="internal", job_id=job_id)


def tell_job(job_id: str, start: float, *, link: str | None, error: str | None, **attributes: Any) -> None:
    """A job that has ended just now."""
    if _otel is not None:
        _otel.tell_job(job_id, {"pretext.job_id": job_id, **_dotted(attributes)}, start, link, error)


def statement(operation: str, text: str, system: str, start: float, end: float) -> None:
    """A statement of the database that belongs to the current span; its values are not told."""
    if _otel is not None:
        told = {"db.system.name": system, "db.operation.name": operation, "db.query.text": text[:_LONGEST_STATEMENT]}
        _otel.tell(operation, told, start, end, kind="client", job_id=None)


def _dotted(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in attributes.items() if value is not None}
