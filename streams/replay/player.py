"""A recording played through the agents themselves, without Kafka: the same sets each time, byte for byte.

In: a `Recording` and `ReplaySettings`. Out: every set in the order in which it was made, and what each was
made of to whoever watches. Nothing is sent anywhere: `interactions` and `taste-requests` hold what followed
from earlier records (released and forwarded events, handed over tastes, requests of other agents), so they
are replayed as they were and what the agents would send there is dropped.

Time is the broker's: a product is there from its `garments.indexed` (in the shop a moment earlier) to its
`garments.removed`, with the garments it had in the end; one whose uploads are older than the recording is
there from the beginning. Popularity is counted anew, and so are tastes: what happened before the first record
is not known. The shop answers several tastes of one shopper with one set; here each has its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from models.taste.contributions import TasteSettings
from models.taste.ranking import RankingSettings
from models.taste.state import StateError
from schemas import events
from schemas.errors import SchemaError
from schemas.recommendations import ModelNames, RecommendationSet
from streams.agents.popular import PopularGarments
from streams.agents.recommend import Composed, Recommend
from streams.agents.update_tastes import UpdateTastes
from streams.handling import Handling
from streams.metrics import Metrics
from streams.record import Header, Record
from streams.replay.recording import Recording, Shop
from streams.replay.snapshot import Snapshot
from streams.rule_book import RuleBook
from streams.trending import Trending
from vectorstore.base import GarmentPoint, InvalidRequest, VectorStore

_FOREVER_S: Final = 1e12
_SAID: Final = ("title", "link", "price")
Watch = Callable[[Composed, RecommendationSet], None]


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """What a recording is played with."""

    name: str
    taste: TasteSettings
    ranking: RankingSettings


def recorded_settings(shop: Shop) -> ReplaySettings:
    """What the shop itself was run with."""
    return ReplaySettings("as recorded", shop.taste, shop.ranking)


@dataclass
class _Sent:
    """What the agents sent since it was last taken, by topic."""

    by_topic: dict[str, list[tuple[bytes | None, bytes | None, tuple[Header, ...]]]] = field(
        default_factory=dict
    )

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> None:
        self.by_topic.setdefault(topic, []).append((key, value, tuple(headers)))

    def take(self, topic: str) -> list[tuple[bytes | None, bytes | None, tuple[Header, ...]]]:
        return self.by_topic.pop(topic, [])


@dataclass(frozen=True, slots=True)
class Played:
    """A set as `recommendations` would hold it, and the place in the recording of what it answers."""

    place: int
    packed: bytes


def play(recording: Recording, settings: ReplaySettings, watch: Watch | None = None) -> list[Played]:
    """All sets, in order; their times are the broker's of what they answer."""
    return asyncio.run(_Player(recording, settings, watch).play())


class _Player:
    def __init__(self, recording: Recording, settings: ReplaySettings, watch: Watch | None) -> None:
        self.recording, self.watch = recording, watch
        self.shelf, self.trending, self.rules = Snapshot(), Trending(), RuleBook()
        self.sent, self.now_s = _Sent(), 0.0
        self.composed: list[Composed] = []
        self.garments: dict[str, list[GarmentPoint]] = {}
        for point in recording.garments:
            self.garments.setdefault(point.product_id, []).append(point)
        shop, handling = recording.shop, self._handling()
        store = cast(VectorStore, self.shelf)  # the agents only ask it
        self.update = UpdateTastes(
            {},
            store,
            shop.embedder,
            settings.taste,
            handling,
            partitions=shop.partitions,
            popular=self.trending.count,
            erasure_key=b"replay",
            marker_s=_FOREVER_S,
        )
        self.recommend = Recommend(
            store,
            PopularGarments(store, self.trending),
            ModelNames(detector=shop.detector, embedder=shop.embedder),
            settings.taste,
            settings.ranking,
            handling,
            clock=lambda: self.now_s,
            rules=lambda: self.rules.current,
            watch=self.composed.append,
        )

    def _handling(self) -> Handling:
        return Handling("replay", self.sent, Metrics(), permanent=(StateError, InvalidRequest))

    async def play(self) -> list[Played]:
        self._open()
        sets: list[Played] = []
        for place, record in enumerate(self.recording.records):
            self.now_s = record.appended_at_s
            if record.topic == "garments":
                self._garments(record)
            elif record.topic == "rules":
                self.rules.read(record)
            else:
                await self.update.handling.one(record, self.update.handle)
                sets += [Played(place, packed) for packed in await self._answered(record)]
        return sets

    def _open(self) -> None:
        """Put on the shelf what was there before the recording's first word about it."""
        first: dict[str, str] = {}
        for record in self.recording.records:
            if record.topic == "garments" and (said := _said(record)) is not None:
                first.setdefault(said[1].product_id, said[0])
        for product_id, points in self.garments.items():
            if first.get(product_id) != "garments.indexed":
                self.shelf.show(product_id, points)

    def _garments(self, record: Record) -> None:
        said = _said(record)
        if said is None:
            return
        kind, data = said
        if kind == "garments.removed":
            self.shelf.hide(data.product_id)
            return
        if kind == "garments.indexed":
            self.shelf.show(data.product_id, self.garments.get(data.product_id, ()))
        changes = {name: value for name, value in data.model_dump(mode="json").items() if name in _SAID}
        changes |= {"availability": data.availability, "in_stock": int(data.availability == "in_stock")}
        self.shelf.change(data.product_id, changes | {"product_image": data.image_link})

    async def _answered(self, cause: Record) -> list[bytes]:
        """The sets of the tastes that an event led to."""
        for key, value, headers in self.sent.take("tastes"):
            taste = Record("tastes", cause.partition, 0, key, value, headers, self.now_s)
            await self.recommend.handle([taste])
        sets = [
            value
            for _, value, headers in self.sent.take("recommendations")
            if value is not None and ("ce_type", b"recommendations.updated") in headers
        ]
        if self.watch is not None:
            for composed, packed in zip(self.composed, sets, strict=True):
                self.watch(composed, RecommendationSet.model_validate_json(packed))
        self.composed.clear()
        self.sent.by_topic.clear()
        return sets


def _said(record: Record) -> tuple[str, Any] | None:
    """Type and data of an event on `garments`; None for what is none."""
    try:
        event, data = events.read(
            events.GARMENT_EVENTS, record.headers, record.value, record.key, record.appended_at
        )
    except SchemaError:
        return None
    return event.type, data
