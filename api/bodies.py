"""Bodies that come too slowly. The HTTP server waits for a body as long as its connection lives, so patience has to end here."""

import asyncio
import time

from fastapi import HTTPException
from starlette.types import Message, Receive

_LEAST = 4 << 10


class Patience:
    """Receives a request's messages, and gives up on a body that brings too little for too long.

    Time that the server itself takes to store what came is not counted.

    Args:
        receive: gives the messages.
        seconds: in which `_LEAST` bytes have to come, or the end of the body.
    """

    def __init__(self, receive: Receive, seconds: float) -> None:
        self._receive = receive
        self._seconds = seconds
        self._left = seconds
        self._came = 0
        self._ended = False

    async def __call__(self) -> Message:
        """The next message.

        Raises:
            HTTPException: 408, the body is too slow. It closes the connection.
        """
        if self._ended:  # what follows is the end of the connection, and that may take as long as the answer does
            return await self._receive()
        started = time.monotonic()
        deadline = asyncio.timeout(self._left)
        try:
            async with deadline:
                message = await self._receive()
        except TimeoutError as error:
            if not deadline.expired():
                raise
            detail = f"the body of the request brought less than {_LEAST:,} bytes in {self._seconds:g} s; send it again, faster"
            raise HTTPException(408, detail, {"Connection": "close"}) from error
        finally:  # whoever asks may give up for a while and ask again
            self._left -= time.monotonic() - started
        self._came += len(message.get("body", b""))
        if self._came >= _LEAST:
            self._came, self._left = 0, self._seconds
        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message
