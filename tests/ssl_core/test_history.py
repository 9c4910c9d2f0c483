import json

import pytest

from ssl_core.history import History


def filled(steps: range, history: History | None = None) -> History:
    history = history or History()
    for step in steps:
        history.add(step, {"loss": 1 / step, "accuracy": step / 1000})
    return history


class TestHistory:
    def test_a_short_training_is_kept_whole(self):
        columns = filled(range(1, 6)).columns()
        assert columns == {
            "step": [1, 2, 3, 4, 5],
            "loss": [1, 0.5, 0.333333, 0.25, 0.2],
            "accuracy": [0.001, 0.002, 0.003, 0.004, 0.005],
        }

    @pytest.mark.parametrize("reports", [200, 201, 202, 403, 5000])
    def test_a_long_one_is_kept_in_means_of_all_of_it(self, reports: int):
        columns = filled(range(1, reports + 1)).columns()
        steps = columns["step"]
        assert len(steps) <= 201
        assert steps[-1] == reports
        assert steps == sorted(set(steps))
        widths = [step - before for before, step in zip([0, *steps], steps, strict=False)]
        assert len(set(widths[:-1])) == 1
        weighed = sum(width * value for width, value in zip(widths, columns["accuracy"], strict=True)) / reports
        assert weighed == pytest.approx((reports + 1) / 2 / 1000, rel=1e-4)

    @pytest.mark.parametrize("stopped_at", [1, 150, 201, 317, 640])
    def test_it_is_the_same_if_the_training_was_interrupted(self, stopped_at: int):
        whole = filled(range(1, 701))
        state = json.loads(json.dumps(filled(range(1, stopped_at + 1)).state()))
        assert len(json.dumps(state)) < 20_000
        assert filled(range(stopped_at + 1, 701), History(state)).state() == whole.state()
