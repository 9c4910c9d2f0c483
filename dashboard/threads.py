"""Threads of the page's own, in which it waits for the API.

Where both are one process, the API must not have to share its threads with them: with as many pictures asked for at once as there
are threads, each would wait in one for an answer that no thread is left to give.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_threads = ThreadPoolExecutor(64, thread_name_prefix="page")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a call gives that may wait for the API."""
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: work(*args, **kwargs))
