"""Workers that die, are frozen, or are told to stop."""

from collections.abc import Callable

import pytest

from tests.chaos.checks import all_trained, nothing_left_over
from tests.chaos.mortal import POINTS
from tests.chaos.town import Town

pytestmark = pytest.mark.timeout(300)
LONG_STEPS = 4000


class TestAtChosenPoints:
    @pytest.mark.parametrize("points", [POINTS[::2], POINTS[1::2]], ids=" ".join)
    def test_each_job_ends_once_with_the_same_weights(self, make_town: Callable[..., Town], points: tuple[str, ...]):
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
