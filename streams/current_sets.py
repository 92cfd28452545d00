"""The shoppers' current sets from both sides, as the compacted topic `recommendations` says them.

In: records of the topic, in any mixture of partitions. Out: for a shopper the products, the revision and the
weakest taste score; for a product the shoppers. A record that is no set is logged and ignored.

Ids are interned and each side holds arrays of their numbers. What a product's shoppers no longer hold is
swept out of its array when it is half of it, so that a change costs the size of one set.
"""

import logging
import math
from array import array
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.cloudevents import parse_json
from schemas.parts import PARTS
from streams.record import Record

log = logging.getLogger(__name__)
_ANY: Final = 0
_PLACE_OF: Final[dict[str, int]] = {part: place for place, part in enumerate(PARTS, 1)}
_SPARE: Final = 32


@dataclass(frozen=True, slots=True)
class SetArrived:
    """A shopper's set became current."""

    user_id: str
    partition: int
    products: tuple[str, ...]


@dataclass(slots=True)
class _Row:
    """A shopper's set: numbers of its products in order of rank, weakest taste score overall and by part."""

    partition: int
    revision: int
    asked_at_s: float
    products: "array[int]"
    weakest: "array[float]"


@dataclass(slots=True)
class _Holders:
    """Numbers of the shoppers that hold a product, and of some that did; `live` counts the former."""

    users: "array[int]" = field(default_factory=lambda: array("I"))
    live: int = 0


