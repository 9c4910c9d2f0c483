import math
import random

import pytest

from records.database import Database
from records.queries import events, sampling
from tests import factories


def rows(count: int) -> list[tuple[int, dict]]:
    """A noisy curve, with one peak and one dip that nobody may lose, and a figure that is there now and then."""
    draws = random.Random(0)
    found = [(step, {"loss": math.exp(-step / count) + 0.01 * draws.random()}) for step in range(1, count + 1)]
    found[count // 3][1]["loss"] = 99.0
    found[count // 2][1]["loss"] = -99.0
    for step, values in found[:: count // 10]:
        values["rankme"] = float(step)
    return found


class TestSampled:
    @pytest.mark.parametrize("points", [4, 5, 50, 501])
    def test_keeps_extremes_first_and_last_and_no_more_than_asked_for(self, points: int):
        given = rows(10_000)
        kept = sampling.sampled(iter(given), 1, 10_000, points, ["loss"])
        shown = {step: values["loss"] for step, values in given if "loss" in kept.get(step, ())}
        assert len(shown) <= points
        assert {1, 10_000} <= shown.keys()
        assert (max(shown.values()), min(shown.values())) == (99.0, -99.0)
        assert len(shown) >= points * 0.8 or points < 10

    def test_keeps_the_extremes_of_every_bucket(self):
        given = rows(1000)
        kept = sampling.sampled(iter(given), 1, 1000, 22, ["loss"])
        for bucket in range(10):
            inside = {step: values["loss"] for step, values in given if (step - 1) * 10 // 1000 == bucket}
            assert {max(inside, key=inside.__getitem__), min(inside, key=inside.__getitem__)} <= kept.keys()

    def test_keeps_each_figure_by_itself_and_all_of_few(self):
        given = rows(1000)
        kept = sampling.sampled(iter(given), 1, 1000, 40, None)
        assert sum("rankme" in names for names in kept.values()) == 10
        few = sampling.sampled(iter(given[:6]), 1, 6, 40, None)
        assert len(few) == 6

    def test_values_that_are_none_are_passed_over(self):
        kept = sampling.sampled([(1, {"loss": None}), (2, {"loss": 1.0}), (3, {"loss": None})], 1, 3, 10, None)
        assert kept == {2: {"loss"}}


class TestMetrics:
    def test_come_from_the_database(self, database: Database):
        figures = [{"time": 0.0, "step": step, "epoch": 1, "values": values} for step, values in rows(3000)]
        with database.write() as session:
            job_id = factories.job(session).id
            events.put_metrics(session, job_id, 1, figures)
        with database.read() as session:
            found = sampling.metrics(session, job_id, 100, names=["loss"])
            assert [one.step for one in found] == sorted({one.step for one in found})
            assert (found[0].step, found[-1].step, len(found) <= 100) == (1, 3000, True)
            assert {99.0, -99.0} <= {one.values["loss"] for one in found}
            assert all(set(one.values) == {"loss"} for one in found)
            later = sampling.metrics(session, job_id, 100, after=2000)
            assert later[0].step == 2001
            assert sampling.metrics(session, job_id, 100, after=3000) == []
            assert sampling.metrics(session, job_id, 100, names=["accuracy"]) == []
