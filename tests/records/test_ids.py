import time

from records.ids import new_id


class TestNewId:
    def test_sorts_by_time_and_does_not_repeat(self):
        first = new_id("job")
        time.sleep(0.002)
        later = [new_id("job") for _ in range(1000)]
        assert all(first < id_ for id_ in later)
        assert len(set(later)) == 1000

    def test_follow_each_other_within_a_millisecond(self, monkeypatch):
        monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000_000_000)
        made = [new_id("job") for _ in range(1000)]
        assert made == sorted(set(made))

    def test_has_prefix_and_length(self):
        assert new_id("ds").startswith("ds_")
        assert len(new_id("ds")) == 29
