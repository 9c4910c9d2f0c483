"""Bring the database's tables up to date."""

import importlib.util
from pathlib import Path

from alembic import command
from alembic.config import Config


def migrate(url: str, revision: str = "head") -> None:
    """Run the migrations that a database has not had. Servers that start together may all call it; one at a time runs."""
    spec = importlib.util.find_spec("migrations")
    assert spec is not None
    assert spec.origin is not None
    config = Config()
    config.set_main_option("script_location", str(Path(spec.origin).parent))
    config.attributes["url"] = url
    command.upgrade(config, revision)
