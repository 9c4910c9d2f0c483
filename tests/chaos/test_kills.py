"""Workers that die, are frozen, or are told to stop."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.chaos.checks import all_trained, history, nothing_left_over, told
from tests.chaos.mortal import POINTS
from tests.chaos.town import Town, lives, until

pytestmark = pytest.mark.timeout(300)
LONG_STEPS = 4000


class TestAtChosenPoints:
    @pytest.mark.parametrize("half", [0, 1])
    def test_each_job_ends_once_with_the_same_weights(self, make_town: Callable[..., Town], half: int, long_chaos: bool):
        points = POINTS[half::2] if long_chaos else POINTS[3 - half :: 3]
        town = make_town(points=points)
        for _ in range(2):
            town.start_worker()
        with town.looked_after():
            dataset_id = town.upload()
            jobs = [town.train(dataset_id).id for _ in range(2)]
            town.wait(*jobs)
        assert town.points_left() == set()
        assert town.deaths == len(points)
        all_trained(town, jobs)
        nothing_left_over(town)


class TestWhenever:
    @pytest.mark.usefixtures("at_length")
    @pytest.mark.parametrize("system", ["postgres", "sqlite"])
    @pytest.mark.timeout(3000)
    def test_each_job_ends_once_with_the_same_weights(self, make_town: Callable[..., Town], system: str):
        """SIGKILL for workers and for the processes in which their jobs run, by the seed that is printed."""
        seed = int(os.environ.get("PRETEXT_CHAOS_SEED", "1"))
        many, pause = int(os.environ.get("PRETEXT_CHAOS_JOBS", "100")), float(os.environ.get("PRETEXT_CHAOS_PAUSE", "6"))
        draw, started, killed = random.Random(seed), time.monotonic(), {"worker": 0, "child": 0}
        town = make_town(system)
        for _ in range(3):
            town.start_worker()
        dataset_id = town.upload()
        jobs = [town.train(dataset_id, seed=number % 4).id for number in range(many)]
        until(lambda: any(town.state(job_id) == "running" for job_id in jobs))
        with town.looked_after():
            while not all(town.state(job_id) == "succeeded" for job_id in jobs):
                time.sleep(draw.uniform(0, 2 * pause))
                victim = draw.choice(town.workers)
                kind = draw.choice(["worker", "worker", "child"])
                with contextlib.suppress(psutil.Error):
                    child = town.child_of(victim)
                    (child if kind == "child" and child is not None else victim).kill()
                    killed[kind if child is not None else "worker"] += 1
            town.wait(*jobs, seconds=2500)
        took = time.monotonic() - started
        all_trained(town, jobs)
        swept = nothing_left_over(town)
        attempts = sum(town.attempts(job_id) for job_id in jobs)
        print(
            f"\n{system}, seed {seed}: {len(jobs)} jobs on {len(town.workers)} workers, {killed['worker']} workers and "
            f"{killed['child']} children killed, {attempts} attempts, {swept} blobs left behind and swept, {took:.0f} s"
        )


def freeze(worker: "subprocess.Popen[bytes]", town: Town) -> None:
    """Stop a worker between two of its transactions: within one, SQLite would let nobody else write until it goes on."""
    database = Path(str(town.database.engine.url.database))
    while True:
        worker.send_signal(signal.SIGSTOP)
        try:
            with closing(sqlite3.connect(database, timeout=0.2, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            worker.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        else:
            return


class TestFrozen:
    def test_a_worker_that_comes_back_after_its_lease_changes_nothing(self, make_town: Callable[..., Town]):
        town = make_town()
        frozen = town.start_worker()
        dataset_id = town.upload()
        job_id = town.train(dataset_id, steps=LONG_STEPS).id
        until(lambda: town.step(job_id) > 5)
        child = town.child_of(frozen)
        assert child is not None
        freeze(frozen, town)
        town.start_worker()
        until(lambda: town.attempts(job_id) == 2, 90)
        frozen.send_signal(signal.SIGCONT)
        until(lambda: not lives(child))
        events = history(town, job_id)
        town.client.jobs.cancel(job_id)
        town.wait(job_id)
        assert town.state(job_id) == "cancelled"
        later = history(town, job_id)[len(events) :]
        assert {event.attempt for event in later} == {2}
        assert "its worker was lost" in told(town, job_id)
        frozen.send_signal(signal.SIGTERM)
        frozen.wait(30)
        nothing_left_over(town)


class TestToldToStop:
    def test_its_job_goes_on_elsewhere_and_ends_with_the_same_weights(self, make_town: Callable[..., Town]):
        town = make_town()
        first = town.start_worker()
        dataset_id = town.upload()
        job_id = town.train(dataset_id, steps=120).id
        until(lambda: town.step(job_id) > 5)
        asked = time.monotonic()
        first.send_signal(signal.SIGTERM)
        first.wait(30)
        assert time.monotonic() - asked < 10 + 5
        assert town.state(job_id) == "queued"
        assert town.checkpoints(job_id)
        town.start_worker()
        town.wait(job_id)
        all_trained(town, [job_id])
        assert town.attempts(job_id) == 2
        assert "handed back by its worker" in told(town, job_id)
        assert "its worker was lost" not in told(town, job_id)
