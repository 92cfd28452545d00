"""Who is who: anonymous tastes handed over, late events forwarded, users erased.

In: events and requests, each on the partition of the id that it is about. Out: changed rows of the `tastes`
table, requests to the other id's partition, and the records that say so. Every step may be repeated, in any
order with the steps of other ids. What has wandered from id to id too often stays where it is: ids that are
said to be each other must not send it round for ever.
"""

import base64
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from models.taste import state
from models.taste.contributions import TasteSettings
from models.taste.shopper import Position, Shopper, key_of, merged, reembedded
from schemas.cloudevents import Event
from schemas.interactions import UserErased, UserIdentified
from schemas.recommendations import Trigger
from schemas.requests import ErasureRequested, HandoverRequested, TasteHandedOver, TasteRequested
from streams.agents.erasure import Marker, Markers
from streams.agents.wait_for_garments import ERASE
from streams.record import Outbox, Record, send_event

SOURCE: Final = "lookstream/update-tastes"
HOPS: Final = "lookstreamhops"
"""CloudEvents extension: how often an event was sent on from an id to the one that it turned out to be."""
MAX_HOPS: Final = 4


class Identities:
    """Handover, forwarding and erasure for update-tastes."""

    def __init__(
        self,
        table: MutableMapping[bytes, bytes],
        markers: Markers,
        settings: TasteSettings,
        outbox: Outbox,
        partitions: int,
        load: Callable[[str], Shopper],
    ) -> None:
        self.table, self.markers, self.settings = table, markers, settings
        self.outbox, self.partitions, self.load = outbox, partitions, load

    async def dealt_with(self, event: Event, data: Any, record: Record) -> bool:
        """Whether the event was about who is who, or is nobody's here any more, and needs no more doing."""
        if isinstance(data, (UserErased, ErasureRequested)):
            await self.erase(data.user_id, event, record)
            return True
        marker = self.markers.get(data.user_id)
        if marker is not None and event.time.timestamp() <= marker.erased_at_s:
            await self._too_late(data, replace(event, time=datetime.fromtimestamp(marker.erased_at_s, UTC)))
            return True
        match data:
            case UserIdentified():
                await self._ask_for_taste(data, event)
                return True
            case HandoverRequested():
                await self._hand_over(data, event)
                return True
            case TasteRequested() if data.user_id.encode() not in self.table:
                return True  # asked for before an erasure that came first
        return await self._sent_on(event, data, record)

    async def merge(self, shopper: Shopper, data: TasteHandedOver, event: Event) -> Shopper:
        """On the user's partition: the union of both. The user is not sent on to the other any more."""
        anonymous = Shopper(shopper.embedder) if data.state is None else state.unpack(data.state)
        if anonymous.embedder != shopper.embedder:
            anonymous = reembedded(anonymous, shopper.embedder, {}, self.settings)
        after = merged(shopper, anonymous, data.from_user_id, self.settings)
        for alias in sorted({*shopper.aliases, data.from_user_id} - {*after.aliases}):
            await self._ask_erasure(alias, event)  # an erasure of the user could not reach it any more
        return replace(after, forward_to=None)

    async def erase(self, user_id: str, event: Event, record: Record) -> None:
        """On the user's partition: nothing but the marker stays, and everyone who holds something is told."""
        key, shopper, held = user_id.encode(), self.load(user_id), self.markers.get(user_id)
        erased_at_s = event.time.timestamp()
        if held is not None and erased_at_s <= held.erased_at_s and shopper.revision > held.revision:
            return  # said again: what is here now began after it
        for alias in shopper.aliases:
            await self._ask_erasure(alias, event)
        revision = max(shopper.revision, held.revision if held else 0) + 1
        self.markers.put(user_id, Marker(erased_at_s, revision, record.appended_at_s), record.partition)
        # Written before it is deleted: the changelog hears of the deletion even when it is done again.
        self.table[key] = state.pack(Shopper(shopper.embedder))
        self.table.pop(key)
        for partition in range(self.partitions):
            await self.outbox.send("waiting", None, key, [ERASE], partition)
        erased = _event("taste.erased", event, user_id, {"user_id": user_id})
        await send_event(self.outbox, "tastes", user_id, erased)
        await self.outbox.send("tastes", key, None)

    async def _too_late(self, data: Any, erasure: Event) -> None:
        """An event from before the erasure, replayed, late or released from waiting, counts for nothing.

        If it names an anonymous id of the erased user, that was not known yet and is erased as well.
        """
        if isinstance(data, TasteHandedOver):
            await self._ask_erasure(data.from_user_id, erasure)
        elif isinstance(data, UserIdentified):
            await self._ask_erasure(data.anonymous_id, erasure)

    async def _ask_for_taste(self, data: UserIdentified, event: Event) -> None:
        """On the user's partition: ask the anonymous id's partition for its taste."""
        asked = HandoverRequested(user_id=data.anonymous_id, to_user_id=data.user_id, trigger=_trigger(event))
        await self._request("taste.handover_requested", asked, event)

    async def _hand_over(self, data: HandoverRequested, event: Event) -> None:
        """On the anonymous id's partition: hand the taste over, and send on what comes late from now on."""
        key = data.user_id.encode()
        packed, shopper = self.table.get(key), self.load(data.user_id)
        if shopper.forward_to != data.to_user_id:
            after = replace(shopper, forward_to=data.to_user_id, revision=shopper.revision + 1)
            self.table[key] = state.pack(after)
        handed = TasteHandedOver(
            user_id=data.to_user_id,
            from_user_id=data.user_id,
            state=None if packed is None else base64.b64encode(packed),
            trigger=data.trigger,
        )
        await self._request("taste.handed_over", handed, event)
        await self.outbox.send("tastes", key, None)  # the id has no taste of its own any more

    async def _sent_on(self, event: Event, data: Any, record: Record) -> bool:
        """Whether this id turned out to be another one, to which the event was sent on."""
        packed, hops = self.table.get(data.user_id.encode()), _hops(event)
        to_user_id = None if packed is None else state.forward_to(packed)
        if to_user_id is None or hops >= MAX_HOPS:
            return False
        extensions = {**event.extensions, HOPS: str(hops + 1)}
        if isinstance(data, TasteHandedOver):
            if data.from_user_id == to_user_id:
                return False  # the other one says that it is this one: then this one stays
            handed = data.model_copy(update={"user_id": to_user_id})
            await self._request("taste.handed_over", handed, replace(event, extensions=extensions))
        elif record.topic == "interactions":
            position = Position(record.topic, record.partition, record.offset)
            if self.load(data.user_id).knows(position, key_of(event.source, event.id)):
                return True  # it is part of the taste that was handed over
            subject = to_user_id if event.subject == data.user_id else event.subject
            sent = {**event.data, "user_id": to_user_id}
            on = replace(event, subject=subject, data=sent, extensions=extensions)
            await send_event(self.outbox, "interactions", to_user_id, on)
        return True

    async def _ask_erasure(self, user_id: str, event: Event) -> None:
        request = ErasureRequested(user_id=user_id, trigger=_trigger(event))
        await self._request("taste.erasure_requested", request, event)

    async def _request(
        self, kind: str, data: HandoverRequested | TasteHandedOver | ErasureRequested, cause: Event
    ) -> None:
        request = _event(kind, cause, data.user_id, data.model_dump(mode="json"))
        await send_event(self.outbox, "taste-requests", data.user_id, request)


def _event(kind: str, cause: Event, user_id: str, data: dict[str, Any]) -> Event:
    """An event of ours; its id follows from its cause's, so that said twice it is one."""
    hops = cause.extensions.get(HOPS)
    return Event(
        id=f"{kind}:{cause.source}:{cause.id}"[:1024],
        source=SOURCE,
        type=kind,
        time=cause.time,
        subject=user_id,
        data=data,
        extensions={} if hops is None else {HOPS: hops},
    )


def _trigger(event: Event) -> Trigger:
    return Trigger(type=event.type, id=event.id, time=event.time)


def _hops(event: Event) -> int:
    text = event.extensions.get(HOPS, "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
