"""A shopper: taste, exclusions, profile, and how far the shopper's events were applied. Pure.

In: what an interaction meant (action, product, garments, time, position in its partition). Out: the next
`Shopper`. An event already applied, by position or by id, leaves all but the revision as it was.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.taste.codes import quantise
from models.taste.contributions import Contribution, Taste, TasteSettings, add, merge, strong_enough
from models.taste.exclusions import most_bytes, product_key, union, unit_time_s

MAX_EXCLUDED: Final = 1000
MAX_SEEN: Final = 200
MAX_RECENT_EVENTS: Final = 256
MAX_ALIASES_BYTES: Final = 1024
STATE_BYTES: Final = 32_000
"""Most bytes of a packed state for embeddings of up to 512 numbers; for longer ones in proportion."""
_OTHER_BYTES: Final = 1400 + MAX_ALIASES_BYTES + 8 * MAX_RECENT_EVENTS


class Position(NamedTuple):
    """Where an event lies: its topic, partition and offset."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class GarmentSeen:
    """A garment of the product that was interacted with; embedding (D,) unit float32."""

    garment_id: str
    part: str
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Act:
    """What a shopper did: an action on a product at an event time (unix seconds), under an event's key."""

    event_key: int
    action: str
    product_id: str
    event_time_s: float


@dataclass(frozen=True, slots=True)
class Shopper:
    """Everything kept about a shopper, the value in the `tastes` table.

    Attributes:
        revision: grows with every answer, never falls.
        embedder: name of the embedder whose embeddings the taste holds.
        seen, bought, dismissed: product key → newest event time (s, in whole units); the newest 200 and
            1,000 each.
        applied: (topic, partition) → last applied offset.
        recent: keys of the last applied events, oldest first, against duplicates under new offsets.
        aliases: anonymous ids whose tastes were merged into this one, the last merged last.
        forward_to: the user that this anonymous id turned out to be; late events go there.
    """

    embedder: str
    revision: int = 0
    taste: Taste = field(default_factory=Taste)
    seen: Mapping[int, int] = field(default_factory=dict)
    bought: Mapping[int, int] = field(default_factory=dict)
    dismissed: Mapping[int, int] = field(default_factory=dict)
    gender: str | None = None
    age_group: str | None = None
    applied: Mapping[tuple[str, int], int] = field(default_factory=dict)
    recent: tuple[int, ...] = ()
    aliases: tuple[str, ...] = ()
    forward_to: str | None = None

    @property
    def excluded(self) -> list[int]:
        """Product keys that no set may hold: bought, dismissed, just seen."""
        return sorted({*self.seen, *self.bought, *self.dismissed})

    def knows(self, position: Position, event_key: int | None) -> bool:
        """Whether an event was applied before: its position was passed, or its id is among the recent."""
        passed = self.applied.get((position.topic, position.partition), -1) >= position.offset
        return passed or (event_key is not None and event_key in self.recent)


