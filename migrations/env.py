"""Alembic's entry point."""

from alembic import context
from sqlalchemy import JSON, text

from records.database import Database
from records.models import Base
from records.models.base import UtcDateTime
from records.settings import Settings

_LOCK = 7_263_041
"""Any number that nobody else locks in the same PostgreSQL database."""


def render(kind: str, item: object, _context: object) -> str | bool:
    """Write our column types in a migration as plain ones, so that it does not change when the models do."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, JSON):
        return "Json"
    return False


def run() -> None:
    """Migrate over a live connection."""
    url = context.config.attributes.get("url") or Settings().database
    engine = Database(url).engine.execution_options(writes=True)
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            connection.commit()
        else:
            # SQLite changes a column by making the table anew. With foreign keys on, dropping the old one empties those that refer
            # to it. The setting cannot be changed within a transaction, hence the driver's own connection.
            connection.connection.execute("PRAGMA foreign_keys=OFF")
        context.configure(
            connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True, render_item=render
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    engine.dispose()


run()
