"""How long statements of the database take."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

from records import tracing

OPERATIONS = ("SELECT", "INSERT", "UPDATE", "DELETE")
OnStatement = Callable[[str, float], None]
"""Is told the operation, one of `OPERATIONS` or `OTHER`, and how many seconds it took."""


def watch(engine: Engine, told: OnStatement) -> None:
    """Tell of every statement, and make it a part of the trace if there is one."""
    system = engine.dialect.name

    def before(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        if context is not None:
            context.pretext_began = time.perf_counter()

    def after(_connection: Any, _cursor: Any, text: str, _parameters: Any, context: Any, _many: bool) -> None:
        began = getattr(context, "pretext_began", None)
        if began is None:
            return
        seconds = time.perf_counter() - began
        first = text.lstrip()[:10].split(None, 1)[0].upper() if text.strip() else ""
        operation = first if first in OPERATIONS else "OTHER"
        told(operation, seconds)
        if tracing.on():
            end = time.time()
            tracing.statement(operation, text, system, end - seconds, end)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
