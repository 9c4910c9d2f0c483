"""The database: SQLite or PostgreSQL behind one set of queries."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from records import notes, outbox, tenancy

logger = logging.getLogger(__name__)

AfterCommit = Callable[[], None]

IDLE_SECONDS = 60.0
"""After so long without a word within a transaction, PostgreSQL ends it, and with it the connection."""
_ALIKE: dict[str, Any] = {"pool_size": 10, "max_overflow": 20, "json_deserializer": from_json}
"""Of the engines of both systems. Reading JSON is most of what a long list costs, and pydantic's parser takes a third of json's."""


class Database:
    """An engine and the two kinds of transaction.

    Args:
        url: `sqlite:///PATH` or `postgresql+psycopg://…`.
        guarded: whether a transaction acts for the project that a request is from, and for none outside of requests. What it does
            is then written into the audit log, too. `whole` is the same database unguarded.
    """

    def __init__(self, url: str, *, guarded: bool = False) -> None:
        self.engine = _engine(url)
        self.guarded = guarded
        self._reads = sessionmaker(self.engine, expire_on_commit=False)
        self._writes = sessionmaker(self.engine.execution_options(writes=True), expire_on_commit=False)
        for sessions in (self._reads, self._writes):
            tenancy.guard(sessions)
        outbox.watch(self._writes)
        notes.watch(self._writes)

    @property
    def whole(self) -> "Database":
        """The same database, for all projects."""
        unguarded = copy(self)
        unguarded.guarded = False
        return unguarded

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with self._reads(info=self._info()) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that is committed at the end, unless an exception comes out. What `after_commit` was given follows."""
        with self._writes(info=self._info()) as session:
            with session.begin():
                yield session
                outbox.write(session, now(session))
                if self.guarded:
                    from records import audit  # which needs this module's clock

                    audit.record(session)
            for action in session.info.pop("after_commit", []):
                action()

    def _info(self) -> dict[str, Any]:
        return tenancy.info_of(tenancy.acting()) if self.guarded else {}

    def ping(self) -> None:
        """Raise what the database raises if it does not answer."""
        with self.read() as session:
            session.execute(text("SELECT 1"))


def is_full(error: DBAPIError) -> bool:
    """Whether the database has no room left on its disk."""
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(error.orig, "sqlstate", None) == "53100"


def is_away(error: DBAPIError) -> bool:
    """Whether the same may succeed over another connection, or later."""
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def after_commit(session: Session, action: AfterCommit) -> None:
    """Do something once the transaction is safe, such as waking a worker. Not done if it is rolled back."""
    session.info.setdefault("after_commit", []).append(action)


def now(session: Session) -> datetime:
    """The database's clock, so that leases do not depend on how well the clocks of several hosts agree."""
    if session.get_bind().dialect.name == "postgresql":
        moment: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)  # the server may have another zone, and the driver has its own name for this one
    return datetime.now(UTC)


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 5}, **_ALIKE)
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    path = make_url(url).database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": 15, "check_same_thread": False}, **_ALIKE)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_postgresql(connection: Any, _record: object) -> None:
    # A process that is frozen or cut off within a transaction would keep others from the rows that it has locked, for good.
    connection.autocommit = True
    connection.execute(f"SET idle_in_transaction_session_timeout = {IDLE_SECONDS * 1000:.0f}")
    connection.autocommit = False


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin transactions late; `_begin_sqlite` does it
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=15000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails if another wrote in between; one that says so at its start waits.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
