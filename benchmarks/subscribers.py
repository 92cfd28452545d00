"""How long a set takes from the topic to its subscribers, thousands of them at once.

In: how many subscribers, at which rates sets are produced. Out: a table, or with --json `{"machine": …,
"rows": […]}`: milliseconds from a set's LogAppendTime (the broker's clock, cut to whole milliseconds, so up
to 1 ms too much is told) to its last byte at the subscriber, p50 and p99; how many sets came, of how many;
CPU time and memory of the gateway. Kafka, Qdrant, the shopper's worker and the gateway are the real ones, in
their own processes; so are the subscribers' TCP connections, which one process holds.

Example: python benchmarks/subscribers.py --subscribers 2000 --rate 200 --seconds 20
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import uvloop
from running import Road, Row, cpu_s, machine

from schemas.cloudevents import Event, write_event
from schemas.recommendations import recommendation_id
from streams.gateway.identity import open_tokens

ITEMS: Final = 24
OPENING: Final = 50
Seen = dict[tuple[str, int], float]


class Subscriber(asyncio.Protocol):
    """One event stream: notes when each set was complete (unix seconds)."""

    def __init__(self, user_id: str, token: str, host: str, seen: Seen) -> None:
        self._user_id, self._seen, self._buffer = user_id, seen, b""
        path = f"/v1/shoppers/{user_id}/recommendations/stream"
        self._request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        self.begun = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        transport.write(self._request.encode())

    def data_received(self, data: bytes) -> None:
        now_s = time.time()
        self._buffer += data
        *frames, self._buffer = self._buffer.split(b"\n\n")
        for frame in frames:
            if b"HTTP/1.1" in frame and b" 200 " not in frame[:20]:
                raise RuntimeError(frame[:300].decode())
            if not self.begun.done():
                self.begun.set_result(None)
            at = frame.find(b"id: ")
            if at >= 0 and b"recommendations.updated" in frame:
                revision = int(frame[at + 4 : frame.index(b"\n", at)])
                self._seen[self._user_id, revision] = now_s


async def subscribe(address: str, tokens: dict[str, str], told: Connection) -> None:
    """Hold a stream per token; say so when all have begun, and at the end what was seen."""
    where, seen, opening = urlsplit(address), Seen(), asyncio.Semaphore(OPENING)
    loop = asyncio.get_running_loop()

    async def one(user_id: str, token: str) -> None:
        async with opening:
            _, protocol = await loop.create_connection(
                lambda: Subscriber(user_id, token, where.netloc, seen), where.hostname, where.port
            )
            await protocol.begun

    started_s = time.perf_counter()
    await asyncio.gather(*(one(user_id, token) for user_id, token in tokens.items()))
    told.send(time.perf_counter() - started_s)
    await loop.run_in_executor(None, told.recv)  # that it is over
    told.send(seen)


def subscribers(address: str, tokens: dict[str, str], told: Connection) -> None:
    """The subscribers' process."""
    uvloop.run(subscribe(address, tokens, told))


def a_set(user_id: str, revision: int, products: Sequence[str], random: np.random.Generator) -> Event:
    """A set as `recommend` sends it: 24 items with reasons, about 12 kB."""
    now = datetime.now(UTC)
    chosen = random.choice(len(products), 2 * ITEMS, replace=False).tolist()
    items = [
        {
            "rank": rank,
            "product_id": products[one],
            "garment_id": "6d5f1509-67c0-53a4-b9d7-323d9b05a3fc",
            "part": "upper",
            "category": "shirts",
            "score": 0.731234,
            "slot": "taste",
            "box_xyxy": [12.5, 40.0, 310.0, 420.5],
            "title": f"A garment of some length {one}",
            "link": f"https://shop.example/{products[one]}",
            "image_link": f"{products[one]}.jpg",
            "price": {"value": 49.9, "currency": "EUR"},
            "because": {
                "product_id": products[other],
                "garment_id": "6d5f1509-67c0-53a4-b9d7-323d9b05a3fc",
                "action": "product.viewed",
                "share": 0.4132,
            },
        }
        for rank, (one, other) in enumerate(zip(chosen[:ITEMS], chosen[ITEMS:], strict=True), 1)
    ]
    data = {
        "user_id": user_id,
        "recommendation_id": recommendation_id(user_id, revision),
        "revision": revision,
        "generated_at": now.isoformat(),
        "strategy": "taste",
        "trigger": {"type": "product.viewed", "id": "e", "time": now.isoformat()},
        "includes": ["e"],
        "through": {"partition": 0, "offset": 1},
        "latency_ms": 20.0,
        "model": {"detector": "d", "embedder": "e"},
        "items": items,
    }
    return Event(data["recommendation_id"], "benchmark", "recommendations.updated", now, data, user_id)


