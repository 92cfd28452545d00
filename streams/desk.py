"""Records of one agent gathered by key, and worked on together when it is their key's turn.

In: records as they arrive, each with what acknowledges it. Out: rounds of work, each with all that has
arrived so far for the keys that wait longest: under load a key's turn comes more rarely and then answers
more; without load nothing waits. Fails with nothing of its own.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from streams.record import Record
from streams.steady import Hands

log = logging.getLogger(__name__)
Work = Callable[[Sequence[Record]], Coroutine[Any, Any, None]]
Row = tuple[Record, Callable[[], object]]


class Desk:
    """What waits, by key; `keys` of them in a round, `most` records at once.

    The records of a round are acknowledged when it has succeeded. What waits when partitions go is dropped:
    it comes again.
    """

    def __init__(self, hands: Hands, work: Work, keys: int, most: int) -> None:
        self._hands, self._work, self._keys = hands, work, keys
        self._waiting: dict[bytes | None, list[Row]] = {}
        self._room, self._arrived = asyncio.Semaphore(most), asyncio.Event()
        hands.when_put_down(self.drop)

    def __len__(self) -> int:
        """How many records wait."""
        return sum(map(len, self._waiting.values()))

    async def put(self, record: Record, done: Callable[[], object]) -> None:
        """Let a record wait for its turn; `done` acknowledges it."""
        await self._room.acquire()
        self._waiting.setdefault(record.key, []).append((record, done))
        self._arrived.set()

    def drop(self) -> None:
        """Forget what waits."""
        for _ in range(len(self)):
            self._room.release()
        self._waiting.clear()

    async def run(self) -> None:
        """Work on what waits, for ever; cancelled, it first finishes the round in hand."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._round()

    async def _round(self) -> None:
        keys = list(self._waiting)[: self._keys]
        rows = [row for key in keys for row in self._waiting.pop(key)]
        try:
            if await self._hands.finish(self._work([record for record, _ in rows])):
                for _, done in rows:
                    done()
        except Exception:
            log.exception("%s records could not be worked on", len(rows))  # they come again
        finally:
            for _ in rows:
                self._room.release()
