"""Garments that were read from the engine, kept as Python objects: making those costs more than finding them.

In: garments as they were read, and word of every write. Out: the same garments. Bounded; nothing can fail.
It lives beside the engine, in the one thread of the one process through which every write goes, so what it
has is what is stored. Whoever is given a garment must not change it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from vectorstore.base import GarmentPoint

MAX_KEPT: Final = 16_384
"""Garments: some 4 KB each at 256 dimensions."""


class KeptGarments:
    """Garments by id, and whole products by theirs; those that came first go first."""

    def __init__(self, most: int = MAX_KEPT) -> None:
        self._most = most
        self._garments: dict[int, GarmentPoint] = {}
        self._numbers: dict[str, set[int]] = {}  # product id → the garments of it that are kept
        self._whole: dict[str, tuple[GarmentPoint, ...]] = {}

    def __len__(self) -> int:
        return len(self._garments)

    def garment(self, garment_id: UUID) -> GarmentPoint | None:
        """The garment, if it is kept."""
        return self._garments.get(garment_id.int)

    def product(self, product_id: str) -> Sequence[GarmentPoint] | None:
        """All garments of a product, if all are kept."""
        return self._whole.get(product_id)

    def keep(self, garments: Iterable[GarmentPoint]) -> None:
        """Keep garments that were read one by one."""
        for garment in garments:
            number = UUID(garment.garment_id).int
            self._garments[number] = garment
            self._numbers.setdefault(garment.product_id, set()).add(number)
        while len(self._garments) > self._most:
            self.drop(next(iter(self._garments.values())).product_id)

    def keep_products(self, garments: Sequence[GarmentPoint]) -> None:
        """Keep all garments of some products."""
        of: dict[str, list[GarmentPoint]] = {}
        for garment in garments:
            of.setdefault(garment.product_id, []).append(garment)
        self._whole |= {product_id: tuple(held) for product_id, held in of.items()}
        self.keep(garments)

    def drop_garments(self, garment_ids: Iterable[str]) -> None:
        """Forget the products that have these garments, whatever products those are to belong to now."""
        for garment_id in garment_ids:
            if (held := self._garments.get(UUID(garment_id).int)) is not None:
                self.drop(held.product_id)

    def drop(self, product_id: str) -> None:
        """Forget a product: it is to be written."""
        self._whole.pop(product_id, None)
        for number in self._numbers.pop(product_id, ()):
            del self._garments[number]
