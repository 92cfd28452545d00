"""What is trending, across all partitions: the compacted topic `trending` as shared, soft state.

In: interactions counted by update-tastes, and the topic itself. Out: the topic, at most once a second per
part and partition, and the popular products of all partitions together. A crash may lose the last second's
counts: popularity is a statistic, unlike tastes.
"""

import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from models.taste.trending import Popularity, counted, log2_sum, summed
from schemas.cloudevents import Event, parse_json, write_event
from streams.record import Outbox

log = logging.getLogger(__name__)
HALF_LIFE_S: Final = 86_400.0
Place = tuple[int, str]


class Trending:
    """Popularity by (partition, part): what the topic says, and what was counted here since."""

    def __init__(self) -> None:
        self._known: dict[Place, Popularity] = {}
        self._offsets: dict[Place, int] = {}
        self._counted: dict[Place, Popularity] = {}

    def read(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Take in a record of the topic; one that is none of ours is logged and ignored."""
        try:
            place = (partition, (key or b"").decode())
            popularity = {} if value is None else _popularity(value)
        except ValueError as error:
            log.warning("trending/%s@%s ignored: %s", partition, offset, error)
            return
        if offset > self._offsets.get(place, -1):
            self._offsets[place] = offset
            self._known[place] = popularity

    def count(self, partition: int, part: str, product_id: str, weight: float, event_time_s: float) -> None:
        """Count one interaction."""
        held = self._counted.setdefault((partition, part), {})
        added = counted(weight, event_time_s, HALF_LIFE_S)
        held[product_id] = log2_sum(held.get(product_id, -math.inf), added)

    def popular(self) -> Popularity:
        """All products by popularity, most popular first, over all partitions and parts."""
        return summed([*self._known.values(), *self._counted.values()])

    async def flush(self, outbox: Outbox) -> None:
        """Write what was counted since the last flush."""
        for place in list(self._counted):
            added = self._counted.pop(place)
            merged = summed([self._known.get(place, {}), added])
            try:
                await self._write(outbox, place, merged)
            except BaseException:
                self._counted[place] = summed([self._counted.get(place, {}), added])
                raise
            self._known[place] = merged  # at once: the next flush may come before the topic says so

    async def _write(self, outbox: Outbox, place: Place, popularity: Mapping[str, float]) -> None:
        partition, part = place
        now = datetime.now(UTC)
        event = Event(
            id=f"{part}:{partition}:{now.timestamp()}",
            source="lookstream/update-tastes",
            type="trending.updated",
            time=now,
            subject=part,
            data={"part": part, "half_life_s": HALF_LIFE_S, "popularity": popularity},
        )
        headers, value = write_event(event)
        await outbox.send("trending", part.encode(), value, headers, partition)


def _popularity(value: bytes) -> Popularity:
    """The popularity in a record's value; raises ValueError."""
    parsed = parse_json(value)
    popularity = parsed.get("popularity") if isinstance(parsed, dict) else None
    if not isinstance(popularity, dict) or not all(
        isinstance(number, (int, float)) and math.isfinite(number) for number in popularity.values()
    ):
        raise ValueError("popularity: expected an object of finite numbers")
    return {product_id: float(number) for product_id, number in popularity.items()}
