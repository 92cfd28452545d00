"""`lookstream erase`: a user forgotten, and the confirmation waited for.

In: a user id. Out: `user.erased` on `interactions`, acknowledged, and what was confirmed. Exit codes: 0
confirmed, 1 sent but not confirmed in time (it will be, once the shopper app runs). Fails with SchemaError
for what is no user id, KafkaUnreachable and TopicMissing.
"""

import json
import sys
import time
from contextlib import closing
from typing import Final

from streams.kafka.producer import InteractionPublisher
from streams.kafka.reading import TopicRanges
from streams.settings import Settings

TOPIC: Final = "recommendations"
_ACKNOWLEDGED_WITHIN_S: Final = 30.0
_POLL_MS: Final = 200


def erase(settings: Settings, user_id: str, *, timeout_s: float, as_json: bool) -> int:
    """Publish `user.erased` of a user and wait `timeout_s` for `shopper.erased`; returns an exit code."""
    config = settings.kafka_client()
    begun_s = time.monotonic()
    with InteractionPublisher(**config) as publisher, closing(TopicRanges(config)) as sets:
        sets.seek_to_end(TOPIC)
        delivery = publisher.publish("user.erased", {"user_id": user_id})
        delivery.result(_ACKNOWLEDGED_WITHIN_S)
        confirmed = _confirmed(sets, user_id, time.monotonic() + timeout_s)
    waited_s = round(time.monotonic() - begun_s, 3)
    if as_json:
        said = {"user_id": user_id, "event_id": delivery.event_id, "confirmed": confirmed}
        print(json.dumps(said | {"seconds": waited_s}))
    elif confirmed:
        print(f"{user_id!r} is erased, confirmed after {waited_s:.1f} s")
    if not confirmed:
        late = f"{user_id!r}: not confirmed within {timeout_s:g} s; it will be once the shopper app runs"
        print(f"lookstream: {late}", file=sys.stderr)
    return 0 if confirmed else 1


def _confirmed(sets: TopicRanges, user_id: str, deadline_s: float) -> bool:
    while True:
        for record in sets.poll(_POLL_MS):
            if record.key == user_id.encode() and ("ce_type", b"shopper.erased") in record.headers:
                return True
        if time.monotonic() > deadline_s:
            return False
