"""Topics are made once, with the partitions asked for, or the difference is named."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from streams.kafka.admin import (
    KafkaUnreachable,
    PartitionMismatch,
    TopicRefused,
    TopicSpec,
    create_topics,
    topic_partitions,
    wait_for_kafka,
)

pytestmark = pytest.mark.broker


def test_topics_are_made_once_with_their_settings(kafka: dict[str, str]) -> None:
    topics = [TopicSpec("made-a", 3, configs={"cleanup.policy": "compact"}), TopicSpec("made-b", 1)]
    create_topics(kafka, topics[:1])
    create_topics(kafka, topics)
    create_topics(kafka, topics)
    assert topic_partitions(kafka, ["made-a", "made-b", "never made"]) == {"made-a": 3, "made-b": 1}
    with KafkaAdminClient(**kafka) as admin:
        described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "made-a")])
    assert "compact" in str(described)


def test_two_processes_may_make_the_same_topics_at_once(kafka: dict[str, str]) -> None:
    topics = [TopicSpec(f"raced-{n}", 2) for n in range(5)]
    with ThreadPoolExecutor(3) as pool:
        for made in [pool.submit(create_topics, kafka, topics) for _ in range(3)]:
            made.result()
    assert topic_partitions(kafka, [topic.name for topic in topics]) == {topic.name: 2 for topic in topics}


def test_another_partition_count_is_named_and_nothing_is_made(kafka: dict[str, str]) -> None:
    create_topics(kafka, [TopicSpec("narrow", 2)])
    with pytest.raises(PartitionMismatch, match="topic 'narrow' has 2 partitions, expected 8") as caught:
        create_topics(kafka, [TopicSpec("not-made", 8), TopicSpec("narrow", 8)])
    assert (caught.value.topic, caught.value.found, caught.value.expected) == ("narrow", 2, 8)
    assert topic_partitions(kafka, ["not-made"]) == {}


def test_a_setting_that_kafka_refuses_is_named(kafka: dict[str, str]) -> None:
    with pytest.raises(TopicRefused, match=r"'odd'.*max\.message\.bytes"):
        create_topics(kafka, [TopicSpec("odd", 1, configs={"max.message.bytes": "plenty"})])


def test_wait_for_kafka_returns_when_a_broker_is_in_service(kafka: dict[str, str]) -> None:
    wait_for_kafka(kafka, timeout_s=10)


def test_where_nothing_answers_the_address_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(KafkaUnreachable, match=address):
            wait_for_kafka({"bootstrap_servers": [address]}, timeout_s=0.3)
