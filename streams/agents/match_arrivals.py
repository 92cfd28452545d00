"""match-arrivals: recommendation in reverse. A newly indexed garment finds the shoppers that it is for.

In: records of `garments`, from which products that are in stock now queue up; the newest comes first and
the queue is bounded, so that a catalogue uploaded at once neither holds up the stream nor fills the memory.
Out: `taste.requested` for the shoppers whose set it would enter: it is more similar to one of their interests
than the weakest item that is in their set for its part, or their set is not full; a set that was asked for
after the garment could be found has made its choice already. Between two products the
store is left alone for three times as long as it was busy. A crash forgets the queue: the next set of each
shopper has the garment anyway. What cannot be read is wait-for-garments' dead letter, not this agent's too.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from models.taste.rules import Rules
from schemas import events
from schemas.errors import SchemaError
from schemas.garments import GarmentsIndexed
from schemas.recommendations import Trigger
from streams.agents.centroids import is_for
from streams.current_sets import CurrentSets
from streams.handling import Handling
from streams.record import Record
from streams.taste_requests import Cause, TasteRequests
from vectorstore.base import GarmentPoint, VectorStore

log = logging.getLogger(__name__)
NEAREST: Final = 200
MAX_QUEUED: Final = 10_000
INTERVAL_S: Final = 10.0
IN_FLIGHT: Final = 16
_CLOCKS_DIFFER_S: Final = 1.0
_REST: Final = 3.0
_LONGEST_REST_S: Final = 1.0


class MatchArrivals:
    """The agent.

    Args:
        length: of a full set.
        pause: waits seconds; tests inject their own.
    """

    def __init__(
        self,
        store: VectorStore,
        sets: CurrentSets,
        length: int,
        handling: Handling,
        rules: Callable[[], Rules] = Rules,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.store, self.sets, self.length, self.handling = store, sets, length, handling
        self.rules, self.clock, self.pause = rules, clock, pause
        self.requests = TasteRequests(
            handling, self._lacks, interval_s=INTERVAL_S, in_flight=IN_FLIGHT, clock=clock
        )
        self._queue: dict[str, Record] = {}  # newest last
        self._queued = asyncio.Event()

    async def handle(self, records: Sequence[Record]) -> None:
        """Queue what has arrived, and take out what is gone; raises nothing."""
        for record in records:
            self.handling.count_in(record)
            product_id = (record.key or b"").decode("utf-8", "replace")
            self._queue.pop(product_id, None)
            if ("ce_type", b"garments.indexed") in record.headers:
                self._queue[product_id] = record
        if (too_many := len(self._queue) - MAX_QUEUED) > 0:
            for product_id in list(self._queue)[:too_many]:
                del self._queue[product_id]
            log.warning("match-arrivals: %s products arrived too fast to be matched", too_many)
        self._queued.set()
        self.handling.progressed()

    async def run(self) -> None:
        """Match what is queued, for ever."""
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._queue:
                started_s = self.clock()
                await self.match_next()
                await self.pause(min(_LONGEST_REST_S, _REST * (self.clock() - started_s)))

    async def match_next(self) -> None:
        """Match the product that arrived last."""
        _, record = self._queue.popitem()
        try:
            await self.handling.retried(lambda: self._match(record), record)
        except SchemaError as error:
            log.warning("garments/%s@%s ignored: %s", record.partition, record.offset, error)
        except Exception as error:
            await self.handling.bury(record, error)
        self.handling.progressed()

    async def _match(self, record: Record) -> None:
        event, data = events.read(
            events.GARMENT_EVENTS, record.headers, record.value, record.key, record.appended_at
        )
        if not isinstance(data, GarmentsIndexed) or data.availability != "in_stock":
            return
        found = (await self.store.fetch_products([data.product_id])).get(data.product_id, [])
        detected = [point for point in found if point.payload["part"] != "whole"]
        trigger = Trigger(type=event.type, id=event.id, time=event.time)
        cause = Cause(data.product_id, trigger, record.appended_at_s, event.traceparent)
        asked: dict[str, None] = {}  # those it suits best first
        for garment in detected or found:
            if garment.payload["in_stock"] and not self.rules().blocks(data.product_id, garment.payload):
                asked |= dict.fromkeys(await self._shoppers(garment, cause))
        for user_id in asked:
            self.requests.ask(user_id, cause)

    async def _shoppers(self, garment: GarmentPoint, cause: Cause) -> list[str]:
        """The shoppers whose set the garment would enter, among those with the nearest interests."""
        part = garment.payload["part"]
        with self.handling.metrics.timed("query"):
            hits = await self.store.nearest_tastes(garment.embedding, NEAREST, frozenset({part}))
        return [
            hit.user_id
            for hit in hits
            if self._enters(hit.user_id, cause, part, hit.similarity)
            and is_for(hit.payload, garment.product_id, garment.payload)
        ]

    def _enters(self, user_id: str, cause: Cause, part: str, similarity: float) -> bool:
        if not self._lacks(user_id, cause):
            return False
        return self.sets.size(user_id) < self.length or similarity > self.sets.weakest(user_id, part)

    def _lacks(self, user_id: str, cause: Cause) -> bool:
        """Whether the shopper has a set, without the product, for which it was not considered."""
        considered = self.sets.asked_at_s(user_id) > cause.appended_at_s + _CLOCKS_DIFFER_S
        return (
            self.sets.revision(user_id) > 0
            and not considered
            and not self.sets.holds(user_id, cause.product_id)
        )
