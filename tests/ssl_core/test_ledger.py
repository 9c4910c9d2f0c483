import io
from pathlib import Path

import pytest

from ssl_core.errors import InterruptedRun
from ssl_core.evaluate.ledger import Ledger
from ssl_core.events import TextEvents
from ssl_core.process import StopRequest


def ledger(folder: Path, stop: StopRequest | None = None, about: object = 1) -> Ledger:
    return Ledger(folder, about, 3, TextEvents(io.StringIO()), stop or StopRequest(), seconds=0)


class Finds:
    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, value: int) -> int:
        self.calls.append(value)
        return value


class TestLedger:
    def test_finds_each_result_once_and_keeps_it(self, tmp_path: Path):
        find = Finds()
        first = ledger(tmp_path)
        assert [first.find("a", find, 1), first.find("a", find, 2), first.find("b", find, 3)] == [1, 1, 3]
        again = ledger(tmp_path)
        assert [again.find("a", find, 4), again.find("b", find, 5), again.find("c", find, 6)] == [1, 3, 6]
        assert find.calls == [1, 3, 6]

    def test_asked_to_stop_it_keeps_what_it_has(self, tmp_path: Path):
        stop = StopRequest()
        slow = Ledger(tmp_path, 1, 2, TextEvents(io.StringIO()), stop, seconds=1e9)
        slow.find("a", lambda: 1)
        stop.set()
        with pytest.raises(InterruptedRun):
            slow.find("b", lambda: 2)
        assert ledger(tmp_path).find("a", lambda: 5) == 1

    def test_takes_up_nothing_of_another_evaluation(self, tmp_path: Path):
        ledger(tmp_path, about={"seed": 0}).find("a", lambda: 1)
        assert ledger(tmp_path, about={"seed": 1}).find("a", lambda: 2) == 2

    def test_a_damaged_file_costs_no_more_than_itself(self, tmp_path: Path):
        first = ledger(tmp_path)
        first.find("a", lambda: 1)
        first.find("b", lambda: 2)
        newest = max(tmp_path.glob("found-*.json"))
        newest.write_bytes(newest.read_bytes()[:20])
        again = ledger(tmp_path)
        assert (again.find("a", lambda: 7), again.find("b", lambda: 8)) == (1, 8)

    def test_keeps_two_files(self, tmp_path: Path):
        first = ledger(tmp_path)
        for number in range(5):
            first.find(str(number), lambda: 0)
        assert len(list(tmp_path.iterdir())) == 2
