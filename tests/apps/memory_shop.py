"""Both apps' agents in one process without Kafka: topics are lists, the vector store is brute force.

In: events published as producers would, or raw records. Out: what each topic, the index and the tables hold.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.photo import Photo
from models.taste import state
from models.taste.contributions import TasteSettings
from models.taste.ranking import RankingSettings
from models.taste.shopper import Shopper
from models.vision import Garment
from schemas.cloudevents import Event, write_event
from schemas.events import GARMENT_EVENTS, RECOMMENDATIONS, read
from schemas.recommendations import ModelNames, RecommendationSet
from schemas.tastes import TasteUpdated, unpack
from streams.agents.index_garments import IndexGarments, UnusablePhotoError
from streams.agents.popular import PopularGarments
from streams.agents.recommend import Recommend
from streams.agents.update_tastes import UpdateTastes
from streams.agents.wait_for_garments import FullError, WaitForGarments
from streams.dead_letters import reason
from streams.handling import Handling
from streams.media import MediaError, MediaUnavailable
from streams.metrics import Metrics
from streams.record import Record, murmur2_partition
from streams.trending import Trending
from vectorstore.base import (
    Embedding,
    GarmentFilter,
    GarmentPoint,
    GarmentQuery,
    Hit,
    InvalidRequest,
    Payload,
    StoreInfo,
    TasteHit,
    TastePoint,
    VectorStoreUnavailable,
)
from vectorstore.checked import CheckedStore
from vectorstore.filters import forbidden, most_similar, newest_first, required

DIM = 8
PARTITIONS = 4
EMBEDDER = "colours-1"
MODEL = ModelNames(detector="fake-1", embedder=EMBEDDER)
NOW_S = 1_790_000_000.0
DAY_S = 86_400.0
SOURCE = "test"


class BruteStore(CheckedStore):
    """A vector store in memory. `away`: how many more calls find it unavailable."""

    def __init__(self) -> None:
        super().__init__(EMBEDDER, DIM)
        self.points: dict[str, GarmentPoint] = {}
        self.records: dict[str, bytes] = {}
        self.tastes: dict[str, TastePoint] = {}
        self.away = 0
        self.calls: list[str] = []

    def of(self, product_id: str) -> list[GarmentPoint]:
        """The product's garments, by image and box."""
        found = [p for p in self.points.values() if p.product_id == product_id]
        return sorted(found, key=lambda p: (p.payload["image"], p.payload["part"] != "whole"))

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.away > 0:
            self.away -= 1
            raise VectorStoreUnavailable("away")

    async def count(self) -> int:
        return len(self.points)

    async def info(self) -> StoreInfo:
        return StoreInfo("brute", self._model, self._dim, len(self.points), None)

    async def close(self) -> None:
        pass

    async def _replace_product(self, product_id: str, garments: Sequence[GarmentPoint]) -> None:
        self._called("replace_product")
        await self._delete_product(product_id)
        self.points |= {garment.garment_id: garment for garment in garments}

    async def _fetch_products(self, product_ids: Sequence[str]) -> list[GarmentPoint]:
        self._called("fetch_products")
        return [point for point in self.points.values() if point.product_id in product_ids]

    async def _query(self, queries: Sequence[GarmentQuery], with_embeddings: bool) -> list[list[Hit]]:
        self._called("query")
        return [
            most_similar(
                [
                    _hit(p, float(p.embedding @ query.embedding), p.embedding if with_embeddings else None)
                    for p in self._passing(query)
                ],
                query.k,
                lambda hit: hit.garment_id,
            )
            for query in queries
        ]

    async def _newest(self, k: int, wanted: GarmentFilter) -> list[Hit]:
        self._called("newest")
        return newest_first([_hit(point, 0.0, None) for point in self._passing(wanted)], k)

    def _passing(self, wanted: GarmentFilter) -> list[GarmentPoint]:
        def holds(point: GarmentPoint, condition: Any) -> bool:
            value = point.payload.get(condition.field)
            return condition.or_missing if value is None else value in condition.values

        return [
            point
            for point in self.points.values()
            if all(holds(point, condition) for condition in required(wanted))
            and not any(holds(point, condition) for condition in forbidden(wanted))
        ]

    async def _update_payload(self, product_id: str, changes: Payload) -> int:
        self._called("update_payload")
        found = self.of(product_id)
        for point in found:
            payload = {k: v for k, v in (point.payload | changes).items() if v is not None}
            self.points[point.garment_id] = replace(point, payload=payload)
        return len(found)

    async def _delete_product(self, product_id: str) -> int:
        self._called("delete_product")
        found = self.of(product_id)
        for point in found:
            del self.points[point.garment_id]
        return len(found)

    async def _get_records(self, product_ids: Sequence[str]) -> dict[str, bytes]:
        self._called("get_records")
        return {pid: self.records[pid] for pid in product_ids if pid in self.records}

    async def _put_records(self, records: dict[str, bytes]) -> None:
        self._called("put_records")
        self.records |= records

    async def _replace_tastes(self, tastes: Mapping[str, Sequence[TastePoint]]) -> None:
        for user_id, points in tastes.items():
            await self._delete_tastes(user_id)
            self.tastes |= {point.taste_id: point for point in points}

    async def _nearest_tastes(
        self, embedding: Embedding, k: int, parts: frozenset[str] | None
    ) -> list[TasteHit]:
        hits = [
            TasteHit(t.taste_id, t.user_id, float(t.embedding @ embedding), dict(t.payload))
            for t in self.tastes.values()
            if parts is None or t.payload["part"] in parts
        ]
        return most_similar(hits, k, lambda hit: hit.taste_id)

    async def _delete_tastes(self, user_id: str) -> int:
        found = [taste_id for taste_id, taste in self.tastes.items() if taste.user_id == user_id]
        for taste_id in found:
            del self.tastes[taste_id]
        return len(found)


