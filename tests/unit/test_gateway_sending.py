"""Sending: nothing is accepted that Kafka has not acknowledged, and a failure says what to send again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from schemas.cloudevents import Event
from streams.gateway.problems import Problem
from streams.gateway.sending import Accepted, KafkaSender, Outgoing


def outgoing(event_id: str, data: Any = None) -> Outgoing:
    return Outgoing(
        "interactions", "alice", Event(event_id, "test", "product.viewed", datetime.now(UTC), data or {})
    )


class Producer:
    """Acknowledges, never does, or fails, as told."""

    def __init__(self, outcome: str) -> None:
        self.outcome, self.sent, self.stopped = outcome, 0, False

    async def send(self, topic: str, **_: Any) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        self.sent += 1
        if self.outcome == "acknowledged":
            future.set_result(SimpleNamespace(partition=1, offset=self.sent))
        elif self.outcome == "failed":
            future.set_exception(KafkaError("no"))
        return future

    async def stop(self) -> None:
        self.stopped = True


def send(sender: KafkaSender, producer: Producer, *events: Outgoing) -> list[Accepted]:
    async def run() -> list[Accepted]:
        sender._producer = producer
        try:
            return await sender.send(events)
        finally:
            await asyncio.sleep(0)

    return asyncio.run(run())


def test_what_is_acknowledged_is_accepted_in_its_order() -> None:
    producer = Producer("acknowledged")
    assert send(KafkaSender({}), producer, outgoing("a"), outgoing("b")) == [
        Accepted("a", "interactions", 1, 1),
        Accepted("b", "interactions", 1, 2),
    ]


@pytest.mark.parametrize("outcome", ["never", "failed"])
def test_what_is_not_is_refused_with_the_ids_to_send_again(outcome: str) -> None:
    producer, sender = Producer(outcome), KafkaSender({}, within_s=0.05)
    with pytest.raises(Problem) as raised:
        send(sender, producer, outgoing("a"), outgoing("b"))
    assert (raised.value.status, raised.value.more["ids"]) == (503, ["a", "b"])
    assert int(raised.value.headers["retry-after"]) >= 1
    assert producer.stopped == (outcome == "failed"), "one that failed may be of no use any more"
    assert (sender._producer is None) == (outcome == "failed")


def test_an_event_too_large_for_its_topic_is_refused_before_any_is_sent() -> None:
    producer = Producer("acknowledged")
    with pytest.raises(Problem) as raised:
        send(KafkaSender({}), producer, outgoing("a"), outgoing("b", {"x": "y" * 2_000_000}))
    assert (raised.value.status, producer.sent) == (413, 0)


def test_a_broker_that_is_not_there_is_unavailable() -> None:
    sender = KafkaSender({"bootstrap_servers": "127.0.0.1:1"}, within_s=2.0)
    with pytest.raises(Problem) as raised:
        asyncio.run(sender.send([outgoing("a")]))
    assert raised.value.status == 503
