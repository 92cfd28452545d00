"""Interactions through update-tastes and recommend: how fast, and how long until the set.

In: how many shoppers, products and events. Out: a table, or with --json `{"machine": …, "rows": […]}`: at
fixed rates and at saturation (all published at once) the p50 and p99 of the time from an interaction's
LogAppendTime to that of the first set that includes it, both by the broker's clock; at saturation events a
second through update-tastes (records on `tastes`) and through the whole road, and CPU milliseconds an event.
Before anything is measured every shopper has a taste of `--history` interactions.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from running import Road, Row, cpu_s, report

ACTIONS = ("product.viewed", "product.clicked", "product.added_to_wishlist", "product.added_to_cart")


async def act(road: Road, shopper: int) -> tuple[str, Any]:
    """One interaction of a shopper with a product of one of three styles."""
    style = (7 * shopper + int(road.random.integers(3))) % 60
    place = style + 60 * int(road.random.integers(len(road.products) // 60))
    data = {"user_id": f"shopper-{shopper}", "product_id": road.products[place]}
    return await road.publish(str(road.random.choice(ACTIONS)), data["user_id"], data)


async def burst(road: Road, shoppers: Sequence[int]) -> tuple[list[str], Row]:
    """Interactions published as fast as the broker takes them, and the rates at which they came through."""
    tastes, sets = await road.ends("tastes"), len(road.answers.sets)
    pids = {child.name: child.process.pid for child in road.children if child.process}
    cpu = {name: cpu_s(pid) for name, pid in pids.items()}
    started_s = time.perf_counter()
    under_way = [await act(road, shopper) for shopper in shoppers]
    for _, future in under_way:
        await future
    published_s = time.perf_counter() - started_s
    while await road.ends("tastes") < tastes + len(shoppers):  # noqa: ASYNC110 (Kafka is asked)
        await asyncio.sleep(0.02)
    tasted_s = time.perf_counter() - started_s
    await road.answered([event_id for event_id, _ in under_way])
    took_s = time.perf_counter() - started_s
    row: Row = {"published_s": round(published_s, 2), "through_update_tastes_a_s": len(shoppers) / tasted_s}
    row |= {"answered_a_s": len(shoppers) / took_s, "sets": len(road.answers.sets) - sets}
    for name, pid in pids.items():
        row[f"{name}_cpu_ms"] = round(1e3 * (cpu_s(pid) - cpu[name]) / len(shoppers), 2)
    row |= await latencies(road, under_way)
    return [event_id for event_id, _ in under_way], row


async def latencies(road: Road, under_way: Sequence[tuple[str, Any]]) -> Row:
    """From each interaction's LogAppendTime to its set's."""
    appended = {event_id: (await future).timestamp / 1000 for event_id, future in under_way}
    await road.answered(list(appended))
    took = [road.answers.answered_s[event_id] - at_s for event_id, at_s in appended.items()]
    p50, p99 = (round(1e3 * float(q), 1) for q in np.percentile(took, (50, 99)))
    return {"n": len(took), "p50_ms": p50, "p99_ms": p99}


async def steady(road: Road, rate: float, seconds: float, shoppers: int) -> Row:
    """Interactions at a rate, by shoppers in turn."""
    under_way, started_s = [], time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, started_s + number / rate - time.perf_counter()))
        under_way.append(await act(road, int(road.random.integers(shoppers))))
    return await latencies(road, under_way)


async def arrivals(road: Road, rate: float, seconds: float) -> Row:
    """Shoppers whom nobody knows arrive at a rate: each is answered by what is trending."""
    under_way, started_s = [], time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, started_s + number / rate - time.perf_counter()))
        user_id = f"visitor-{number}"
        under_way.append(await road.publish("shopper.arrived", user_id, {"user_id": user_id}))
    return await latencies(road, under_way)


async def run(options: argparse.Namespace) -> list[Row]:
    """All measurements."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        async with Road(Path(name), products=options.products) as road:
            named = {"system": "lookstream", "shoppers": options.shoppers, "products": options.products}
            order = np.repeat(np.arange(options.shoppers), options.history)
            road.random.shuffle(order)
            _, first = await burst(road, order.tolist())
            rows.append(named | {"scenario": "first interactions, at once"} | first)
            for rate in options.rates:
                row = await steady(road, rate, options.seconds, options.shoppers)
                rows.append(named | {"scenario": f"{rate:g} events/s"} | row)
            row = await arrivals(road, 10.0, options.seconds)
            rows.append(named | {"scenario": "shopper.arrived, 10/s"} | row)
            order = road.random.integers(options.shoppers, size=options.events)
            _, last = await burst(road, order.tolist())
            rows.append(named | {"scenario": "saturation"} | last)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shoppers", type=int, default=200)
    parser.add_argument("--products", type=int, default=3000)
    parser.add_argument("--history", type=int, default=20, help="interactions of each shopper beforehand")
    parser.add_argument("--events", type=int, default=5000, help="at saturation")
    parser.add_argument("--rates", type=float, nargs="*", default=[20.0, 100.0], help="events a second")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each rate")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report(asyncio.run(run(options)), as_json=options.json)


if __name__ == "__main__":
    main()
