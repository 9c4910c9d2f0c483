"""Bring the database's tables up to date."""

import importlib.util
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.orm import Session


def migrate(url: str, revision: str = "head") -> None:
    """Run the migrations that a database has not had. Servers that start together may all call it; one at a time runs."""
    config = _config()
    config.attributes["url"] = url
    command.upgrade(config, revision)


def is_migrated(session: Session) -> bool:
    """Whether a database has had the migrations that this version of the service needs; later ones do no harm.

    Raises:
        SQLAlchemyError: the database does not answer, or has had none at all.
    """
    had = session.execute(text("SELECT version_num FROM alembic_version")).scalar()
    head, known = _versions()
    return had == head or had not in known


@cache
def _versions() -> tuple[str | None, frozenset[str]]:
    """The newest migration, and all that there are."""
    scripts = ScriptDirectory.from_config(_config())
    return scripts.get_current_head(), frozenset(script.revision for script in scripts.walk_revisions())


def _config() -> Config:
    spec = importlib.util.find_spec("migrations")
    assert spec is not None
    assert spec.origin is not None
    config = Config()
    config.set_main_option("script_location", str(Path(spec.origin).parent))
    return config
