"""`lookstream publish`: feeds onto Kafka, with what became of every entry.

In: settings and a source. Out: a summary on stdout (a line, or JSON), each failed entry on stderr as it is
found, a progress bar where stderr is a terminal; 0 when all was delivered, 1 when an entry failed. What can
fail as a whole, before anything is sent: FeedUnreadable, SettingsError, KafkaUnreachable, TopicMissing.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from schemas.errors import SchemaError
from streams.feeds import (
    FeedError,
    FeedIgnored,
    FeedItem,
    FeedUnreadable,
    read_interactions,
    read_product_events,
)
from streams.kafka.producer import DeliveryError, EventTooLarge, InteractionPublisher, ProductPublisher
from streams.kafka.publisher import Publisher
from streams.settings import Settings

_DELIVERY_TIMEOUT_S: Final = 60.0
_FLUSH_TIMEOUT_S: Final = 75.0  # longer, so that every event is known to have arrived or failed


def publish_products(settings: Settings, source: Path, *, rate: float | None, as_json: bool) -> int:
    """Publish a folder of photos or a product feed, at most `rate` events a second; returns the exit code."""
    pace = None if rate is None else Pace(rate)
    items = read_product_events(source, media_root=settings.media_dir)
    publisher = ProductPublisher(**settings.kafka_client(), delivery_timeout_s=_DELIVERY_TIMEOUT_S)
    return _publish(publisher, items, source, pace, as_json)


def publish_interactions(settings: Settings, file: Path, *, rate: float | None, as_json: bool) -> int:
    """Publish a file of interactions, at most `rate` events a second; returns the exit code."""
    pace = None if rate is None else Pace(rate)
    items = read_interactions(file)
    publisher = InteractionPublisher(**settings.kafka_client(), delivery_timeout_s=_DELIVERY_TIMEOUT_S)
    return _publish(publisher, items, file, pace, as_json)


@dataclass(slots=True)
class _Summary:
    sent: int = 0
    ignored: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)

    def fail(self, item: str, reason: str) -> None:
        self.failed.append({"item": item, "reason": reason})
        tqdm.write(f"failed: {item}: {reason}", file=sys.stderr)


def _publish(
    publisher: Publisher, items: Iterable[FeedItem], source: Path, pace: "Pace | None", as_json: bool
) -> int:
    summary, begun_s = _Summary(), time.monotonic()
    with publisher:
        # disable=None: the bar appears only where stderr is a terminal.
        for item in tqdm(items, desc=publisher.topic_name, unit=" events", disable=True if as_json else None):
            _take(item, publisher, pace, summary)
        try:
            publisher.close(_FLUSH_TIMEOUT_S)
        except DeliveryError as error:
            for event in error.failed:
                summary.sent -= 1
                summary.fail(f"event {event.event_id} of {event.key}", event.reason)
    if not (summary.sent or summary.ignored or summary.failed):
        raise FeedUnreadable(f"{source}: nothing in it to publish")
    _report(summary, publisher.topic_name, time.monotonic() - begun_s, as_json)
    return 1 if summary.failed else 0


def _take(item: FeedItem, publisher: Publisher, pace: "Pace | None", summary: _Summary) -> None:
    if isinstance(item, FeedError):
        summary.fail(item.place, item.reason)
    elif isinstance(item, FeedIgnored):
        summary.ignored += 1
    else:
        if pace is not None:
            pace.wait()
        try:
            publisher.send(item.event)
            summary.sent += 1
        except (SchemaError, EventTooLarge) as error:
            summary.fail(item.place, str(error))


def _report(summary: _Summary, topic_name: str, seconds: float, as_json: bool) -> None:
    if as_json:
        result: dict[str, Any] = {"published": summary.sent, "failed": summary.failed}
        print(json.dumps(result | {"ignored": summary.ignored, "seconds": round(seconds, 3)}))
        return
    more = f", {len(summary.failed)} failed" if summary.failed else ""
    more += f", {summary.ignored} entries mean nothing to lookstream" if summary.ignored else ""
    print(f"{summary.sent} events on {topic_name} in {seconds:.1f} s{more}")


class Pace:
    """Lets at most `rate` steps a second through, evenly; raises ValueError unless that is above 0."""

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not rate > 0:
            raise ValueError(f"rate: got {rate:g}, expected events a second, more than 0")
        self._step_s, self._clock, self._sleep = 1.0 / rate, clock, sleep
        self._next_s = clock()

    def wait(self) -> None:
        """Return when the next step is due. Time lost is not made up for by a burst."""
        now_s = self._clock()
        if now_s < self._next_s:
            self._sleep(self._next_s - now_s)
        self._next_s = max(self._next_s, now_s) + self._step_s
