"""Who is who: anonymous tastes handed over, late events forwarded, users erased.

In: `user.identified`, `user.erased` and the requests that follow from them, each on the partition of the id
that it is about. Out: changed rows of the `tastes` table, requests to the other id's partition, and the
records that say so. Every step may be repeated.
"""

import base64
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from typing import Final

from models.taste import state
from models.taste.contributions import TasteSettings
from models.taste.shopper import Shopper, merged
from schemas.cloudevents import Event
from schemas.interactions import UserIdentified
from schemas.recommendations import Trigger
from schemas.requests import ErasureRequested, HandoverRequested, TasteHandedOver
from streams.agents.erasure import Marker, Markers
from streams.agents.wait_for_garments import ERASE
from streams.record import Outbox, Record, send_event

SOURCE: Final = "lookstream/update-tastes"
FORWARDED: Final = "forwardedfrom"
"""CloudEvents extension: the anonymous id that an event was forwarded from; it is forwarded once."""


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

    async def ask_for_taste(self, data: UserIdentified, event: Event) -> None:
        """On the user's partition: ask the anonymous id's partition for its taste."""
        request = HandoverRequested(
            user_id=data.anonymous_id, to_user_id=data.user_id, trigger=_trigger(event)
        )
        await self._request("taste.handover_requested", request, event)

    async def hand_over(self, data: HandoverRequested, event: Event) -> None:
        """On the anonymous id's partition: hand the taste over, and forward what comes late from now on."""
        key = data.user_id.encode()
        packed = self.table.get(key)
        shopper = self.load(data.user_id)
        if shopper.forward_to != data.to_user_id:
            self.table[key] = state.pack(replace(shopper, forward_to=data.to_user_id))
        handed = TasteHandedOver(
            user_id=data.to_user_id,
            from_user_id=data.user_id,
            state=None if packed is None else base64.b64encode(packed),
            trigger=data.trigger,
        )
        await self._request("taste.handed_over", handed, event)

    def merge(self, shopper: Shopper, data: TasteHandedOver) -> Shopper:
        """On the user's partition: the union of both. The user is not forwarded anywhere any more."""
        anonymous = Shopper(shopper.embedder) if data.state is None else state.unpack(data.state)
        if anonymous.embedder != shopper.embedder:
            anonymous = replace(anonymous, taste=Shopper(shopper.embedder).taste)
        return replace(merged(shopper, anonymous, data.from_user_id, self.settings), forward_to=None)

    async def forward(self, to_user_id: str, from_user_id: str, event: Event) -> None:
        """Send an anonymous id's late event on as the user's own, under its own id, source and time."""
        forwarded = replace(
            event,
            subject=to_user_id if event.subject == from_user_id else event.subject,
            data={**event.data, "user_id": to_user_id},
            extensions={**event.extensions, FORWARDED: from_user_id},
        )
        await send_event(self.outbox, "interactions", to_user_id, forwarded)

    async def erase(self, user_id: str, event: Event, record: Record) -> None:
        """On the user's partition: nothing but the marker stays, and everyone who holds something is told."""
        key = user_id.encode()
        shopper = self.load(user_id)
        for alias in shopper.aliases:
            request = ErasureRequested(user_id=alias, trigger=_trigger(event))
            await self._request("taste.erasure_requested", request, event)
        held = self.markers.get(user_id)
        revision = max(shopper.revision, held.revision if held else 0) + 1
        self.markers.put(user_id, Marker(event.time.timestamp(), revision))
        self.table.pop(key, None)
        for partition in range(self.partitions):
            await self.outbox.send("waiting", None, key, [ERASE], partition)
        erased = Event(
            id=f"erased:{event.source}:{event.id}"[:1024],
            source=SOURCE,
            type="taste.erased",
            time=event.time,
            subject=user_id,
            data={"user_id": user_id},
        )
        await send_event(self.outbox, "tastes", user_id, erased)
        await self.outbox.send("tastes", key, None)

    async def _request(
        self, kind: str, data: HandoverRequested | TasteHandedOver | ErasureRequested, cause: Event
    ) -> None:
        event = Event(
            id=f"{kind}:{cause.source}:{cause.id}"[:1024],
            source=SOURCE,
            type=kind,
            time=cause.time,
            subject=data.user_id,
            data=data.model_dump(mode="json"),
        )
        await send_event(self.outbox, "taste-requests", data.user_id, event)


def _trigger(event: Event) -> Trigger:
    return Trigger(type=event.type, id=event.id, time=event.time)
