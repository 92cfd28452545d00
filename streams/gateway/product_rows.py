"""The catalogue as the gateway shows it: a row per product, brought up to date by the topic `garments`.

In: records of `garments`, which only say that something changed; the vector store says what is true now. Out:
rows by product, pages of them with the newest first, and at once word of every product that is gone. Fails
with VectorStoreUnavailable; the records are then read again.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pydantic_core

from schemas import events
from schemas.errors import SchemaError
from schemas.garments import GarmentsRemoved
from streams.gateway.shelf import Batch, Shelf
from streams.record import Record
from vectorstore.base import MAX_K, GarmentPoint, Hit, VectorStore

log = logging.getLogger(__name__)

ROWS: Final = b"p:"
ORDER: Final = b"o:"
_SEEDED: Final = b"\x00seeded"
_SHARED: Final = ("title", "link", "price", "brand", "item_group_id", "product_category", "availability")
_SEEN: Final = ("part", "category", "box_xyxy", "score", "image", "image_link")
_CACHED_ROWS: Final = 10_000
_MISSED_AT_ONCE: Final = 64
_MOST_MISSED: Final = 2_000
_MOST_READ: Final = 5_000
_LAST: Final = (1 << 63) - 1

Row = dict[str, Any]
Gone = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where the next page begins; None after the last."""

    rows: list[Row]
    cursor: bytes | None


class ProductRows:
    """Rows of products; `gone` is told (product id, reason) of each that is not to be shown any more."""

    def __init__(self, shelf: Shelf, store: VectorStore, gone: Gone) -> None:
        self._shelf, self._store, self._gone = shelf, store, gone
        self._cache: OrderedDict[str, Row | None] = OrderedDict()
        self._going: dict[str, str] = {}
        self._missed: dict[str, None] = {}

    async def seed(self) -> None:
        """On a new shelf: rows of the newest garments of the index; the topic may not go back so far."""
        if self._shelf.get(_SEEDED) is not None:
            return
        of: dict[str, list[Hit]] = {}
        for hit in await self._store.newest(MAX_K, in_stock_only=False):
            of.setdefault(hit.product_id, []).append(hit)
        batch = Batch()
        for product_id, hits in of.items():
            self._put(batch, product_id, as_row(product_id, hits))
        batch.put(_SEEDED, b"1")
        self._shelf.write(batch)

    async def take_in(self, records: Sequence[Record], batch: Batch) -> None:
        """What became of the products that these records speak of."""
        changed: dict[str, None] = {}
        for record in records:
            try:
                _, data = events.read(
                    events.GARMENT_EVENTS, record.headers, record.value, record.key, record.appended_at
                )
            except SchemaError as error:
                log.warning("garments/%s@%s ignored: %s", record.partition, record.offset, error)
                continue
            changed[data.product_id] = None
            reason = _reason(data)
            if reason is not None and reason != self.hidden(data.product_id):
                self._going[data.product_id] = reason
                self._gone(data.product_id, reason)
        await self._refresh(list(changed), batch)

    def written(self) -> None:
        """What was taken in is on the shelf."""
        self._going.clear()

    async def look_up_missed(self) -> None:
        """Rows of the products that were asked for in vain, as far as the index knows them."""
        while self._missed:
            ids = list(self._missed)[:_MISSED_AT_ONCE]
            batch = Batch()
            await self._refresh(ids, batch)
            self._shelf.write(batch)
            for product_id in ids:
                self._missed.pop(product_id, None)

    def forget(self) -> None:
        """Drop all rows."""
        self._shelf.clear(ROWS, ORDER)
        self._cache.clear()

    def row(self, product_id: str) -> Row | None:
        """What is known of a product, also one that was removed; None where nothing is, which is noted."""
        if product_id in self._cache:
            self._cache.move_to_end(product_id)
            return self._cache[product_id]
        packed = self._shelf.get(ROWS + product_id.encode())
        row: Row | None = None if packed is None else pydantic_core.from_json(packed)
        if row is None and len(self._missed) < _MOST_MISSED:
            self._missed[product_id] = None
        self._remember(product_id, row)
        return row

    def hidden(self, product_id: str) -> str | None:
        """Why a product is not to be recommended now; None where it may be, or is unknown."""
        if product_id in self._going:
            return self._going[product_id]
        row = self.row(product_id)
        if row is None:
            return None
        if row["removed"]:
            return "removed"
        return None if row["availability"] == "in_stock" else "out_of_stock"

    def page(self, limit: int, after: bytes, part: str | None, category: str | None) -> Page:
        """At most `limit` products that can be seen in the shop, the newest first, with such a garment."""
        rows: list[Row] = []
        for read, (key, product_id) in enumerate(self._ordered(after), 1):
            row = self.row(product_id)
            if row is not None and not row["removed"] and _has(row, part, category):
                rows.append(row)
            if len(rows) == limit or read == _MOST_READ:
                return Page(rows, key)
        return Page(rows, None)

    def _ordered(self, after: bytes) -> Iterator[tuple[bytes, str]]:
        for key, _ in self._shelf.scan(ORDER, ORDER + after if after else b""):
            yield key[len(ORDER) :], key[len(ORDER) + 8 :].decode()

    async def _refresh(self, product_ids: Sequence[str], batch: Batch) -> None:
        if not product_ids:
            return
        found = await self._store.fetch_products(product_ids)
        for product_id in product_ids:
            points = found.get(product_id)
            if points:
                self._put(batch, product_id, as_row(product_id, points))
            elif (row := self.row(product_id)) is not None and not row["removed"]:
                self._put(batch, product_id, row | {"removed": True})

    def _put(self, batch: Batch, product_id: str, row: Row) -> None:
        held = self.row(product_id)
        if held is not None and (held["indexed_at"] != row["indexed_at"] or row["removed"]):
            batch.delete(_order_key(held))
        if not row["removed"]:
            batch.put(_order_key(row), b"")
        batch.put(ROWS + product_id.encode(), pydantic_core.to_json(row))
        self._remember(product_id, row)

    def _remember(self, product_id: str, row: Row | None) -> None:
        self._cache[product_id] = row
        self._cache.move_to_end(product_id)
        if len(self._cache) > _CACHED_ROWS:
            self._cache.popitem(last=False)