class Producing:
    """Sets of the shoppers in turn, and when the broker appended each (unix seconds)."""

    def __init__(self, road: Road, users: Sequence[str]) -> None:
        self._road, self._users, self._sent, self._waiting = road, users, 0, list[Any]()
        self.appended_s: Seen = {}

    async def send(self, count: int, rate: float | None) -> None:
        """So many sets, so many a second; None: as fast as the broker takes them."""
        started_s = time.perf_counter()
        for number in range(count):
            user_id = self._users[self._sent % len(self._users)]
            revision = 1 + self._sent // len(self._users)
            self._sent += 1
            headers, value = write_event(a_set(user_id, revision, self._road.products, self._road.random))
            send = self._road.producer.send("recommendations", value, user_id.encode(), headers=headers)
            self._waiting.append((user_id, revision, await send))
            if rate is not None:
                await asyncio.sleep(max(0.0, started_s + (number + 1) / rate - time.perf_counter()))
        for user_id, revision, future in self._waiting:
            self.appended_s[user_id, revision] = (await future).timestamp / 1000
        self._waiting.clear()


async def measure(arguments: argparse.Namespace, directory: Path) -> list[Row]:
    """Every scenario in turn, each with new connections."""
    async with Road(directory, products=1000) as road:
        gateway = await road._run("gateway", "gateway")
        tokens = open_tokens(road.settings)
        users = [f"shopper-{number}" for number in range(arguments.subscribers)]
        signed = {user_id: tokens.signed(user_id, ["subscribe"], 3600)[0] for user_id in users}
        assert gateway.ready is not None
        assert gateway.process is not None
        producing = Producing(road, users)
        rows = []
        for rate in (*arguments.rate, None):
            count = len(users) if rate is None else round(rate * arguments.seconds)
            row = await scenario(str(gateway.ready["gateway"]), signed, producing, count, rate, gateway)
            rows.append(row)
        return rows


async def scenario(
    address: str, signed: dict[str, str], producing: Producing, count: int, rate: float | None, gateway: Any
) -> Row:
    """One rate."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=subscribers, args=(address, signed, theirs))
    process.start()
    opened_s = await asyncio.to_thread(ours.recv)
    producing.appended_s.clear()
    cpu_before_s = cpu_s(gateway.process.pid)
    await producing.send(count, rate)
    await asyncio.sleep(2.0)
    gateway_cpu_s = cpu_s(gateway.process.pid) - cpu_before_s
    ours.send("over")
    seen: Seen = await asyncio.to_thread(ours.recv)
    process.join()
    delays_ms = [1e3 * (seen[key] - at_s) for key, at_s in producing.appended_s.items() if key in seen]
    p50, p99 = np.percentile(delays_ms, [50, 99])
    return {
        "system": "lookstream gateway",
        "scenario": f"{len(signed)} subscribers, "
        + (f"{rate:g} sets/s" if rate else "a set for each at once"),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "came": len(delays_ms),
        "of": count,
        "opened_s": round(opened_s, 1),
        "gateway_cpu_ms_a_set": round(1e3 * gateway_cpu_s / count, 2),
        "gateway_rss_mb": _rss_mb(gateway.process.pid),
    }


def _rss_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subscribers", type=int, default=2000)
    parser.add_argument("--rate", type=float, nargs="*", default=[100.0, 400.0], help="sets a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long at each rate")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        rows = asyncio.run(measure(arguments, Path(directory)))
    if arguments.json:
        print(json.dumps({"machine": machine(), "rows": rows}))
        return
    print(f"{machine()}\n{' '.join(sys.argv)}")
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items() if name != "system"))


if __name__ == "__main__":
    main()
