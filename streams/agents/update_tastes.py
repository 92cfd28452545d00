"""update-tastes: an interaction moves its shopper's taste; the only writer of tastes and revisions.

In: records of `interactions` and `taste-requests`, applied one at a time, keyed by user id. Out: the state in
the `tastes` table, then `taste.updated` on `tastes`; interactions with products that are not indexed yet go
to `waiting`. A redelivered event leaves the taste as it is and sends it again, so that nothing is lost
between the table and the topic.

What is applied counts as applied up to its offset, so events must be applied in the order of arrival. Their
products may be looked up before (`at_once`), and the topic's acknowledgement comes later: where it does not
come, the event is applied again, which is a redelivery like any other.
"""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, Final

from models.catalogue import NEVER
from models.catalogue import unpack as unpack_product
from models.taste import state
from models.taste.contributions import TasteSettings
from models.taste.shopper import (
    Act,
    GarmentSeen,
    Position,
    Shopper,
    acted,
    at,
    key_of,
    reembedded,
    unresolved,
)
from schemas import events
from schemas.cloudevents import Event, write_event
from schemas.errors import SchemaError, shape
from schemas.interactions import ProductInteraction, RecommendationsViewed, ShopperArrived
from schemas.recommendations import Through, Trigger
from schemas.requests import TasteHandedOver, TasteRequested
from schemas.tastes import TasteUpdated, pack
from streams.agents.erasure import Markers
from streams.agents.identities import Identities
from streams.agents.known_tastes import KnownTastes
from streams.agents.look_ahead import LookAhead
from streams.agents.wait_for_garments import KEY_HEADER, TICK, outside_headers
from streams.handling import Handling
from streams.record import Header, Record, murmur2_partition
from streams.side_by_side import Turn
from vectorstore.base import GarmentPoint, VectorStore

SOURCE: Final = "lookstream/update-tastes"
Popular = Callable[[int, str, str, float, float], None]
"""(partition, part, product id, weight, event time in s): one interaction counts for what is trending."""

Sent = Awaitable[None] | None
"""Waits until Kafka has what was sent; None where it has it already or there is nothing to send."""
Post = Callable[[str, bytes, bytes, Sequence[Header]], Awaitable[Sent]]
"""Puts a record of a topic in its place in the order of sending."""


class NotYetError(Exception):
    """The product of an interaction is not indexed yet."""


