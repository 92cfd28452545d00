"""What other settings would have changed: the sets of one recording, played with several settings.

In: a recording and settings, the first of which the others are compared with. Out: a row per settings.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from schemas import events
from schemas.errors import SchemaError
from schemas.interactions import ProductInteraction
from streams.replay.player import Played, ReplaySettings, play
from streams.replay.recording import Recording

Set = dict[str, Any]


def compare(recording: Recording, settings: Sequence[ReplaySettings]) -> list[dict[str, Any]]:
    """One row per settings.

    `sets`: how many; `same`: share of them whose products and order are those of the first settings' set;
    `shared12`, `shared24`: mean share of the first places' products that are in both; `taste`,
    `taste+trending`, `trending`: shares of the strategies; `foretold`: of the products that shoppers turned
    to for the first time, the share that was in their set then (what they were shown favours the settings
    that the shop was run with).
    """
    rows: list[dict[str, Any]] = []
    first: list[Set] = []
    for one in settings:
        played = play(recording, one)
        sets: list[Set] = [json.loads(p.packed) for p in played]
        first = first or sets
        rows.append(
            {"system": one.name, "sets": len(sets)}
            | _differences(first, sets)
            | _strategies(sets)
            | {"foretold": _foretold(recording, played)}
        )
    return rows


def _products(made: Set) -> list[str]:
    return [item["product_id"] for item in made["items"]]


def _differences(first: Sequence[Set], sets: Sequence[Set]) -> dict[str, Any]:
    by_id = {made["recommendation_id"]: _products(made) for made in first}
    pairs = [
        (by_id[made["recommendation_id"]], _products(made))
        for made in sets
        if made["recommendation_id"] in by_id
    ]
    shares = {"same": [float(one == other) for one, other in pairs]}
    for length in (12, 24):
        shares[f"shared{length}"] = [_shared(one[:length], other[:length]) for one, other in pairs]
    return {name: _mean(values) for name, values in shares.items()}


def _shared(one: Sequence[str], other: Sequence[str]) -> float:
    longer = max(len(one), len(other))
    return len({*one} & {*other}) / longer if longer else 1.0


def _strategies(sets: Sequence[Set]) -> dict[str, Any]:
    counted = Counter(made["strategy"] for made in sets)
    return {
        name: round(counted[name] / len(sets), 4) if sets else None
        for name in ("taste", "taste+trending", "trending")
    }


def _foretold(recording: Recording, played: Sequence[Played]) -> float | None:
    """Of the first interactions with a product by shoppers who had a set, the share that was in it."""
    made_at: dict[int, list[Set]] = {}
    for one in played:
        made_at.setdefault(one.place, []).append(json.loads(one.packed))
    shown: dict[str, set[str]] = {}
    known: set[tuple[str, str]] = set()
    hits: list[float] = []
    for place, record in enumerate(recording.records):
        turned_to = _turned_to(record) if record.topic == "interactions" else None
        if turned_to is not None and turned_to not in known:
            known.add(turned_to)
            if (current := shown.get(turned_to[0])) is not None:
                hits.append(float(turned_to[1] in current))
        for made in made_at.get(place, ()):
            shown[made["user_id"]] = {*_products(made)}
    return _mean(hits)


def _turned_to(record: Any) -> tuple[str, str] | None:
    """Shopper and product of an interaction that speaks for the product."""
    try:
        event, data = events.read(
            events.INTERACTIONS, record.headers, record.value, record.key, record.appended_at
        )
    except SchemaError:
        return None
    if not isinstance(data, ProductInteraction) or event.type in (
        "product.dismissed",
        "product.refunded",
        "product.removed_from_cart",
    ):
        return None
    return data.user_id, data.product_id


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
