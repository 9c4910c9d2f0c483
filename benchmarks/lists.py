"""How long a page of a list of jobs takes among a million, on SQLite and PostgreSQL: `python -m benchmarks.lists [JOBS]`."""

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import insert, text

from benchmarks import databases
from records.database import Database
from records.ids import at_time
from records.migrate import migrate
from records.models import Job, Note
from records.queries import jobs
from records.queries.pages import Narrow
from records.tenancy import act_for

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=30)
PROJECT = "proj_default"
REPEATS = 5


def row(number: int) -> dict[str, Any]:
    """One job: four of five of the project, ten of a million running, two of three with a task, a note that one of 50 has."""
    created = BEGIN + number * STEP
    return {
        "id": at_time("job", created),
        "kind": ("pretrain", "evaluate", "embed")[number % 3],
        "state": "running" if number % 100_000 == 7 else ("succeeded", "failed")[number % 4 == 0],
        "task": ("rotation", "jigsaw", None)[number % 3],
        "attempt": 0,
        "failures": 0,
        "priority": 0,
        "device": "auto",
        "spec": {"epochs": number, "filler": "x" * 300},
        "checkpoints": [],
        "last_event": 0,
        "created_at": created,
        "meta": {"team": f"team {number % 50}"},
        "model_id": f"model_{number % 4000}",
        "project_id": PROJECT if number % 5 else "proj_other",
    }


def fill(database: Database, count: int) -> None:
    """Write the jobs with their notes, and let the database look how many there are of each sort."""
    with database.write() as session:
        for start in range(0, count, 50_000):
            rows = [row(number) for number in range(start, min(start + 50_000, count))]
            notes = [
                {"record_id": one["id"], "key": key, "value": value, "kind": "jobs", "project_id": one["project_id"]}
                for one in rows
                for key, value in one["meta"].items()
            ]
            session.execute(insert(Job), rows)
            session.execute(insert(Note), notes)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if connection.dialect.name == "postgresql" else "ANALYZE"))


def cases(count: int) -> dict[str, dict[str, Any]]:
    """What is asked for."""
    middle = BEGIN + count // 2 * STEP
    return {
        "all": {},
        "state=running (ten)": {"state": "running"},
        "state=succeeded": {"state": "succeeded"},
        "kind": {"kind": "embed"},
        "task": {"task": "jigsaw"},
        "model_id": {"model_id": "model_8"},
        "metadata": {"narrow": Narrow(metadata={"team": "team 8"})},
        "created_after": {"narrow": Narrow(created_after=middle)},
        "created_before": {"narrow": Narrow(created_before=middle)},
        "created_after, oldest first": {"narrow": Narrow(order="asc", created_after=middle)},
        "state and task": {"state": "succeeded", "task": "jigsaw"},
        "state (ten) and metadata": {"state": "running", "narrow": Narrow(metadata={"team": "team 7"})},
    }


def milliseconds(database: Database, after: str | None, asked: dict[str, Any]) -> float:
    """Median time of a page of 20 jobs, by a session as of a request."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        with database.read() as session:
            act_for(session, PROJECT)
            jobs.page(session, limit=20, after=after, **asked)
        times.append(time.perf_counter() - start)
    return median(times) * 1000


def main(count: int) -> None:
    """Fill both, ask both, print a table."""
    middle = at_time("job", BEGIN + count // 2 * STEP)
    print("| database | narrowed by | first page, ms | a page in the middle, ms |\n|---|---|---|---|")
    for name in ("SQLite", "PostgreSQL"):
        with tempfile.TemporaryDirectory() as folder, databases.empty(name.lower(), Path(folder), "jobs") as (url,):
            migrate(url)
            database = Database(url)
            fill(database, count)
            for asked, given in cases(count).items():
                first, later = milliseconds(database, None, given), milliseconds(database, middle, given)
                print(f"| {name} | {asked} | {first:.1f} | {later:.1f} |", flush=True)
            database.engine.dispose()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
