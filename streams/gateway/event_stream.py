"""An event stream (server-sent events) to one subscriber.

In: a `Subscriber`. Out: what it is to be sent, as it comes, and a comment now and then, so that both sides
notice when the other is gone. The subscriber's newest set is taken from it only once everything before has
left, and one that takes nothing for too long is cut off.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from streams.gateway.hub import Subscriber

HEARTBEAT_S: Final = 15.0
WRITE_WITHIN_S: Final = 20.0
_LONGEST_S: Final = 86_400.0
TRANSPORT: Final = "lookstream.transport"
"""Where the server puts a connection's transport into the request's scope."""


class EventStream(Response):
    """The answer; it ends at `until_s` (unix time) at the latest, and `ended` is called once it has."""

    media_type = "text/event-stream"

    def __init__(self, subscriber: Subscriber, ended: Callable[[], None], until_s: float) -> None:
        super().__init__()
        self._subscriber, self._ended, self._until_s = subscriber, ended, until_s
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"  # proxies that would gather it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client is gone, the gateway stops, or nothing is taken any more."""
        transport: Any = scope.get(TRANSPORT)
        if transport is not None:
            transport.set_write_buffer_limits(high=0)  # so that "sent" means sent
        leaving = asyncio.create_task(_until_gone(receive, self._subscriber))
        left_s = max(0.0, self._until_s - time.time())
        expiry = asyncio.get_running_loop().call_later(min(left_s, _LONGEST_S), self._subscriber.close)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._run(send)
        except TimeoutError:
            if transport is not None:
                transport.abort()  # to close it would wait for the client to read
                await asyncio.wait({leaving}, timeout=1.0)
        finally:
            leaving.cancel()
            expiry.cancel()
            self._ended()

    async def _run(self, send: Send) -> None:
        frame = b"retry: 1000\n\n"
        while not self._subscriber.closed:
            frame += self._subscriber.take()
            async with asyncio.timeout(WRITE_WITHIN_S):
                await send({"type": "http.response.body", "body": frame or b":\n\n", "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": True})  # has it left?
            frame = b""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._subscriber.wake.wait()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive, subscriber: Subscriber) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    subscriber.close()
