import threading
import time
from collections.abc import Sequence

import anyio
import pytest

from api.feeder import _BUFFER, Feeder

PIECE = bytes(_BUFFER)


class TestFeeder:
    def test_hands_everything_on_in_order_and_one_at_a_time(self):
        taken: list[bytes] = []
        within = threading.Lock()

        def take(chunks: Sequence[bytes]) -> None:
            assert within.acquire(blocking=False)
            time.sleep(0.001)
            taken.extend(chunks)
            within.release()

        async def run() -> None:
            feeder = Feeder(take)
            for number in range(40):
                await feeder.add(bytes([number]) * 300_000)
            await feeder.finish()

        anyio.run(run)
        assert taken == [bytes([number]) * 300_000 for number in range(40)]

    def test_holds_no_more_than_two_pieces(self):
        """Whoever adds waits for a thread that is slow."""
        may_go_on = threading.Event()

        def take(chunks: Sequence[bytes]) -> None:
            may_go_on.wait(10)

        async def run() -> int:
            feeder = Feeder(take)
            added = 0
            with anyio.move_on_after(0.2):
                while True:
                    await feeder.add(PIECE)
                    added += 1
            may_go_on.set()
            await feeder.settle()
            return added

        assert anyio.run(run) == 1

    def test_a_failure_comes_out_and_ends_it(self):
        def take(chunks: Sequence[bytes]) -> None:
            raise ValueError("no room")

        async def run() -> list[bytes]:
            feeder = Feeder(take)
            await feeder.add(PIECE)
            await feeder.add(b"behind it")
            with pytest.raises(ValueError, match="no room"):
                await feeder.finish()
            await feeder.settle()
            return feeder.rest()

        assert anyio.run(run) == []

    def test_what_was_not_handed_on_can_be_had(self):
        async def run() -> list[bytes]:
            feeder = Feeder(lambda _: None)
            await feeder.add(b"a")
            await feeder.add(b"b")
            await feeder.settle()
            return feeder.rest()

        assert anyio.run(run) == [b"a", b"b"]
