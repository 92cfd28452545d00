"""The gateway in front of a MemoryShop, in one process: no Kafka, no socket, no worker.

In: uploads and interactions of the shop, requests. Out: answers, event streams, and what the gateway sent.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
from memory_shop import ColourEyes, MemoryShop

from models.photo import Photo
from models.vision import Garment
from schemas.cloudevents import write_event
from streams.gateway.app import serve
from streams.gateway.core import Gateway
from streams.gateway.identity import Tokens
from streams.gateway.problems import unavailable
from streams.gateway.sending import Accepted, Outgoing
from streams.gateway.shelf import Batch, Shelf
from streams.record import Record
from streams.settings import Settings

T = TypeVar("T")
SECRET = b"a secret of thirty-two bytes, no less"
READ = ("recommendations", "tastes", "garments")


class MemorySender:
    """Sends into the shop's topics. `away`: Kafka acknowledges nothing."""

    def __init__(self, shop: MemoryShop) -> None:
        self.shop, self.away = shop, False
        self.sent: list[Outgoing] = []

    async def send(self, events: Sequence[Outgoing]) -> list[Accepted]:
        await self.check()
        placed = []
        for one in events:
            headers, value = write_event(one.event)
            record = self.shop.topics.append(one.topic, one.key.encode(), value, headers)
            placed.append(Accepted(one.event.id, one.topic, record.partition, record.offset))
        self.sent += events
        return placed

    async def check(self) -> None:
        if self.away:
            raise unavailable("Kafka did not acknowledge")


class ColourVision:
    """ColourEyes without its event loop."""

    detector, embedder, dim = ColourEyes.detector, ColourEyes.embedder, 8

    def garments(self, photos: Sequence[Photo]) -> list[list[Garment]]:
        return [ColourEyes()._of(photo) for photo in photos]


class GatewayShop:
    """`shop` is the MemoryShop; `sync` brings what happened in it to the gateway."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        seeing = {"vision": "looks"} | settings  # the shop's garments have parts
        self.settings = Settings(data_dir=folder, media_root=folder / "media", **seeing)
        self.settings.media_dir.mkdir(parents=True, exist_ok=True)
        self.shop = MemoryShop()
        self.shop.topics.clock_s = time.time()
        self.sender, self.tokens = MemorySender(self.shop), Tokens(secret=SECRET)
        self.runner = asyncio.Runner()
        self.open()

    def open(self) -> None:
        """A gateway on the shelf as it is."""
        self.shelf = Shelf(self.folder / "shelf")
        self.gateway = Gateway(
            self.settings, self.shop.store, self.shelf, self.sender, self.tokens, ColourVision
        )
        self.app = serve(self.gateway)
        transport = httpx.ASGITransport(app=self.app, client=("127.0.0.1", 5000))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    def close(self) -> None:
        """End the gateway."""
        self.run(self.client.aclose())
        self.run(self.gateway.stop())
        self.shelf.close()

    def restart(self) -> None:
        """Another gateway in its place."""
        self.close()
        self.open()

    def __enter__(self) -> GatewayShop:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run on the gateway's loop."""
        return self.runner.run(coroutine)

    def sync(self) -> None:
        """Let the agents finish, and the gateway read what they said."""
        self.shop.pump()
        for topic in READ:
            self.read(topic)

    def read(self, topic: str, most: int | None = None) -> None:
        """Let the gateway read a topic from where its shelf left off, at most so many records."""
        fresh: dict[int, list[Record]] = defaultdict(list)
        for record in self.shop.topics.of(topic):
            if record.offset >= (self.shelf.next_offset(topic, record.partition) or 0):
                fresh[record.partition].append(record)
        records = [record for of_one in fresh.values() for record in of_one][:most]
        if records:
            self.run(self._take_in(topic, records))

    async def _take_in(self, topic: str, records: Sequence[Record]) -> None:
        known: Any = {
            "recommendations": self.gateway.sets,
            "tastes": self.gateway.tastes,
            "garments": self.gateway.rows,
        }[topic]
        batch = Batch()
        await known.take_in(records, batch)
        for record in records:
            batch.next_offset(topic, record.partition, record.offset + 1)
        self.shelf.write(batch)
        if topic != "tastes":
            known.written()

    def token(self, user_id: str | None = None, *scopes: str, seconds: float = 60.0) -> str:
        """A token; of a shopper that may read and write, unless scopes are given."""
        return self.tokens.signed(user_id, scopes or ("subscribe", "produce"), seconds)[0]

    def get(self, path: str, user_id: str | None = None, **headers: str) -> httpx.Response:
        """GET, with a shopper's token if one is named."""
        return self.run(self.client.get(path, headers=self._headers(user_id, headers)))

    def post(self, path: str, body: Any, token: str | None = None, **headers: str) -> httpx.Response:
        """POST JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json"} | _named(headers)
        if token is not None:
            given["authorization"] = f"Bearer {token}"
        raw = {name: text.encode("latin-1") for name, text in given.items()}
        return self.run(self.client.post(path, content=content, headers=raw))

    def stream(self, user_id: str, **headers: str) -> Stream:
        """Subscribe to a shopper, with that shopper's token."""
        return Stream(self, user_id, self._headers(user_id, headers))

    def _headers(self, user_id: str | None, headers: dict[str, str]) -> dict[str, str]:
        own = {} if user_id is None else {"authorization": f"Bearer {self.token(user_id)}"}
        return own | _named(headers)


