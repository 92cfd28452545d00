"""retract: a product that can no longer be had leaves every set that holds it, and only those.

In: every record of `garments`, `rules` and `recommendations`, read without a group; the index. Out:
`taste.requested` for the shoppers of this worker's partitions whose current set holds a product that was
removed, is not in stock or is blocked by a rule. A set that arrives with a product that is known to be gone
is asked for again. What happened while nobody looked (a restart, partitions on their way from one worker to
another) is found by asking the index for everything that the sets of new partitions hold; that, and the
search after a new rule, is done twice, for sets that were under way. What cannot be read is another agent's
dead letter.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from models.taste.rules import Rules
from schemas import events
from schemas.cloudevents import Event
from schemas.errors import SchemaError
from schemas.garments import GarmentsRemoved
from schemas.recommendations import Trigger
from streams.current_sets import CurrentSets, SetArrived
from streams.handling import Handling
from streams.record import Record
from streams.taste_requests import Cause, TasteRequests
from vectorstore.base import GarmentPoint, VectorStore

log = logging.getLogger(__name__)
INTERVAL_S: Final = 0.25
IN_FLIGHT: Final = 96
MAX_GONE: Final = 50_000
AGAIN_AFTER_S: Final = 2.0
_AT_ONCE: Final = 128


@dataclass(frozen=True, slots=True)
class _Check:
    """Look, once a time (monotonic) has come, at a product, or at all that the sets of some partitions hold.

    No partitions are all that this worker has by then.
    """

    due_s: float
    product_id: str | None
    partitions: frozenset[int] | None


class Retract:
    """The agent, as callbacks of three views and a check to be run now and then.

    Args:
        assigned: the partitions of shoppers that this worker has now.
        pause: waits seconds; tests inject their own.
    """

    def __init__(
        self,
        store: VectorStore,
        sets: CurrentSets,
        assigned: Callable[[], Collection[int]],
        handling: Handling,
        rules: Callable[[], Rules] = Rules,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.store, self.sets, self.assigned, self.handling = store, sets, assigned, handling
        self.rules, self.clock, self.pause = rules, clock, pause
        self.requests = TasteRequests(
            handling, self._holds, interval_s=INTERVAL_S, in_flight=IN_FLIGHT, clock=clock
        )
        self._gone: dict[str, Cause] = {}  # oldest first
        self._checks: list[_Check] = []
        self._checked: frozenset[int] = frozenset()
        self._blocked_by: Trigger | None = None

    def garment(self, record: Record) -> None:
        """Take in a record of `garments`."""
        self.handling.count_in(record)
        try:
            event, data = events.read(
                events.GARMENT_EVENTS, record.headers, record.value, record.key, record.appended_at
            )
        except SchemaError as error:
            log.warning("garments/%s@%s ignored: %s", record.partition, record.offset, error)
            return
        self._gone.pop(data.product_id, None)
        if isinstance(data, GarmentsRemoved) or data.availability != "in_stock":
            cause = Cause(data.product_id, _trigger(event), record.appended_at_s, event.traceparent)
            self._gone[data.product_id] = cause
            if len(self._gone) > MAX_GONE:
                del self._gone[next(iter(self._gone))]
            self._ask(cause)
        self.handling.progressed()

    def set_arrived(self, arrived: SetArrived) -> None:
        """A shopper's set became current: it must hold nothing that is known to be gone."""
        self.requests.answered(arrived.user_id)
        if arrived.partition in self.assigned():
            cause = next((self._gone[pid] for pid in arrived.products if pid in self._gone), None)
            if cause is not None:
                self.requests.ask(arrived.user_id, cause)

    def rule(self, record: Record) -> None:
        """Take in a record of `rules`, once the rules say it too."""
        try:
            event, data = events.read(
                events.RULES, record.headers, record.value, record.key, record.appended_at
            )
        except SchemaError:  # a tombstone, or no rule
            return
        if data.action == "block":
            self._blocked_by = _trigger(event)
            self._check_twice(data.product_id, None)

    async def check(self) -> None:
        """Look at what is to be looked at; a search that fails is tried again the next time."""
        now_s, assigned = self.clock(), frozenset(self.assigned())
        if new := assigned - self._checked:
            self._check_twice(None, new)
        self._checked = assigned
        due = [check for check in self._checks if check.due_s <= now_s]
        if due:
            await self._look_at(self._products(due))
            self._checks = [check for check in self._checks if check not in due]

    def _check_twice(self, product_id: str | None, partitions: frozenset[int] | None) -> None:
        for due_s in (self.clock(), self.clock() + AGAIN_AFTER_S):
            self._checks.append(_Check(due_s, product_id, partitions))

    def _products(self, checks: Iterable[_Check]) -> list[str]:
        """The products to look at, each once, that anybody here has in a set."""
        named = {check.product_id for check in checks if check.product_id is not None}
        whole = [check.partitions for check in checks if check.product_id is None]
        partitions = {p for some in whole for p in (self._checked if some is None else some)}
        return sorted(named.union(self.sets.held(partitions) if partitions else ()))

    async def _look_at(self, product_ids: Sequence[str]) -> None:
        """Ask for the sets that hold one of these and may not; leaves the index as much time as it takes."""
        for start in range(0, len(product_ids), _AT_ONCE):
            some = product_ids[start : start + _AT_ONCE]
            started_s = self.clock()
            found = await self.store.fetch_products(some)
            for product_id in some:
                if (trigger := self._why_not(product_id, found.get(product_id, ()))) is not None:
                    self._ask(Cause(product_id, trigger, trigger.time.timestamp()))
            await self.pause(self.clock() - started_s)

    def _why_not(self, product_id: str, garments: Sequence[GarmentPoint]) -> Trigger | None:
        """Why nobody may have the product in a set, as far as the index and the rules know."""
        if any(self.rules().blocks(product_id, garment.payload) for garment in garments):
            return self._blocked_by or _found("rule.set", product_id)
        if not garments:
            return _found("garments.removed", product_id)
        return None if garments[0].payload["in_stock"] else _found("garments.updated", product_id)

    def _holds(self, user_id: str, cause: Cause) -> bool:
        return self.sets.holds(user_id, cause.product_id)

    def _ask(self, cause: Cause) -> None:
        for user_id in self.sets.users(cause.product_id, self.assigned()):
            self.requests.ask(user_id, cause)


def _trigger(event: Event) -> Trigger:
    return Trigger(type=event.type, id=event.id, time=event.time)


def _found(kind: str, product_id: str) -> Trigger:
    """A trigger for what was found without the event that says it."""
    return Trigger(type=kind, id=f"{kind}:{product_id}", time=datetime.now(UTC))