def as_row(product_id: str, points: Sequence[GarmentPoint | Hit]) -> Row:
    """A product's row from its garments in the index, which share what is true of all of it."""
    payload = points[0].payload
    ordered = sorted(points, key=lambda p: (p.payload.get("image", 0), p.payload["part"] == "whole"))
    return {
        "product_id": product_id,
        **{name: payload.get(name) for name in _SHARED},
        "availability": payload.get("availability", "in_stock"),
        "image_link": payload.get("product_image") or payload.get("image_link"),
        "indexed_at": payload["indexed_at"],
        "removed": False,
        "garments": {p.garment_id: {name: p.payload.get(name) for name in _SEEN} for p in ordered},
    }


def photo_size(row: Row, image: int = 0) -> dict[str, int] | None:
    """Width and height of one of a product's upright photos, which its whole-photo garment spans."""
    for garment in row["garments"].values():
        if garment["part"] == "whole" and garment["image"] == image:
            return {"width": round(garment["box_xyxy"][2]), "height": round(garment["box_xyxy"][3])}
    return None


def _order_key(row: Row) -> bytes:
    newest_first = _LAST - int(row["indexed_at"] * 1000)
    return ORDER + newest_first.to_bytes(8, "big") + str(row["product_id"]).encode()


def _has(row: Row, part: str | None, category: str | None) -> bool:
    if part is None and category is None:
        return True
    return any(
        part in (None, garment["part"]) and category in (None, garment["category"], row["product_category"])
        for garment in row["garments"].values()
    )


def _reason(data: Any) -> str | None:
    if isinstance(data, GarmentsRemoved):
        return "removed"
    return None if data.availability == "in_stock" else "out_of_stock"
