"""wait-for-garments: parks interactions whose product is not indexed yet, and lets them go when it is.

In: records of `waiting` and `garments`, one at a time, keyed by product id. Out: the parked interactions,
as they were, back on `interactions` when `garments.indexed` (or `.removed`) arrives; a dead letter when they
have waited longer than the retention. Time comes as records too: ticks on `waiting`, one per partition.
"""

from collections.abc import Iterable, MutableMapping
from typing import Any, Final

import msgpack

from models.catalogue import NEVER, unpack
from schemas import events
from schemas.errors import SchemaError, shape
from streams.handling import Handling
from streams.record import Header, Record
from vectorstore.base import VectorStore

TICK: Final = ("lookstream-tick", b"1")
ERASE: Final = ("lookstream-erase", b"1")
"""On every partition of `waiting`: the user in the value was erased."""
KEY_HEADER: Final = "lookstream-key"
"""On `waiting`: the key that the interaction had on `interactions`."""
MAX_PARKED: Final = 1000
MAX_PARKED_BYTES: Final = 4_000_000
"""Of one product's row: the changelog takes records of 8 MB."""


def outside_headers(record: Record) -> list[Header]:
    """A producer's headers without those that only lookstream itself may write on `waiting`."""
    own = {TICK[0], ERASE[0], KEY_HEADER}
    return [header for header in record.headers if header[0] not in own]


class ExpiredError(Exception):
    """An interaction waited longer than the retention for its product."""


class FullError(Exception):
    """More interactions wait for one product than are kept."""


class WaitForGarments:
    """The agent. `table`: product id → parked records; `retention_s`: how long they may wait."""

    def __init__(
        self,
        table: MutableMapping[bytes, bytes],
        store: VectorStore,
        retention_s: float,
        handling: Handling,
    ) -> None:
        self.table, self.store, self.retention_s, self.handling = table, store, retention_s, handling
        self.outbox = handling.outbox

    async def handle(self, record: Record) -> None:
        """Park, release or sweep; raises SchemaError for a record that is none of the three."""
        if record.topic == "garments":
            event, _ = events.read(
                events.GARMENT_EVENTS, record.headers, record.value, record.key, record.appended_at
            )
            if event.type != "garments.updated":
                await self._release(record.key)
        elif record.key is not None:  # whatever headers an interaction may carry
            await self._park(record)
        elif TICK in record.headers:
            await self._sweep(record)
        elif ERASE in record.headers:
            self._forget(record)
        else:
            raise SchemaError("key", "nothing", "a product id", where="waiting")

    async def _park(self, record: Record) -> None:
        if record.key is None or record.value is None:
            raise SchemaError("value", shape(record.value), "an interaction", where="waiting")
        held = _unpack(self.table.get(record.key))
        place = [record.partition, record.offset]
        if place not in (parked[0] for parked in held):
            row = [place, record.value, [list(h) for h in record.headers], record.appended_at_s]
            packed = msgpack.packb([*held, row])
            if len(held) >= MAX_PARKED or len(packed) > MAX_PARKED_BYTES:
                full = FullError(f"{len(held)} interactions wait for product {record.key.decode()!r} already")
                await self.handling.bury(_original(row), full)
                return
            self.table[record.key] = packed
        # The product may have been indexed after the interaction looked and before it was parked.
        if await self._has_come(record.key.decode()):
            await self._release(record.key)

    async def _has_come(self, product_id: str) -> bool:
        product = unpack((await self.store.get_records([product_id])).get(product_id))
        if product.visible:
            return product_id in await self.store.fetch_products([product_id])
        return product.removed != NEVER

    async def _release(self, key: bytes | None) -> None:
        """Send what waits for a product on; forget it only when the broker has it."""
        if key is None or (packed := self.table.get(key)) is None:
            return
        for parked in _unpack(packed):
            original = _original(parked)
            await self.outbox.send("interactions", original.key, original.value, original.headers)
        self.table.pop(key)

    async def _sweep(self, tick: Record) -> None:
        """Dead letters of what has waited too long on this partition, by the tick's own time."""
        for key, packed in list(self._on_partition(tick.partition)):
            held = _unpack(packed)
            late = [parked for parked in held if tick.appended_at_s - parked[3] > self.retention_s]
            for parked in late:
                error = ExpiredError(
                    f"product {key.decode()!r} was not indexed within {self.retention_s:.0f} s"
                )
                await self.handling.bury(_original(parked), error)
            if len(late) == len(held):
                self.table.pop(key)
            elif late:
                self.table[key] = msgpack.packb([parked for parked in held if parked not in late])

    def _forget(self, notice: Record) -> None:
        """Drop what the erased user parked on this partition."""
        for key, packed in list(self._on_partition(notice.partition)):
            held = _unpack(packed)
            kept = [parked for parked in held if _original(parked).key != notice.value]
            if not kept:
                self.table.pop(key)
            elif len(kept) < len(held):
                self.table[key] = msgpack.packb(kept)

    def _on_partition(self, partition: int) -> Iterable[tuple[bytes, bytes]]:
        """The rows of one partition: Faust's table iterates over all that this worker holds."""
        for key, packed in self.table.items():
            if any(place[0] == partition for place, *_ in _unpack(packed)):
                yield key, packed


def _unpack(packed: bytes | None) -> list[Any]:
    return [] if packed is None else list(msgpack.unpackb(packed))


def _original(parked: Any) -> Record:
    """The record as it was on `interactions`, with its place on `waiting`."""
    (partition, offset), value, pairs, appended_at_s = parked
    headers = tuple((name, raw) for name, raw in pairs if name != KEY_HEADER)
    # The last one: before it may come one of the producer's own.
    key = next((raw for name, raw in reversed(pairs) if name == KEY_HEADER), None)
    return Record("waiting", partition, offset, key, value, headers, appended_at_s)
