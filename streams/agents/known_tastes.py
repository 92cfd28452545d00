"""Tastes that this worker has in hand: unpacked once, their interests made once.

In: packed states, and shoppers as update-tastes packs them. Out: shoppers, and the interests of their tastes,
as `models.taste.interests` makes them. Bounded. Fails with StateError for bytes that are no state. A state is
known by its very bytes, so nothing here is ever older than what is asked for; interests are made again only
where a taste has changed, whatever revision it has.
"""

from dataclasses import dataclass
from typing import Final

from models.taste import state
from models.taste.contributions import TasteSettings
from models.taste.interests import Interest, interests
from models.taste.shopper import Shopper

MAX_CONTRIBUTIONS: Final = 65_536
"""Of all tastes that are kept: some 0.8 KB each, and a shopper has 64 of them at most by default."""


@dataclass(slots=True)
class _Known:
    packed: bytes
    shopper: Shopper
    digest: int | None = None
    interests: tuple[Interest, ...] = ()


class KnownTastes:
    """Tastes by user id, of the shoppers asked for last."""

    def __init__(self, settings: TasteSettings, most: int = MAX_CONTRIBUTIONS) -> None:
        self.settings, self._most, self._held = settings, most, 0
        self._known: dict[str, _Known] = {}  # asked for last comes last

    def shopper(self, user_id: str, packed: bytes) -> Shopper:
        """The shopper in a packed state; raises StateError."""
        return self._read(user_id, packed).shopper

    def interests(self, user_id: str, packed: bytes) -> tuple[Interest, ...]:
        """The interests of the taste in a packed state; raises StateError."""
        return self._interested(user_id, packed).interests

    def digest(self, user_id: str, packed: bytes) -> int:
        """A hash of all that those interests are made of; it differs from run to run. Raises StateError."""
        return self._interested(user_id, packed).digest or 0

    def newest(self, user_id: str, packed: bytes, revision: int) -> bytes:
        """The packed state, or that of a higher revision if it is here already."""
        held = self._known.get(user_id)
        return held.packed if held is not None and held.shopper.revision > revision else packed

    def keep(self, user_id: str, packed: bytes, shopper: Shopper) -> None:
        """Know a shopper by the bytes that it was packed to."""
        before = self._known.get(user_id)
        known = _Known(packed, shopper)
        if before is not None and before.digest is not None and before.digest == _digest(shopper):
            known.digest, known.interests = before.digest, before.interests
        self.forget(user_id)
        self._known[user_id] = known
        self._held += _weight(known)
        while self._held > self._most and len(self._known) > 1:
            self.forget(next(iter(self._known)))

    def forget(self, user_id: str) -> None:
        """Keep nothing of a shopper."""
        held = self._known.pop(user_id, None)
        if held is not None:
            self._held -= _weight(held)

    def _read(self, user_id: str, packed: bytes) -> _Known:
        held = self._known.get(user_id)
        if held is None or held.packed != packed:
            self.keep(user_id, packed, state.unpack(packed))
        else:
            self._known[user_id] = self._known.pop(user_id)
        return self._known[user_id]

    def _interested(self, user_id: str, packed: bytes) -> _Known:
        known = self._read(user_id, packed)
        if known.digest is None:
            known.digest = _digest(known.shopper)
            known.interests = interests(known.shopper.taste, self.settings)
        return known


def _weight(known: _Known) -> int:
    return 1 + len(known.shopper.taste.contributions)


def _digest(shopper: Shopper) -> int:
    taste = shopper.taste
    forgotten = taste.forgotten and (taste.forgotten.as_of_s, taste.forgotten.positive_weight)
    contributions = tuple((c.event_key, c.garment_id, c.scale) for c in taste.contributions)
    return hash((shopper.embedder, contributions, forgotten))