class _Ids:
    """Texts by small numbers, which are given out again once released."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []
        self._free: list[int] = []

    def find(self, text: str) -> int | None:
        return self._numbers.get(text)

    def number(self, text: str) -> int:
        number = self._numbers.get(text)
        if number is None:
            if self._free:
                number = self._free.pop()
                self._texts[number] = text
            else:
                number = len(self._texts)
                self._texts.append(text)
            self._numbers[text] = number
        return number

    def text(self, number: int) -> str:
        return self._texts[number]

    def release(self, number: int) -> None:
        del self._numbers[self._texts[number]]
        self._texts[number] = ""
        self._free.append(number)


class CurrentSets:
    """Every shopper's current set; `read` is told of each record, and the rest are questions."""

    def __init__(self) -> None:
        self._users, self._products = _Ids(), _Ids()
        self._rows: dict[int, _Row] = {}
        self._holders: dict[int, _Holders] = {}

    def read(self, record: Record) -> SetArrived | None:
        """Take in a record of the topic; what arrived, unless it was an erasure or nothing newer."""
        if record.key is None:
            return None
        user_id = record.key.decode("utf-8", "replace")
        if record.value is None or ("ce_type", b"shopper.erased") in record.headers:
            self._forget(user_id)
            return None
        try:
            revision, latency_s, products, weakest = _read(parse_json(record.value))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            log.warning("recommendations/%s@%s ignored: %r", record.partition, record.offset, error)
            return None
        if revision <= self.revision(user_id):
            return None
        row = _Row(record.partition, revision, record.appended_at_s - latency_s, array("I"), weakest)
        self._replace(user_id, row, products)
        return SetArrived(user_id, record.partition, products)

    def __len__(self) -> int:
        """How many shoppers have a set."""
        return len(self._rows)

    def products(self, user_id: str) -> tuple[str, ...]:
        """The products of the shopper's set by rank; none where there is no set."""
        row = self._row(user_id)
        return () if row is None else tuple(map(self._products.text, row.products))

    def holds(self, user_id: str, product_id: str) -> bool:
        """Whether the shopper's set has the product."""
        row, product = self._row(user_id), self._products.find(product_id)
        return row is not None and product is not None and product in row.products

    def size(self, user_id: str) -> int:
        """How many products the shopper's set has."""
        row = self._row(user_id)
        return 0 if row is None else len(row.products)

    def revision(self, user_id: str) -> int:
        """The revision of the shopper's set, 0 where there is none."""
        row = self._row(user_id)
        return 0 if row is None else row.revision

    def asked_at_s(self, user_id: str) -> float:
        """LogAppendTime (unix seconds) of the oldest event that the set answers, -inf where there is no set.

        Whatever was in the index by then was considered for the set.
        """
        row = self._row(user_id)
        return -math.inf if row is None else row.asked_at_s

    def partition(self, user_id: str) -> int | None:
        """The partition that the shopper's set lies on."""
        row = self._row(user_id)
        return None if row is None else row.partition

    def weakest(self, user_id: str, part: str) -> float:
        """The lowest score among the set's items that are there for taste: of this part, else of any.

        -inf where there is none: anything is better.
        """
        row = self._row(user_id)
        if row is None:
            return -math.inf
        of_part = row.weakest[_PLACE_OF.get(part, _ANY)]
        lowest = of_part if of_part < math.inf else row.weakest[_ANY]
        return lowest if lowest < math.inf else -math.inf

    def users(self, product_id: str, partitions: Collection[int] | None = None) -> list[str]:
        """The shoppers whose set has the product, on these partitions only."""
        product = self._products.find(product_id)
        if product is None:
            return []
        return [
            self._users.text(user)
            for user in dict.fromkeys(self._holders[product].users)
            if self._has(user, product) and (partitions is None or self._rows[user].partition in partitions)
        ]

    def held(self, partitions: Collection[int]) -> list[str]:
        """The products that are in any set of these partitions, by id."""
        numbers: set[int] = set()
        for row in self._rows.values():
            if row.partition in partitions:
                numbers.update(row.products)
        return sorted(map(self._products.text, numbers))

    def _row(self, user_id: str) -> _Row | None:
        number = self._users.find(user_id)
        return None if number is None else self._rows[number]

    def _has(self, user: int, product: int) -> bool:
        row = self._rows.get(user)
        return row is not None and product in row.products

    def _replace(self, user_id: str, row: _Row, product_ids: tuple[str, ...]) -> None:
        user = self._users.number(user_id)
        row.products = array("I", map(self._products.number, product_ids))
        before = self._rows[user].products if user in self._rows else array("I")
        self._rows[user] = row
        for product in set(row.products).difference(before):
            holders = self._holders.setdefault(product, _Holders())
            holders.users.append(user)
            holders.live += 1
        self._let_go(set(before).difference(row.products))

    def _forget(self, user_id: str) -> None:
        user = self._users.find(user_id)
        if user is not None:
            row = self._rows.pop(user)
            self._let_go(set(row.products))
            self._users.release(user)

    def _let_go(self, products: set[int]) -> None:
        """One shopper less holds each of these; the rows say so already."""
        for product in products:
            holders = self._holders[product]
            holders.live -= 1
            if holders.live == 0:
                del self._holders[product]
                self._products.release(product)
            elif len(holders.users) > 2 * holders.live + _SPARE:
                kept = (user for user in dict.fromkeys(holders.users) if self._has(user, product))
                holders.users = array("I", kept)


def _read(data: Any) -> tuple[int, float, tuple[str, ...], "array[float]"]:
    """Revision, latency (s), products by rank, weakest scores; raises KeyError, TypeError or ValueError."""
    items = data["items"]
    products = tuple(dict.fromkeys(item["product_id"] for item in items))
    if not all(isinstance(product_id, str) for product_id in products):
        raise TypeError("product_id: expected text")
    return int(data["revision"]), data["latency_ms"] / 1000, products, _weakest(items)


def _weakest(items: list[dict[str, Any]]) -> "array[float]":
    found = array("f", [math.inf] * (1 + len(_PLACE_OF)))
    for item in items:
        if item["slot"] == "taste":
            for place in (_ANY, _PLACE_OF.get(item["part"], _ANY)):
                found[place] = min(found[place], item["score"])
    return found
