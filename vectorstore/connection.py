"""One client's connection to the owner of the embedded store, for many requests at once.

In: operations with arguments for `vectorstore.wire`. Out: their results. What can fail: `ConnectionLost`
(the owner is gone or not there yet: another connection may do), `VectorStoreUnavailable` (no answer in
time), and whatever the owner answered with.
"""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

from vectorstore import wire
from vectorstore.base import VectorStoreUnavailable
from vectorstore.paths import require_private


class ConnectionLost(Exception):  # noqa: N818 (reads as the state it reports)
    """The connection ended before the answer came."""


class Connection:
    """An open connection; `request` may be called by many tasks at once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._ids = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._lost: Exception | None = None
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, socket_path: Path) -> Connection:
        """Connect; ConnectionLost if nobody listens, PermissionError if the socket may not be the owner's."""
        try:
            require_private(socket_path.parent)
            return cls(*await asyncio.open_unix_connection(str(socket_path)))
        except (FileNotFoundError, ConnectionError) as error:
            raise ConnectionLost(error.strerror or type(error).__name__) from None

    @property
    def is_open(self) -> bool:
        """Whether requests can still be made."""
        return self._lost is None

    async def request(self, operation: str, arguments: dict[str, Any], timeout_s: float) -> Any:
        """The result of one operation."""
        request_id = next(self._ids)
        message = wire.frame([request_id, operation, arguments])
        if self._lost is not None:
            raise ConnectionLost(str(self._lost))
        answer = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        try:
            async with asyncio.timeout(timeout_s):
                self._writer.write(message)
                await self._writer.drain()
                return await answer
        except TimeoutError:
            raise VectorStoreUnavailable(f"{operation}: no answer within {timeout_s:g} s") from None
        except ConnectionError as error:
            raise ConnectionLost(str(error)) from None
        finally:
            self._waiting.pop(request_id, None)

    async def close(self) -> None:
        """End the connection and whoever waits on it."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        reason: Exception = ConnectionLost("the owner closed the connection")
        try:
            while (message := await wire.read_frame(self._reader)) is not None:
                self._deliver(*message)
        except asyncio.CancelledError:
            reason = ConnectionLost("closed")
        except Exception as error:
            reason = ConnectionLost(f"{type(error).__name__}: {error}")
        self._lost = reason
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(reason)
        self._writer.close()

    def _deliver(self, request_id: int | None, error: Any, result: Any) -> None:
        if request_id is None:  # the owner could not read what was sent, and ends the connection
            raise wire.raised_by(error)
        answer = self._waiting.get(request_id)
        if answer is None or answer.done():  # whoever asked has stopped waiting
            return
        if error is not None:
            answer.set_exception(wire.raised_by(error))
        else:
            answer.set_result(result)
