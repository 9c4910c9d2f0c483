"""How soon the page shows something, with few jobs in the database and with many.

Run it by `python -m benchmarks.page [--jobs 10000] [--database postgresql]`.

A server of its own, as `pretext-server up` starts it, and a Chromium that has signed in and has nothing in its cache. For each path
the median of five visits, in milliseconds: until the first content is painted, and until the rows that were asked for are there.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks import databases
from benchmarks.sides import fill
from launcher.server import Server
from records.database import Database
from records.migrate import migrate
from records.settings import Settings

FEW = 20
REPEATS = 5
PATHS = {"/": "main h1", "/jobs": "table.listing tbody tr", "/models": "main h1", "/workers": "main h1"}
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def visit(browser: Browser, server: Server, state: Any, path: str) -> tuple[float, float]:
    """One visit with an empty cache: milliseconds until the first content, and until what is looked for is visible."""
    context = browser.new_context(storage_state=state)
    page = context.new_page()
    start = time.perf_counter()
    page.goto(server.url + path, wait_until="commit")
    page.locator(PATHS[path]).first.wait_for(state="visible")
    there = (time.perf_counter() - start) * 1000
    assert page.url == server.url + path, "the page asks for a key"
    page.wait_for_function(PAINTED)
    painted = float(page.evaluate(PAINTED))
    context.close()
    return painted, there


def measure(count: int, kind: str) -> dict[str, tuple[float, float]]:
    """Medians for each path with so many jobs."""
    with (
        tempfile.TemporaryDirectory() as folder,
        databases.empty(kind, Path(folder), "page") as (url,),
        sync_playwright() as playwright,
    ):
        settings = Settings(data_dir=Path(folder) / "data", database_url=url, port=0, device="cpu")
        settings.data_dir.mkdir()
        migrate(settings.database)
        database = Database(settings.database)
        fill(database, count)
        database.engine.dispose()
        found = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        with Server(settings, logs=Path(folder) / "logs") as server:
            context = browser.new_context()
            context.new_page().goto(str(server.sign_in_url))
            state = context.storage_state()
            times = {path: [visit(browser, server, state, path) for _ in range(REPEATS)] for path in PATHS}
        browser.close()
    return {path: (median(one for one, _ in each), median(other for _, other in each)) for path, each in times.items()}


def main() -> None:
    """Measure both, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    arguments = parser.parse_args()
    count, kind = arguments.jobs, arguments.database
    few, many = measure(FEW, kind), measure(count, kind)
    print(f"| path | first content of {FEW} jobs | of {count:,} | what was asked for, of {FEW} | of {count:,} |")
    print("|---|---|---|---|---|")
    for path, ((first, there), (first_of_many, there_of_many)) in {path: (few[path], many[path]) for path in PATHS}.items():
        print(f"| {path} | {first:.0f} ms | {first_of_many:.0f} ms | {there:.0f} ms | {there_of_many:.0f} ms |")


if __name__ == "__main__":
    main()
