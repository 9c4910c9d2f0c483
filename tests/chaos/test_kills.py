"""Workers that die: at chosen points, and whenever."""

import random
import time
from collections.abc import Callable

import psutil
import pytest

from tests.chaos.checks import all_trained, history, nothing_left_over
from tests.chaos.mortal import POINTS
from tests.chaos.town import Town, until

pytestmark = pytest.mark.timeout(300)


class TestAtChosenPoints:
    @pytest.mark.parametrize("points", [POINTS[::2], POINTS[1::2]], ids=" ".join)
    @pytest.mark.parametrize("system", ["sqlite"])
    def test_each_job_ends_once_with_the_same_weights(self, make_town: Callable[..., Town], system: str, points: tuple[str, ...]):
        town = make_town(system, points=points)
        for _ in range(2):
            town.start_worker()
        with town.looked_after():
            dataset_id = town.upload()
            jobs = [town.train(dataset_id).id for _ in range(3)]
            until(lambda: all(town.client.jobs.get(job_id).ended for job_id in jobs), 200, 0.3)
        assert town.points_left() == set()
        assert town.deaths == len(points)
        all_trained(town, jobs)
        nothing_left_over(town)
