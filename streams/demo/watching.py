"""What comes back in the demo: sets and garments, read from Kafka as any frontend would.

In: Kafka's address. Out: the newest set per shopper and when which event was answered. One thread reads; the
others wait on a condition, never for a fixed time.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from schemas.errors import SchemaError
from schemas.events import GARMENT_EVENTS, RECOMMENDATIONS, read
from schemas.recommendations import RecommendationSet


class Watcher:
    """Reads `recommendations`, `garments` and `dead-letters` from now on; a context manager."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.sets: dict[str, RecommendationSet] = {}
        self.answered: dict[str, float] = {}
        self.indexed: dict[str, float] = {}
        self.dead = 0
        self._consumer = KafkaConsumer(**config, group_id=None, enable_auto_commit=False)
        topics = ("recommendations", "garments", "dead-letters")
        partitions = [
            TopicPartition(t, p) for t in topics for p in self._consumer.partitions_for_topic(t) or ()
        ]
        self._consumer.assign(partitions)
        self._consumer.seek_to_end(*partitions)
        for partition in partitions:  # a seek is lazy: without this, what comes now could be passed over
            self._consumer.position(partition)
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True, name="watcher")
        self._thread.start()

    def wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `done()`, which is asked after every record; False when the time is up first."""
        with self._changed:
            return self._changed.wait_for(done, timeout_s)

    def close(self) -> None:
        """End the reader."""
        self._stopping.set()
        self._thread.join(timeout=5.0)
        self._consumer.close()

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        while not self._stopping.is_set():
            for records in self._consumer.poll(timeout_ms=200).values():
                with self._changed:
                    for record in records:
                        self._take_in(record)
                    self._changed.notify_all()

    def _take_in(self, record: Any) -> None:
        if record.topic == "dead-letters":
            self.dead += 1
            return
        if record.value is None:
            return
        accepted = RECOMMENDATIONS if record.topic == "recommendations" else GARMENT_EVENTS
        appended_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        try:
            event, data = read(accepted, record.headers, record.value, record.key, appended_at)
        except SchemaError:
            return
        now_s = time.monotonic()
        if isinstance(data, RecommendationSet):
            held = self.sets.get(data.user_id)
            if held is None or held.revision < data.revision:
                self.sets[data.user_id] = data
            for event_id in data.includes:
                self.answered.setdefault(event_id, now_s)
        elif event.type == "garments.indexed":
            self.indexed.setdefault(data.product_id, now_s)