class Stream:
    """An event stream as its client sees it."""

    def __init__(self, shop: GatewayShop, user_id: str, headers: dict[str, str]) -> None:
        self._shop, self._bytes, self.status = shop, b"", 0
        path = f"/v1/shoppers/{user_id}/recommendations/stream"
        pairs = {"host": "localhost"} | headers
        scope = {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.lower().encode(), text.encode()) for name, text in pairs.items()],
            "client": ("127.0.0.1", 5000),
        }
        self.reading, self._gone = asyncio.Event(), asyncio.Event()
        self.reading.set()
        self.answer: dict[str, str] = {}
        self._task = shop.run(self._begin(scope))
        self.until(lambda _: self._bytes or self.ended)

    async def _begin(self, scope: Any) -> asyncio.Task[None]:
        return asyncio.create_task(self._shop.app(scope, self._receive, self._send))

    async def _receive(self) -> Any:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.answer = {name.decode(): text.decode() for name, text in message["headers"]}
        else:
            await self.reading.wait()
            self._bytes += message["body"]

    def until(
        self, done: Callable[[list[dict[str, str]]], Any], seconds: float = 20.0
    ) -> list[dict[str, str]]:
        """The events so far, once `done` says so; AssertionError when it never does."""

        async def wait() -> None:
            async with asyncio.timeout(seconds):
                while not done(self.events()):  # noqa: ASYNC110 (the loop turns)
                    await asyncio.sleep(0.001)

        try:
            self._shop.run(wait())
        except TimeoutError:
            raise AssertionError(f"not in {self.events()}") from None
        return self.events()

    def settle(self) -> list[dict[str, str]]:
        """The events that there are once nothing more is under way."""

        async def turn() -> None:
            for _ in range(20):
                await asyncio.sleep(0)

        self._shop.run(turn())
        return self.events()

    def events(self) -> list[dict[str, str]]:
        """Fields of each event so far, comments and `retry` aside."""
        frames = [frame for frame in self._bytes.decode().split("\n\n") if "data: " in frame]
        return [dict(line.split(": ", 1) for line in frame.split("\n")) for frame in frames]

    def ids(self) -> list[int]:
        """Revisions of the sets so far."""
        return [int(event["id"]) for event in self.settle() if event["event"] == "recommendations.updated"]

    @property
    def raw(self) -> bytes:
        """Everything received."""
        return self._bytes

    @property
    def ended(self) -> bool:
        """Whether the gateway has ended the stream."""
        return self._task.done()

    def leave(self) -> None:
        """Disconnect."""
        self._gone.set()
        self.reading.set()
        self._shop.run(asyncio.wait_for(self._task, 10))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): text for name, text in headers.items()}
