"""Drawn photographs for tests, and what is true of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.datasets.drawn import DrawnProduct, photo_name


@dataclass(frozen=True)
class Photos:
    """Drawn photographs in a folder."""

    folder: Path
    drawn: list[DrawnProduct]

    def of(self, category: str) -> list[str]:
        """Ids of the products of a category."""
        return [product.product_id for product in self.drawn if product.sold_garment.category == category]

    def bytes_of(self, number: int) -> bytes:
        """The JPEG of a product."""
        return (self.folder / photo_name(self.drawn[number])).read_bytes()

    def upload(self, product: DrawnProduct, **changes: Any) -> dict[str, Any]:
        """The product as its `product.uploaded` has it."""
        return {
            "id": product.product_id,
            "image_link": photo_name(product),
            "title": product.title,
            "price": product.price,
            "brand": product.brand,
        } | changes