class UpdateTastes:
    """The agent.

    Args:
        table: user id → packed state, on the partition of the record in hand.
        partitions: how many partitions the shoppers' topics have.
        popular: told of every interaction that counts for what is trending.
        erasure_key: what the markers of erased users are hashed with; kept for `marker_s` seconds.
        post: sends tastes; by default each is acknowledged before the next is applied.
        known: remembers tastes; of its own where none is given.
    """

    def __init__(
        self,
        table: MutableMapping[bytes, bytes],
        store: VectorStore,
        embedder: str,
        settings: TasteSettings,
        handling: Handling,
        partitions: int,
        popular: Popular,
        erasure_key: bytes,
        marker_s: float,
        post: Post | None = None,
        known: KnownTastes | None = None,
    ) -> None:
        self.table, self.store, self.embedder, self.settings = table, store, embedder, settings
        self.handling, self.partitions, self.popular = handling, partitions, popular
        self.metrics, self.outbox, self.marker_s = handling.metrics, handling.outbox, marker_s
        self.known = known or KnownTastes(settings)
        self.post, self.ahead = post or self._sent, LookAhead(store)
        self.markers = Markers(table, erasure_key)
        self.identities = Identities(table, self.markers, settings, self.outbox, partitions, self._load)

    def partition_of(self, key: bytes) -> int:
        """The partition that a user id belongs to."""
        return murmur2_partition(key, self.partitions)

    async def handle(self, record: Record) -> None:
        """Apply one record; raises SchemaError where it is no event of the contract."""
        if (read := self._read(record)) is not None:
            sent = await self._apply(record, *read, ())
            if sent is not None:
                await sent

    async def at_once(self, record: Record, turn: Turn) -> None:
        """Apply one of many records in hand when it is its turn; raises nothing but cancellation."""
        self.handling.count_in(record)
        try:
            if (read := self._read(record)) is not None:
                await self._at_once(record, turn, *read)
        except Exception as error:
            await self.handling.bury(record, error)
        self.handling.progressed()

    async def _at_once(self, record: Record, turn: Turn, event: Event, data: Any) -> None:
        found: Sequence[GarmentPoint] = ()
        if isinstance(data, ProductInteraction):
            found = await self.ahead.garments(data.product_id)
        while True:
            async with turn.taken():
                sent = await self.handling.retried(lambda: self._apply(record, event, data, found), record)
            if sent is None or await self.handling.acknowledged(sent, record):
                return

    def _read(self, record: Record) -> tuple[Event, Any] | None:
        """The event and its data; None for a tick, which is dealt with."""
        requests = record.topic == "taste-requests"
        if requests and TICK in record.headers:
            self.markers.expire(record.partition, record.appended_at_s - self.marker_s)
            return None
        accepted = events.TASTE_REQUESTS if requests else events.INTERACTIONS
        return events.read(accepted, record.headers, record.value, record.key, record.appended_at)

    async def _apply(self, record: Record, event: Event, data: Any, ahead: Sequence[GarmentPoint]) -> Sent:
        """The taste is in the table when this returns, and on its way; what is returned waits for Kafka.

        `ahead` are the garments that were found before, none where they are to be looked up now.
        """
        key = data.user_id.encode()
        if (home := self.partition_of(key)) != record.partition:
            await self.outbox.send(record.topic, record.key, record.value, record.headers, home)
            return None  # another client's partitioner put it here; a shopper has one partition
        if await self.identities.dealt_with(event, data, record):
            return None
        with self.metrics.timed("taste"):
            try:
                shopper = await self._resolved(self._load(data.user_id))
                after = await self._applied(shopper, event, data, record, ahead)
            except NotYetError:
                # Kafka has it before anything later of the shopper is applied, after which it would pass
                # for applied when it is delivered again.
                headers = [*outside_headers(record), (KEY_HEADER, key)]
                await self.outbox.send("waiting", data.product_id.encode(), record.value, headers)
                return None
            if after is None:
                return None
            packed = state.pack(after)
            self.table[key] = packed
            self.known.keep(data.user_id, packed, after)
        return await self._send(packed, after.revision, event, data, record)

    async def _sent(self, topic: str, key: bytes, value: bytes, headers: Sequence[Header]) -> Sent:
        with self.metrics.timed("emit"):
            await self.outbox.send(topic, key, value, headers)
        return None

    def _load(self, user_id: str) -> Shopper:
        packed = self.table.get(user_id.encode())
        if packed is not None:
            return self.known.shopper(user_id, packed)
        marker = self.markers.get(user_id)
        return Shopper(self.embedder, revision=marker.revision if marker else 0)

    async def _resolved(self, shopper: Shopper) -> Shopper:
        """The shopper with embeddings of the embedder that runs now, as far as their garments are found."""
        wanted = unresolved(shopper, self.embedder)
        if not wanted:
            return shopper
        found = await self.store.fetch_products(sorted(wanted))
        embeddings = {point.garment_id: point.embedding for points in found.values() for point in points}
        return reembedded(shopper, self.embedder, embeddings, self.settings)

    async def _applied(
        self, shopper: Shopper, event: Event, data: Any, record: Record, ahead: Sequence[GarmentPoint]
    ) -> Shopper | None:
        """The shopper after the event, None where it asks for no answer."""
        position = Position(record.topic, record.partition, record.offset)
        if isinstance(data, TasteRequested):
            return at(shopper, position, None)
        if isinstance(data, TasteHandedOver):
            merged = await self.identities.merge(shopper, data, event)
            return at(await self._resolved(merged), position, None)
        event_key = key_of(event.source, event.id)
        if shopper.knows(position, event_key):
            return at(shopper, position, event_key)
        if isinstance(data, RecommendationsViewed):
            return None  # impressions say what was shown, not what is liked
        if isinstance(data, ShopperArrived):
            said = {
                name: value for name in ("gender", "age_group") if (value := getattr(data, name)) is not None
            }
            return at(replace(shopper, **said), position, event_key)
        assert isinstance(data, ProductInteraction)
        garments = await self._garments(data, ahead)
        act = Act(event_key, event.type, data.product_id, event.time.timestamp())
        after = acted(shopper, act, [_seen(point) for point in garments], self.settings)
        self._count_popular(act, garments, record.partition)
        return at(after, position, event_key)

    async def _garments(
        self, data: ProductInteraction, ahead: Sequence[GarmentPoint]
    ) -> Sequence[GarmentPoint]:
        """The garments that an interaction is about; none for a product that was removed meanwhile.

        Raises:
            NotYetError: the product is not indexed yet.
            SchemaError: the product has no garment of that id.
        """
        found = ahead or (await self.store.fetch_products([data.product_id])).get(data.product_id, ())
        if not found:
            held = (await self.store.get_records([data.product_id])).get(data.product_id)
            product = unpack_product(held)
            if product.visible or product.removed == NEVER:
                raise NotYetError(data.product_id)
            return ()
        if data.garment_id is not None:
            named = [point for point in found if point.garment_id == data.garment_id]
            if not named:
                have = ", ".join(point.garment_id for point in found[:5])
                raise SchemaError("garment_id", shape(data.garment_id), f"a garment of the product ({have})")
            return named
        worn = [point for point in found if point.payload["part"] != "whole"]
        return worn or found

    def _count_popular(self, act: Act, garments: Sequence[GarmentPoint], partition: int) -> None:
        weight = self.settings.weight(act.action)
        if weight > 0 and garments and act.action in self.settings.weights:
            for point in garments:
                share = weight / len(garments)
                self.popular(partition, point.payload["part"], act.product_id, share, act.event_time_s)

    async def _send(self, packed: bytes, revision: int, event: Event, data: Any, record: Record) -> Sent:
        requested = isinstance(data, (TasteRequested, TasteHandedOver))
        header = TasteUpdated(
            user_id=data.user_id,
            revision=revision,
            trigger=data.trigger if requested else Trigger(type=event.type, id=event.id, time=event.time),
            includes=[data.trigger.id if requested else event.id],
            oldest_appended_at_s=record.appended_at_s,
            through=Through(partition=record.partition, offset=record.offset),
            traceparent=event.traceparent,
        )
        update = Event(
            id=f"{data.user_id}:{revision}",
            source=SOURCE,
            type="taste.updated",
            time=event.time,
            subject=data.user_id,
            data=pack(header, packed),
        )
        headers, value = write_event(update)
        sent = await self.post("tastes", data.user_id.encode(), value, headers)
        self.metrics.events_out.labels("tastes", "taste.updated").inc()
        return sent


def _seen(point: GarmentPoint) -> GarmentSeen:
    return GarmentSeen(point.garment_id, point.payload["part"], point.embedding)