def key_of(*texts: str) -> int:
    """A 63-bit key of texts, for events and groups."""
    digest = hashlib.blake2b("\x00".join(texts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def acted(shopper: Shopper, act: Act, garments: Iterable[GarmentSeen], settings: TasteSettings) -> Shopper:
    """The shopper after an interaction with a product whose garments share its weight.

    `garments` may be empty (a product that was removed meanwhile): then only the exclusions change.
    """
    found = tuple(garments)
    share = float(np.float32(settings.weight(act.action) / max(1, len(found))))
    shopper = _excluding(shopper, act)
    new = [_contribution(act, garment, share) for garment in found]
    return replace(shopper, taste=add(shopper.taste, new, settings, _room_bytes(shopper, new)))


def at(shopper: Shopper, position: Position, event_key: int | None) -> Shopper:
    """The shopper with a new revision, having applied the event at `position`."""
    place = (position.topic, position.partition)
    last = shopper.applied.get(place, -1)
    applied = {**shopper.applied, place: max(position.offset, last)}
    recent = shopper.recent
    if event_key is not None and event_key not in recent and position.offset > last:
        recent = (*recent, event_key)[-MAX_RECENT_EVENTS:]
    return replace(shopper, revision=shopper.revision + 1, applied=applied, recent=recent)


def merged(user: Shopper, anonymous: Shopper, alias: str, settings: TasteSettings) -> Shopper:
    """The user with an anonymous id's taste: the union of both; merging it again changes nothing.

    Of more aliases than fit, the first merged are let go.
    """
    other = anonymous.taste
    if alias in user.aliases:  # sums are in already, theirs and of what fell out; they have no ids to tell
        other = Taste(strong_enough(user.taste, other.contributions, settings))
    aliases = user.aliases if alias in user.aliases else (*user.aliases, alias)
    both = replace(
        user,
        seen=union(user.seen, anonymous.seen, MAX_SEEN),
        bought=union(user.bought, anonymous.bought, MAX_EXCLUDED),
        dismissed=union(user.dismissed, anonymous.dismissed, MAX_EXCLUDED),
        gender=user.gender or anonymous.gender,
        age_group=user.age_group or anonymous.age_group,
        aliases=_last_that_fit(aliases),
    )
    room_bytes = _room_bytes(both, other.contributions)
    return replace(both, taste=merge(user.taste, other, settings, room_bytes))


def unresolved(shopper: Shopper, embedder: str) -> set[str]:
    """Products whose embeddings a taste lacks: all of another embedder's, else those not found before."""
    other = shopper.embedder != embedder
    return {c.product_id for c in shopper.taste.contributions if other or c.scale == 0.0}


def reembedded(
    shopper: Shopper,
    embedder: str,
    embeddings: Mapping[str, NDArray[np.float32]],
    settings: TasteSettings,
) -> Shopper:
    """The shopper with what `embeddings` (by garment id) has of the contributions; the rest waits (scale 0).

    Sums of what was forgotten belong to the other embedder and go.
    """
    same = shopper.embedder == embedder
    rebuilt = []
    for c in shopper.taste.contributions:
        embedding = embeddings.get(c.garment_id)
        if same and c.scale != 0.0:
            rebuilt.append(c)
        elif embedding is None:
            rebuilt.append(replace(c, codes=np.zeros(0, np.int8), scale=0.0))
        else:
            codes, scale = quantise(embedding)
            rebuilt.append(replace(c, codes=codes, scale=scale))
    old = shopper.taste
    taste = Taste(tuple(rebuilt), old.forgotten if same else None, old.floor)
    room_bytes = _room_bytes(shopper, rebuilt)  # embeddings of the new embedder may be longer
    return replace(shopper, embedder=embedder, taste=add(taste, (), settings, room_bytes))


def _contribution(act: Act, garment: GarmentSeen, weight: float) -> Contribution:
    codes, scale = quantise(garment.embedding)
    return Contribution(
        act.event_key,
        act.product_id,
        garment.garment_id,
        garment.part,
        act.action,
        act.event_time_s,
        weight,
        codes,
        scale,
    )


def _excluding(shopper: Shopper, act: Act) -> Shopper:
    new = {product_key(act.product_id): unit_time_s(act.event_time_s)}
    match act.action:
        case "product.purchased":
            return replace(shopper, bought=union(shopper.bought, new, MAX_EXCLUDED))
        case "product.dismissed":
            return replace(shopper, dismissed=union(shopper.dismissed, new, MAX_EXCLUDED))
        case _:
            return replace(shopper, seen=union(shopper.seen, new, MAX_SEEN))


def _last_that_fit(aliases: Sequence[str]) -> tuple[str, ...]:
    room_bytes, kept = MAX_ALIASES_BYTES, 0
    for alias in reversed(aliases):
        room_bytes -= 2 + len(alias.encode())
        if room_bytes < 0:
            break
        kept += 1
    return tuple(aliases[len(aliases) - kept :])


def _room_bytes(shopper: Shopper, new: Sequence[Contribution]) -> int:
    """What the contributions may take of a packed state, beside what all else takes at most.

    Exclusions only grow in number, and so the room only shrinks: the same in any order of events.
    """
    held = (*shopper.taste.contributions, *new)
    dim = max((len(c.codes) for c in held), default=0)
    if shopper.taste.forgotten is not None:
        dim = max(dim, len(shopper.taste.forgotten.positive))
    sums_bytes = 8 * dim + 24
    excluded = (shopper.seen, shopper.bought, shopper.dismissed)
    excluded_bytes = sum(most_bytes(len(keys)) for keys in excluded)
    return STATE_BYTES * max(dim, 512) // 512 - _OTHER_BYTES - sums_bytes - excluded_bytes
