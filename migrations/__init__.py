"""Alembic migrations. One that has landed is never edited."""
