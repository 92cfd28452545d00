"""A shopper's interests as centroids in the vector store, and what can be told from a centroid alone. Pure.

In: shoppers; garments' payloads. Out: `TastePoint`s, and whether a garment is for the shopper of a centroid.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

from models.taste.exclusions import product_key
from models.taste.interests import Interest
from models.taste.shopper import Shopper
from vectorstore.base import UNISEX, TastePoint

MAX_CENTROIDS: Final = 6
MAX_EXCLUDED: Final = 256
_TASTES: Final = UUID("5f0f7a52-6b1c-5c37-8b41-52a5b0a3c9d4")


def centroid_id(user_id: str, part: str, ordinal: int) -> str:
    """UUIDv5 of user, part and ordinal: the heaviest interest of a part is 0."""
    return str(uuid5(_TASTES, f"{user_id}\x00{part}\x00{ordinal}"))


def centroids(user_id: str, shopper: Shopper, found: Sequence[Interest], length: int) -> list[TastePoint]:
    """The heaviest of a shopper's interests that have a place in a set of `length`, at most MAX_CENTROIDS.

    Payload: `part`, `weight` (share of the shopper's attention), `revision`, `gender` and `age_group` if
    given, and `excluded`: the newest 256 products that no set may hold, as space-separated 8 hex digits.
    """
    total = sum(interest.weight for interest in found)
    shared: dict[str, Any] = {
        "revision": shopper.revision,
        "gender": shopper.gender,
        "age_group": shopper.age_group,
        "excluded": _excluded(shopper),
    }
    ordinals: Counter[str] = Counter()
    points = []
    for interest in found[:MAX_CENTROIDS]:
        share = interest.weight / total if total > 0 else 0.0
        if share * length < 0.5:
            break
        taste_id = centroid_id(user_id, interest.part, ordinals[interest.part])
        ordinals[interest.part] += 1
        payload = {"part": interest.part, "weight": round(share, 4), **shared}
        points.append(TastePoint(taste_id, user_id, interest.centroid, payload))
    return points


def is_for(centroid: Mapping[str, Any], product_id: str, garment: Mapping[str, Any]) -> bool:
    """Whether the shopper of a centroid may be shown a garment: not excluded, and of a fitting kind."""
    gender, age_group = garment.get("gender"), garment.get("age_group")
    return (
        (centroid.get("gender") in (None, gender) or gender in (None, UNISEX))
        and (centroid.get("age_group") in (None, age_group) or age_group is None)
        and _digits(product_key(product_id)) not in centroid.get("excluded", "")
    )


def _excluded(shopper: Shopper) -> str:
    held = itertools.chain(shopper.seen.items(), shopper.bought.items(), shopper.dismissed.items())
    newest = sorted(held, key=lambda row: (-row[1], row[0]))[:MAX_EXCLUDED]
    return " ".join(sorted({_digits(key) for key, _ in newest}))


def _digits(key: int) -> str:
    return f"{key:08x}"