def _hit(point: GarmentPoint, similarity: float, embedding: Embedding | None) -> Hit:
    return Hit(point.garment_id, point.product_id, similarity, dict(point.payload), embedding)


class MemoryMedia:
    """Photos by link; `data:` links hold their photo's name. `unavailable`: links that may come back."""

    def __init__(self) -> None:
        self.photos: dict[str, bytes] = {}
        self.unavailable: set[str] = set()

    async def fetch(self, image_link: str) -> bytes:
        if image_link in self.unavailable:
            raise MediaUnavailable(f"image_link: {image_link} cannot be read now")
        if image_link.startswith("data:"):
            return bytes.fromhex(image_link.partition(",")[2])
        if image_link not in self.photos:
            raise MediaError(f"image_link: no file {image_link!r}")
        return self.photos[image_link]

    def store_inline(self, data: bytes) -> str:
        reference = f"inline/{hashlib.sha256(data).hexdigest()}.png"
        self.photos[reference] = data
        return reference


def picture(red: int, green: int, blue: int) -> bytes:
    """A small PNG of one colour."""
    encoded = io.BytesIO()
    Image.new("RGB", (8, 8), (red, green, blue)).save(encoded, "PNG")
    return encoded.getvalue()


BLIND_TO = (1, 2, 3)
"""The colour at the sight of which the vision fails."""


def embedding_of(colour: NDArray[Any], part: str) -> NDArray[np.float32]:
    """The direction of a colour, turned a little by the part."""
    values = np.zeros(DIM, np.float32)
    values[:3] = (np.asarray(colour, np.float32) + 1.0) / 256.0
    values[3 + ["whole", "upper", "lower"].index(part)] = 0.05
    return values / np.linalg.norm(values)


