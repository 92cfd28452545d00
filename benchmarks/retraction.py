"""A product that many hold in their sets is gone: how soon all of them have a set without it.

In: how many shoppers. Out: a table, or with --json `{"machine": …, "rows": […]}`: holders, seconds from the
event's LogAppendTime (on `product-events`, or on `rules` for one that a rule blocks) until the first 200 and
all of the new sets were appended, the rate of those after the first 200, and what must be nought: sets that
still hold it and sets of others.
All shoppers like one style, so that the product is in about half of the sets.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from running import STYLES, Road, Row, report

FIRST = 200
WITHIN_S = 120.0


async def shop(road: Road, shoppers: int, views: int) -> None:
    """Give every shopper a taste for the first style, and a set."""
    ids = []
    for shopper in range(shoppers):
        for _ in range(views):
            place = STYLES * int(road.random.integers(len(road.products) // STYLES))
            data: dict[str, Any] = {"user_id": f"shopper-{shopper}", "product_id": road.products[place]}
            event_id, _ = await road.publish("product.viewed", data["user_id"], data)
            ids.append(event_id)
    await road.answered(ids)


async def sold_out(road: Road, product_id: str) -> float:
    """Say so; the broker's time of it."""
    data = {"id": product_id, "availability": "out_of_stock"}
    _, future = await road.publish("product.updated", product_id, data, "product-events")
    return float((await future).timestamp / 1000)


async def retracted(road: Road, product_id: str, holders: set[str], since: int) -> None:
    """Return when every holder has another set."""
    deadline_s = time.monotonic() + WITHIN_S
    while left := holders - {user for _, user, _ in road.answers.sets[since:]}:
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"{len(left)} of {len(holders)} have no set without {product_id}")
        await asyncio.sleep(0.05)


async def blocked(road: Road, product_id: str) -> float:
    """Set a rule that blocks it; the broker's time of it."""
    data = {"id": f"block-{product_id}", "action": "block", "product_id": product_id}
    _, future = await road.publish("rule.set", str(data["id"]), data, "rules")
    return float((await future).timestamp / 1000)


async def measured(
    road: Road, scenario: str, gone: Callable[[Road, str], Awaitable[float]], rest_s: float
) -> Row:
    """Let the product that most hold be gone, and see what comes of it."""
    current = {user: kept["products"] for _, user, kept in road.answers.sets}
    held = Counter(product for products in current.values() for product in products)
    product_id, count = held.most_common(1)[0]
    holders = {user for user, products in current.items() if product_id in products}
    since, at_s = len(road.answers.sets), await gone(road, product_id)
    await retracted(road, product_id, holders, since)
    await asyncio.sleep(rest_s)
    new = road.answers.sets[since:]
    times = sorted({user: s - at_s for s, user, _ in reversed(new) if user in holders}.values())
    row: Row = {"system": "lookstream", "scenario": scenario, "holders": count, "shoppers": len(current)}
    row |= {"first_200_s": times[min(FIRST, count) - 1], "all_s": times[-1]}
    if count > FIRST:
        row["rest_a_s"] = (count - FIRST) / max(1e-3, times[-1] - times[FIRST - 1])
    row |= {"still_hold_it": sum(product_id in kept["products"] for _, _, kept in new)}
    return row | {"others": sum(user not in holders for _, user, _ in new)}


async def run(options: argparse.Namespace) -> list[Row]:
    """All measurements."""
    with tempfile.TemporaryDirectory() as name:
        async with Road(Path(name), products=options.products, catalogue=True) as road:
            await shop(road, options.shoppers, options.views)
            await asyncio.sleep(options.rest)
            rows = [await measured(road, "sold out", sold_out, options.rest)]
            return [*rows, await measured(road, "blocked by a rule", blocked, options.rest)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shoppers", type=int, default=2000)
    parser.add_argument("--views", type=int, default=3, help="interactions of each shopper")
    parser.add_argument("--products", type=int, default=3000)
    parser.add_argument("--rest", type=float, default=2.0, help="seconds of quiet before and after")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report(asyncio.run(run(options)), as_json=options.json)


if __name__ == "__main__":
    main()
