"""This server's API beside MLflow's tracking server: the same operations, on databases of the same size, in turn in one run.

Run it by `python -m benchmarks.api --mlflow ENVIRONMENT/bin/mlflow [--rows 100 1000 …] [--database postgresql]`;
`python -m venv ENVIRONMENT && ENVIRONMENT/bin/pip install mlflow psycopg2-binary` makes the environment. Requests are sent over
connections that are kept open, by one client for the latencies and by several for the rate. Only ratios within a run mean something
on a machine that others use too.

What is compared: to submit a job and to create a run; to write down 1,000 points of a metric (here by a worker, into the database;
there by a request of 1,000); to list 100 of them, all or the failed ones; to read one; to read its 1,000 points.
"""

import argparse
import tempfile
import threading
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles

from benchmarks import databases
from benchmarks.sides import MLflow, Ours, Side

OPERATIONS = ("submit", "list", "filter", "read", "history")


def _ask(side: Side, operation: str, seconds: float, most: int) -> list[float]:
    """Latencies in seconds of requests that are sent one after the other."""
    connection = HTTPConnection("127.0.0.1", side.port, timeout=300)
    connection.connect()
    found: list[float] = []
    ends = time.perf_counter() + seconds
    for method, path, body in side.requests(operation):
        started = time.perf_counter()
        connection.request(method, path, body, side.headers)
        answer = connection.getresponse()
        content = answer.read()
        found.append(time.perf_counter() - started)
        if answer.status >= 300:
            raise SystemExit(f"{side.name}: {method} {path} gave {answer.status}: {content[:300]!r}")
        if time.perf_counter() > ends or len(found) >= most:
            break
    connection.close()
    return found


def _rate(side: Side, operation: str, seconds: float, clients: int) -> float:
    """Requests per second of several clients."""
    found: list[list[float]] = [[] for _ in range(clients)]

    def ask(place: int) -> None:
        found[place] = _ask(side, operation, seconds, 10**9)

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(map(len, found)) / (time.perf_counter() - started)


def _log(side: Side, seconds: float) -> list[float]:
    write, found, ends = side.log(), [], time.perf_counter() + seconds
    while time.perf_counter() < ends or len(found) < 3:
        started = time.perf_counter()
        write()
        found.append(time.perf_counter() - started)
    return found


def _p99(found: list[float]) -> float:
    return quantiles(found, n=100)[98] if len(found) > 1 else found[0]


def _measure(rows: int, sides: list[Side], seconds: float, turns: int, clients: int) -> None:
    """Print a row for each operation."""
    for operation in (*OPERATIONS, "log"):
        latencies: dict[str, list[float]] = {side.name: [] for side in sides}
        rates: dict[str, list[float]] = {side.name: [] for side in sides}
        for turn in range(turns + 1):
            for side in sides:
                took = _log(side, seconds) if operation == "log" else _ask(side, operation, seconds, 10**9)
                if turn:  # the first one warms up
                    latencies[side.name] += took
                    rates[side.name].append(1 / median(took) if operation == "log" else _rate(side, operation, seconds, clients))
        ours, theirs = (latencies[side.name] for side in sides)
        times = [f"{median(of) * 1000:.1f} / {_p99(of) * 1000:.1f}" for of in (ours, theirs)]
        rate_of = [median(rates[side.name]) for side in sides]
        faster, more = f"{median(theirs) / median(ours):.1f}x", f"{rate_of[0] / rate_of[1]:.1f}x"
        print(
            f"| {rows:,} | {operation} | {times[0]} | {times[1]} | {faster} | {rate_of[0]:,.0f} | {rate_of[1]:,.0f} | {more} |",
            flush=True,
        )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlflow", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 1000, 10_000, 1_000_000])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--clients", type=int, default=4, help="at once, for the rate")
    parser.add_argument("--processes", type=int, default=1, help="of our API; MLflow has four")
    arguments = parser.parse_args()
    print("| rows | operation | pretext p50 / p99 ms | MLflow p50 / p99 ms | p50 | pretext /s | MLflow /s | rate |")
    print("|---|---|---|---|---|---|---|---|")
    for rows in arguments.rows:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            ours_url, theirs_url = stack.enter_context(databases.empty(arguments.database, folder, "ours", "mlflow"))
            sides: list[Side] = []
            for side in (
                lambda: Ours(folder, ours_url, rows, arguments.processes),  # noqa: B023  called at once
                lambda: MLflow(folder, theirs_url, rows, arguments.mlflow),  # noqa: B023
            ):
                sides.append(side())
                stack.callback(sides[-1].close)
            _measure(rows, sides, arguments.seconds, arguments.turns, arguments.clients)


if __name__ == "__main__":
    main()
