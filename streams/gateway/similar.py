"""Similar products, garment by garment: of a product of the shop, or of a photo.

In: garments with embeddings, the vector store. Out: items in the shape of a recommendation set's. Fails with
VectorStoreUnavailable.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.taste.exclusions import product_key
from streams.gateway.showing import Showing, image_address
from vectorstore.base import GarmentQuery, Hit, VectorStore

_MORE: Final = 3  # garments asked for per product wanted: a product may have several, and groups variants
_SHOWN: Final = ("part", "category", "box_xyxy", "title", "link", "image_link", "price")
MAX_K: Final = 60


@dataclass(frozen=True, eq=False, slots=True)
class Wanted:
    """A garment to which similar ones are wanted; `because` is what their reason says."""

    garment_id: str
    part: str
    embedding: NDArray[np.float32]
    because: dict[str, Any]


async def similar(
    store: VectorStore,
    showing: Showing,
    wanted: Sequence[Wanted],
    k: int,
    without: Collection[str] = (),
    groups: Collection[str] = (),
) -> list[list[dict[str, Any]]]:
    """Up to `k` items per garment: other products in stock, the most similar garment of each.

    Args:
        without: products left out.
        groups: item groups left out; of every other group there is one product.
    """
    keys = [product_key(product_id) for product_id in without]
    found = await store.query(
        [
            GarmentQuery(
                embedding=one.embedding,
                k=_MORE * k,
                parts=frozenset({one.part}),
                excluded_product_keys=keys,
            )
            for one in wanted
        ]
    )
    return [
        [_item(rank, hit, one, showing) for rank, hit in enumerate(hits, 1)]
        for one, of_one in zip(wanted, found, strict=True)
        for hits in [_best(of_one, k, set(groups), showing.hidden)]
    ]


def _best(
    hits: Sequence[Hit], k: int, groups: set[str], hidden: Callable[[str, str | None], str | None]
) -> list[Hit]:
    best: list[Hit] = []
    taken: set[str] = set()
    for hit in hits:
        group = hit.payload.get("item_group_id")
        if hit.product_id in taken or group in groups or hidden(hit.product_id, hit.payload.get("category")):
            continue
        taken.add(hit.product_id)
        if group:
            groups.add(group)
        best.append(hit)
        if len(best) == k:
            break
    return best


def _item(rank: int, hit: Hit, wanted: Wanted, showing: Showing) -> dict[str, Any]:
    return {
        "rank": rank,
        "product_id": hit.product_id,
        "garment_id": hit.garment_id,
        "score": round(hit.similarity, 6),
        **{name: hit.payload.get(name) for name in _SHOWN},
        "image": image_address(hit.payload.get("image_link")),
        "photo": showing.garment(hit.product_id, hit.garment_id)["photo"],
        "because": wanted.because,
    }
