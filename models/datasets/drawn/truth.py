"""What is true about a drawn product: the records, and their JSON line.

In and out: frozen dataclasses; `to_json` and `from_json` are each other's inverse. `from_json` raises
ValueError naming what is missing or wrong.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

PARTS = ("upper", "lower", "full_body", "footwear", "bag", "headwear")
PART_OF: dict[str, str] = {
    "short_sleeve_top": "upper",
    "long_sleeve_top": "upper",
    "short_sleeve_outwear": "upper",
    "long_sleeve_outwear": "upper",
    "vest": "upper",
    "sling": "upper",
    "shorts": "lower",
    "trousers": "lower",
    "skirt": "lower",
    "short_sleeve_dress": "full_body",
    "long_sleeve_dress": "full_body",
    "vest_dress": "full_body",
    "sling_dress": "full_body",
    "shoes": "footwear",
    "bag": "bag",
    "hat": "headwear",
}
CATEGORIES = tuple(PART_OF)


@dataclass(frozen=True)
class DrawnGarment:
    """One garment in the picture; `box_xyxy` is in pixels, right and bottom beyond its last pixel."""

    part: str
    category: str
    colour: str
    pattern: str
    box_xyxy: tuple[int, int, int, int]


@dataclass(frozen=True)
class DrawnProduct:
    """A product and all that its picture shows; `sold` is the index of the garment it is about.

    `price` is {"value": float, "currency": "EUR"}; `view` is "flat" or "worn".
    """

    product_id: str
    title: str
    price: dict[str, Any]
    brand: str
    gender: str
    styles: tuple[str, ...]
    view: str
    sold: int
    garments: tuple[DrawnGarment, ...]

    @property
    def sold_garment(self) -> DrawnGarment:
        """The garment that the product is about."""
        return self.garments[self.sold]


def to_json(product: DrawnProduct) -> str:
    """The product as one line of JSON."""
    return json.dumps(asdict(product), ensure_ascii=False)


def from_json(line: str) -> DrawnProduct:
    """The product of one line of JSON. Raises ValueError for a line that is none."""
    try:
        data = json.loads(line)
        garments = tuple(DrawnGarment(**{**g, "box_xyxy": _box(g["box_xyxy"])}) for g in data.pop("garments"))
        return DrawnProduct(**{**data, "styles": tuple(data["styles"]), "garments": garments})
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"a drawn product's line was {line[:80]!r}: {error!r}") from error


def _box(values: list[int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = values
    return (left, top, right, bottom)