class ColourEyes:
    """A vision that sees a photo's colour: a whole garment each, and an upper or lower where `detects`."""

    detector, embedder = MODEL.detector, MODEL.embedder

    def __init__(self, detects: str | None = "upper") -> None:
        self.detects, self.batches = detects, 0

    async def garments(self, photos: Sequence[Photo]) -> list[list[Garment]]:
        self.batches += 1
        await asyncio.sleep(0)
        return [self._of(photo) for photo in photos]

    def _of(self, photo: Photo) -> list[Garment]:
        colour = photo.pixels[0, 0]
        if tuple(int(c) for c in colour) == BLIND_TO:
            raise RuntimeError("this photo cannot be seen")
        parts = ["whole", *([self.detects] if self.detects else [])]
        box = (0.0, 0.0, float(photo.source_width), float(photo.source_height))
        return [Garment(part, None, box, 0.9, embedding_of(colour, part)) for part in parts]  # type: ignore[arg-type]


@dataclass
class Topics:
    """Kafka in a dict: an outbox whose records get partitions, offsets and a LogAppendTime."""

    clock_s: float = NOW_S
    log: list[Record] = field(default_factory=list)
    failures: int = 0
    _ends: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Any = (),
        partition: int | None = None,
    ) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise ConnectionError("no broker")
        self.append(topic, key, value, headers, partition)

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Any = (),
        partition: int | None = None,
    ) -> Record:
        at = murmur2_partition(key or b"", PARTITIONS) if partition is None else partition
        offset = self._ends[(topic, at)]
        self._ends[(topic, at)] = offset + 1
        self.clock_s += 0.001
        record = Record(topic, at, offset, key, value, tuple(headers), self.clock_s)
        self.log.append(record)
        return record

    def of(self, topic: str) -> list[Record]:
        return [record for record in self.log if record.topic == topic]


async def _no_pause(seconds: float) -> None:
    await asyncio.sleep(0)


