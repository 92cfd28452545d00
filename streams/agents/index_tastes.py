"""index-tastes: keeps the centroids of every shopper's interests current in the vector store.

In: records of `tastes`, in batches of about a second: of several tastes of one shopper only the newest is
written. Out: centroids replaced; none for a tombstone, an erased shopper or an anonymous one whose taste was
handed over. A taste whose contributions are those of the last write is not written again (its revision in
the store stays behind). What cannot be read is recommend's dead letter, not this agent's too.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.taste import state
from models.taste.shopper import Shopper
from schemas.errors import SchemaError
from schemas.tastes import unpack
from streams.agents.centroids import centroids
from streams.agents.known_tastes import KnownTastes
from streams.handling import Handling
from streams.record import Record
from vectorstore.base import TastePoint, VectorStore

log = logging.getLogger(__name__)
MAX_REMEMBERED: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Made:
    """A shopper's centroids, the record and a hash of the taste that they come from."""

    user_id: str
    record: Record
    digest: int
    points: list[TastePoint]


class IndexTastes:
    """The agent. `length` is that of a set: an interest without a place in it is not indexed."""

    def __init__(
        self, store: VectorStore, embedder: str, known: KnownTastes, length: int, handling: Handling
    ) -> None:
        self.store, self.embedder, self.known, self.length = store, embedder, known, length
        self.handling = handling
        self._written: dict[str, int] = {}  # user id → digest of the last write, oldest first

    async def handle(self, records: Sequence[Record]) -> None:
        """Bring the store to the newest taste of each shopper; raises nothing but cancellation."""
        newest: dict[str, Record] = {}
        for record in records:
            self.handling.count_in(record)
            if record.key is not None:
                newest[record.key.decode("utf-8", "replace")] = record
        made = [row for user_id, record in newest.items() if (row := self._made(user_id, record))]
        if made:
            await self._write(made)
        self.handling.progressed()

    async def _write(self, made: Sequence[_Made]) -> None:
        """All at once; if that fails for good, each shopper alone, so that one takes no other along."""
        tastes = {row.user_id: row.points for row in made}
        try:
            with self.handling.metrics.timed("upsert"):
                await self.handling.retried(lambda: self.store.replace_tastes(tastes), made[0].record)
        except Exception as error:
            if len(made) == 1:
                await self.handling.bury(made[0].record, error)
                return
            for row in made:
                await self._write([row])
            return
        for row in made:
            self._written.pop(row.user_id, None)
            if row.points:
                self._written[row.user_id] = row.digest
        while len(self._written) > MAX_REMEMBERED:
            del self._written[next(iter(self._written))]

    def _made(self, user_id: str, record: Record) -> _Made | None:
        """What to write for a taste; None where the store has it already or nothing can be read."""
        if record.value is None or ("ce_type", b"taste.erased") in record.headers:
            self.known.forget(user_id)
            return _Made(user_id, record, 0, [])
        try:
            header, packed = unpack(record.value)
            packed = self.known.newest(user_id, packed, header.revision)
            shopper = self.known.shopper(user_id, packed)
        except (SchemaError, state.StateError) as error:
            log.warning("tastes/%s@%s ignored: %s", record.partition, record.offset, error)
            return None
        if shopper.forward_to is not None:
            return _Made(user_id, record, 0, [])
        if shopper.embedder != self.embedder:
            return None
        digest = _digest(self.known.digest(user_id, packed), shopper)
        if self._written.get(user_id) == digest:
            return None
        points = centroids(user_id, shopper, self.known.interests(user_id, packed), self.length)
        return _Made(user_id, record, digest, points)


def _digest(interests: int, shopper: Shopper) -> int:
    """A hash of all that the centroids and their payloads are made of, but for the revision."""
    of_profile = (shopper.gender, shopper.age_group, shopper.forward_to)
    return hash((interests, tuple(shopper.excluded), of_profile))
