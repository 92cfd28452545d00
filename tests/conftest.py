"""Shared by all tests: drawn photographs, made once a session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models.datasets.drawn import DrawnProduct, photo_name, write_catalogue

DRAWN = 72


@dataclass(frozen=True)
class Photos:
    """Drawn photographs in a folder, and what is true of each."""

    folder: Path
    drawn: list[DrawnProduct]

    def of(self, category: str) -> list[DrawnProduct]:
        """The products of a category."""
        return [product for product in self.drawn if product.sold_garment.category == category]

    def upload(self, product: DrawnProduct, **changes: Any) -> dict[str, Any]:
        """The product as its `product.uploaded` has it."""
        return {
            "id": product.product_id,
            "image_link": photo_name(product),
            "title": product.title,
            "price": product.price,
            "brand": product.brand,
        } | changes


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """The first 72 products of a drawn catalogue (3 s)."""
    folder = tmp_path_factory.mktemp("photos")
    return Photos(folder, write_catalogue(folder, 7, DRAWN))