class MemoryShop:
    """The four agents between upload, click and set. `pump` delivers what was not delivered yet."""

    def __init__(self, detects: str | None = "upper", length: int = 24) -> None:
        self.topics, self.store, self.media = Topics(), BruteStore(), MemoryMedia()
        self.eyes, self.metrics, self.trending = ColourEyes(detects), Metrics(), Trending()
        self.tastes_table: dict[bytes, bytes] = {}
        self.waiting_table: dict[bytes, bytes] = {}
        self.settings = TasteSettings()
        self.delivered = 0
        self.index = IndexGarments(self.store, self.media, self.eyes, self._handling("index"), self._now)
        self.update = update_tastes(self.tastes_table, self.store, self._handling("update"), self.trending)
        self.wait = WaitForGarments(self.waiting_table, self.store, 7 * DAY_S, self._handling("wait"))
        self.recommend = Recommend(
            self.store,
            PopularGarments(self.store, self.trending),
            MODEL,
            self.settings,
            RankingSettings(length=length),
            self._handling("recommend"),
            self._now,
        )

    def _now(self) -> float:
        return self.topics.clock_s

    def _handling(self, agent: str) -> Handling:
        return Handling(
            agent,
            self.topics,
            self.metrics,
            unavailable=(VectorStoreUnavailable,),
            passing=(MediaUnavailable,),
            permanent=(UnusablePhotoError, InvalidRequest, state.StateError, FullError),
            pause=_no_pause,
        )

    def publish(
        self,
        topic: str,
        kind: str,
        data: Mapping[str, Any],
        event_id: str | None = None,
        time_s: float | None = None,
        key: str | None = None,
        partition: int | None = None,
    ) -> Record:
        """Append an event; its id is its number unless given."""
        of = data.get("id") if topic == "product-events" else data.get("user_id")
        event = Event(
            event_id or f"e{len(self.topics.log)}",
            SOURCE,
            kind,
            datetime.fromtimestamp(self.topics.clock_s if time_s is None else time_s, UTC),
            dict(data),
            subject=str(of),
        )
        headers, value = write_event(event)
        return self.topics.append(topic, str(key or of).encode(), value, headers, partition)

    def upload(self, product_id: str, colour: tuple[int, int, int] | None = None, **fields: Any) -> Record:
        """Publish an upload whose photo has a colour."""
        data = {"id": product_id, "image_link": f"{product_id}.png"} | fields
        if colour is not None:
            self.media.photos[f"{product_id}.png"] = picture(*colour)
        return self.publish("product-events", "product.uploaded", data)

    def act(self, kind: str, user_id: str, product_id: str | None = None, **more: Any) -> Record:
        """Publish an interaction; `event_id`, `time_s` and `partition` as in `publish`."""
        placed = {name: more.pop(name) for name in ("event_id", "time_s", "partition", "key") if name in more}
        data = {"user_id": user_id} | ({"product_id": product_id} if product_id else {}) | more
        return self.publish("interactions", kind, data, **placed)

    def pump(self, until: Callable[[], bool] = lambda: False) -> None:
        """Deliver records one by one, in the order in which they were appended, until nothing is new."""
        asyncio.run(self._pump(until))

    async def _pump(self, until: Callable[[], bool]) -> None:
        while self.delivered < len(self.topics.log) and not until():
            record = self.topics.log[self.delivered]
            self.delivered += 1
            await self.deliver(record)

    async def deliver(self, record: Record) -> None:
        """Give a record to every agent that reads its topic."""
        match record.topic:
            case "product-events":
                await self.index.handle([record])
            case "interactions" | "taste-requests":
                await self.update.handling.one(record, self.update.handle)
            case "waiting":
                await self.wait.handling.one(record, self.wait.handle)
            case "garments":
                await self.wait.handling.one(record, self.wait.handle)
            case "tastes":
                await self.recommend.handle([record])

    def again(self, record: Record) -> None:
        """Deliver a record once more, as after a crash, and what follows from it."""
        asyncio.run(self.deliver(record))
        self.pump()

    def sets(self, user_id: str | None = None) -> list[RecommendationSet]:
        """All sets sent, of one shopper or of all."""
        found = []
        for record in self.topics.of("recommendations"):
            _, data = read(RECOMMENDATIONS, record.headers, record.value, record.key, record.appended_at)
            if user_id in (None, data.user_id):
                found.append(data)
        return found

    def answer(self, kind: str, user_id: str, product_id: str | None = None, **more: Any) -> Any:
        """Publish an interaction and return the last set that includes it."""
        record = self.act(kind, user_id, product_id, **more)
        self.pump()
        event_id = dict(record.headers)["ce_id"].decode()
        return [answer for answer in self.sets(user_id) if event_id in answer.includes][-1]

    def shopper(self, user_id: str) -> Shopper:
        """The state in the table."""
        return state.unpack(self.tastes_table[user_id.encode()])

    def said(self) -> list[tuple[str, Any]]:
        """(type, data) of all events on `garments`."""
        found = []
        for record in self.topics.of("garments"):
            event, data = read(GARMENT_EVENTS, record.headers, record.value, record.key, record.appended_at)
            found.append((event.type, data))
        return found

    def tastes(self) -> list[TasteUpdated]:
        """The headers of all tastes sent."""
        return [unpack(record.value or b"")[0] for record in self.topics.of("tastes")]

    def dead(self) -> list[tuple[Record, dict[str, str]]]:
        """(record, reason) of all dead letters."""
        return [(record, reason(record.headers)) for record in self.topics.of("dead-letters")]

    def measured(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        return sum(
            sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


def update_tastes(
    table: dict[bytes, bytes], store: BruteStore, handling: Handling, trending: Trending
) -> UpdateTastes:
    """The agent as the shopper app builds it."""
    return UpdateTastes(
        table,
        store,
        EMBEDDER,
        TasteSettings(),
        handling,
        partitions=PARTITIONS,
        popular=trending.count,
        erasure_key=b"k" * 32,
        marker_s=30 * DAY_S,
    )


def inline(photo: bytes) -> str:
    """A link that holds its photo, as MemoryMedia reads it."""
    return f"data:image/png;base64,{photo.hex()}"


def body(record: Record) -> dict[str, Any]:
    """The data of an event."""
    return dict(json.loads(record.value or b"{}"))
