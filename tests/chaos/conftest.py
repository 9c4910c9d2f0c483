import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.town import Town


@pytest.fixture(scope="session")
def long_chaos() -> bool:
    """Whether there is time: `make chaos` says so."""
    return os.environ.get("PRETEXT_LONG_CHAOS") == "1"


@pytest.fixture
def at_length(long_chaos: bool) -> None:
    """For what takes too long on every change."""
    if not long_chaos:
        pytest.skip("`make chaos` runs it")


@pytest.fixture
def make_town(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Town]]:
    """Makes a town, on the database system that it is told (`sqlite` or `postgres`), and stops it at the end."""
    with ExitStack() as stack:

        def make(system: str = "sqlite", **more: str) -> Town:
            url = str(request.getfixturevalue(f"{system}_url"))
            return stack.enter_context(Town(tmp_path / "town", url, **more))

        yield make
