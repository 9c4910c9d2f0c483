"""The same as `logs.py` for `await`. Made by client/make_async: change that file, and run it."""

from pretext_client.async_http import AsyncHttp
from pretext_client.http import Call
from pretext_client.logs import LogPart


async def read(http: AsyncHttp, path: str, *, after: int = 0, lines: int | None = None) -> LogPart:
    """Read a log from a byte on, or its last lines."""
    async with http.stream(Call("GET", f"{path}/logs", {"after": after or None, "lines": lines})) as response:
        text = (await response.aread()).decode("utf-8", "replace")
        start, end = (int(response.headers.get(name, 0)) for name in ("log-start", "log-end"))
    return LogPart(text, start, end)
