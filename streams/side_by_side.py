"""Events of one agent worked on side by side, each with a step that is taken in the order of arrival.

In: pieces of work, in the order of their events. Out: the same, so many at once at most, and turns. What one
event waits for (the vector store, Kafka's acknowledgement) its followers need not wait for, while what must
keep its order does. Fails with nothing of its own.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from streams.handling import finished
from streams.steady import Hands

log = logging.getLogger(__name__)


class Turn:
    """A place in the order of arrival."""

    def __init__(self, line: "SideBySide") -> None:
        self._line = line
        self.come, self.over = asyncio.Event(), False

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Alone, and the first time after all that arrived before; a step taken again is only alone."""
        await self.come.wait()
        async with self._line.alone:
            try:
                yield
            finally:
                self.end()

    def end(self) -> None:
        """Let those behind go on."""
        self.over = True
        self._line.advance()


class SideBySide:
    """The pieces of work of one agent; `most` of them at once."""

    def __init__(self, hands: Hands, most: int) -> None:
        self.alone = asyncio.Lock()
        self._hands, self._room = hands, asyncio.Semaphore(most)
        self._turns: deque[Turn] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many have not ended."""
        return len(self._tasks)

    async def begin(
        self, work: Callable[[Turn], Coroutine[Any, Any, None]], done: Callable[[], object]
    ) -> None:
        """Begin a piece of work as soon as there is room for it; `done` is called once it has succeeded.

        Neither happens where partitions go: its event comes again.
        """
        await self._room.acquire()
        turn = Turn(self)
        task = self._hands.begin(work(turn))
        if task is None:
            self._room.release()
            return
        self._turns.append(turn)
        self.advance()
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, turn, done))

    def advance(self) -> None:
        """Call the first whose turn is not over."""
        while self._turns and self._turns[0].over:
            self._turns.popleft()
        if self._turns:
            self._turns[0].come.set()

    async def ended(self) -> None:
        """Return when all has ended; what takes much longer is cancelled."""
        if self._tasks:
            await finished(asyncio.gather(*self._tasks, return_exceptions=True))

    def _ended(self, task: "asyncio.Task[None]", turn: Turn, done: Callable[[], object]) -> None:
        self._tasks.discard(task)
        self._room.release()
        turn.end()
        if task.cancelled():
            return
        if (error := task.exception()) is not None:  # its event is not acknowledged: it comes again
            log.error("an event could not be worked on", exc_info=error)
        else:
            done()
