"""A broker that forgets, is away, hangs, and comes back without its data: it wakes workers, and nothing else is its business."""

import signal
import time
from collections.abc import Callable

import pytest

from tests.chaos.checks import all_trained, nothing_left_over
from tests.chaos.mortal import LISTENING
from tests.chaos.town import Town, until

pytestmark = pytest.mark.timeout(300)
LONGEST_POST = 2.0


class TestBroker:
    def test_nothing_is_lost_and_nothing_runs_twice(self, make_town: Callable[..., Town], long_chaos: bool):
        away, steps = (30, 200) if long_chaos else (3, 120)
        town = make_town(PRETEXT_WORKERS="2")
        town.start_worker()
        dataset_id = town.upload()
        jobs: list[str] = []
        posts: dict[str, float] = {}

        def submit(while_it_is: str, **more: int) -> None:
            began = time.monotonic()
            jobs.append(town.train(dataset_id, **more).id)
            posts[while_it_is] = time.monotonic() - began

        submit("up", steps=steps)
        until(lambda: town.step(jobs[0]) > 0)
        with town.redis() as broker:
            broker.flushall()
        assert town.broker is not None
        town.broker.send_signal(signal.SIGSTOP)
        submit("hanging")
        town.stop_broker()
        submit("away")
        time.sleep(away)
        town.start_broker()
        back = time.monotonic()
        jobs.append(town.train(dataset_id).id)
        until(lambda: town.state(jobs[-1]) != "queued", 100)
        woken = time.monotonic() - back
        town.wait(*jobs)
        all_trained(town, jobs)
        assert [town.attempts(job_id) for job_id in jobs] == [1] * len(jobs)
        nothing_left_over(town)
        told = ", ".join(f"{seconds:.2f} s while it is {how}" for how, seconds in posts.items())
        print(f"\nbroker away for {away} s: longest POST {told}; workers woken {woken:.1f} s after it was back")
        assert max(posts.values()) < LONGEST_POST

    def test_a_worker_in_which_celery_gives_up_listens_anew(self, make_town: Callable[..., Town]):
        town = make_town(points=[LISTENING])
        worker = town.start_worker()
        until(lambda: "begins anew" in town.log("worker"))
        until(lambda: "is ready" in town.log("worker"))
        town.upload()
        worker.terminate()
        assert worker.wait(20) == 0
