"""Everything is restarted, one after the other, while people work with it."""

import signal
import threading
import time
from collections.abc import Callable

import pytest
from pretext_client.errors import PretextError

from tests.chaos.checks import all_trained, nothing_left_over
from tests.chaos.town import Town

pytestmark = pytest.mark.timeout(300)


class TestRollingRestart:
    @pytest.mark.usefixtures("at_length")
    def test_no_request_fails_for_a_client_that_tries_again(self, make_town: Callable[..., Town]):
        town = make_town()
        town.start_worker()
        dataset_id = town.upload()
        over = threading.Event()
        jobs: list[str] = []
        failed: list[PretextError] = []
        asked, longest = [0], [0.0]

        def use() -> None:
            with town.new_client() as client:
                while not over.is_set():
                    began = time.monotonic()
                    try:
                        if len(jobs) < 3:
                            jobs.append(town.train(dataset_id, client=client, seed=0).id)
                        client.jobs.get(jobs[-1])
                        list(client.jobs.list())
                    except PretextError as error:
                        failed.append(error)
                    asked[0] += 2
                    longest[0] = max(longest[0], time.monotonic() - began)
                    time.sleep(0.05)

        user = threading.Thread(target=use)
        user.start()
        for _ in range(4):
            _restart_all(town)
        over.set()
        user.join()
        assert failed == []
        town.wait(*jobs)
        all_trained(town, jobs)
        nothing_left_over(town)
        print(f"\nrolling restart: {asked[0]} requests, none failed, the slowest with its repetitions {longest[0]:.1f} s")


def _restart_all(town: Town) -> None:
    assert town.api is not None
    town.api.send_signal(signal.SIGTERM)
    town.api.wait(30)
    town.start_api()
    town.start_worker()
    old = town.workers[0]
    old.send_signal(signal.SIGTERM)
    old.wait(30)
    town.workers.remove(old)
    town.stop_broker()
    town.start_broker()
