"""A shopper's set as a front end gets it: without what cannot be had any more, with pictures and reasons.

In: a set as the topic has it, product rows, rules. Out: the same JSON object with `image` and `photo` on each
item and on its reason, and the frame of an event stream. Nothing here waits.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pydantic_core

from models.taste.rules import Rules
from streams.gateway.hub import Current, frame
from streams.gateway.product_rows import ProductRows, Row, photo_size


def image_address(link: str | None) -> str | None:
    """Where a front end gets the photo of an image_link: from the gateway, or from its https address."""
    if not link or link[:5].lower() == "data:":
        return None
    return link if link[:8].lower() == "https://" else "/media/" + quote(link)


class Showing:
    """Makes of a set what is shown of it."""

    def __init__(self, rows: ProductRows, rules: Callable[[], Rules]) -> None:
        self._rows, self._rules = rows, rules

    def current(self, packed: bytes) -> Current:
        """The set in `packed`, its JSON, as an event stream sends it."""
        shown, hidden = self.shown(packed)
        products = frozenset(item["product_id"] for item in shown["items"])
        data = pydantic_core.to_json(shown)
        revision = shown["revision"]
        return Current(revision, frame("recommendations.updated", data, revision), products, hidden)

    def shown(self, packed: bytes) -> tuple[dict[str, Any], dict[str, str]]:
        """The set in `packed` as it is shown, and why which products are not."""
        data: dict[str, Any] = pydantic_core.from_json(packed)
        hidden: dict[str, str] = {}
        items = []
        for item in data["items"]:
            why = self.hidden(item["product_id"], item.get("category"))
            if why is None:
                items.append(self._item(item))
            else:
                hidden[item["product_id"]] = why
        data["items"] = items
        return data, hidden

    def hidden(self, product_id: str, category: str | None = None) -> str | None:
        """Why a product's garment of a category is not to be recommended: removed, out_of_stock, blocked."""
        why = self._rows.hidden(product_id)
        rules = self._rules()
        if why is not None or not rules.by_id:
            return why
        row = self._rows.row(product_id) or {}
        payload = {
            "brand": row.get("brand"),
            "product_category": row.get("product_category"),
            "category": category,
        }
        return "blocked" if rules.blocks(product_id, payload) else None

    def _item(self, item: dict[str, Any]) -> dict[str, Any]:
        row = self._rows.row(item["product_id"])
        item["image"] = image_address(item.get("image_link"))
        item["photo"] = _photo_of(row, item["garment_id"])
        if item.get("because") is not None:
            item["because"] |= self.garment(item["because"]["product_id"], item["because"]["garment_id"])
        return item

    def garment(self, product_id: str, garment_id: str) -> dict[str, Any]:
        """Picture, photo's size, title and box of a garment of a product, null where they are not known."""
        row = self._rows.row(product_id)
        garment = None if row is None else row["garments"].get(garment_id)
        link = garment["image_link"] if garment else row["image_link"] if row else None
        return {
            "image": image_address(link),
            "photo": _photo_of(row, garment_id),
            "title": row["title"] if row else None,
            "box_xyxy": garment["box_xyxy"] if garment else None,
        }


def _photo_of(row: Row | None, garment_id: str) -> dict[str, int] | None:
    if row is None or (garment := row["garments"].get(garment_id)) is None:
        return None
    return photo_size(row, garment["image"])
