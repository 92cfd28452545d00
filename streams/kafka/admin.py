"""Topics and reachability of whatever Kafka is configured.

In: kafka-python's client settings as a dict (`bootstrap_servers`, and security settings where needed) and the
topics that should exist. Out: those topics, made where missing. What can fail: no broker answers
(KafkaUnreachable), a topic exists with another partition count (PartitionMismatch), the broker refuses one
(TopicRefused). All calls block: off the event loop with them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code

ClientConfig = Mapping[str, Any]
_BOOTSTRAP_TIMEOUT_S = 30.0
_CREATED_TIMEOUT_S = 30.0
_POLL_S = 0.05


class KafkaUnreachable(RuntimeError):  # noqa: N818 (reads as the state it reports)
    """No broker answered in time."""


class TopicRefused(RuntimeError):  # noqa: N818
    """The broker would not create a topic."""


class PartitionMismatch(RuntimeError):  # noqa: N818
    """A topic exists with another number of partitions than this configuration needs."""

    def __init__(self, topic: str, found: int, expected: int) -> None:
        self.topic, self.found, self.expected = topic, found, expected
        super().__init__(
            f"topic {topic!r} has {found} partitions, expected {expected}: set LOOKSTREAM_PARTITIONS={found},"
            " or choose another data directory or cluster"
        )


@dataclass(frozen=True)
class TopicSpec:
    """A topic as it should be; `configs` are Kafka's topic settings, values as strings."""

    name: str
    partitions: int
    replication_factor: int = 1
    configs: Mapping[str, str] = field(default_factory=dict)


def create_topics(config: ClientConfig, topics: Sequence[TopicSpec]) -> None:
    """Make the topics that are missing and wait until each has its leaders; the others are left as they are.

    Raises PartitionMismatch (before anything is made, where it can be seen then), TopicRefused,
    KafkaUnreachable.
    """
    with _admin(config) as admin:
        found = _partitions(admin, [topic.name for topic in topics])
        _check(topics, found)
        missing = [topic for topic in topics if topic.name not in found]
        if not missing:
            return
        _create(admin, missing)
        names = [topic.name for topic in missing]
        admin.wait_for_topics(names, timeout_ms=_CREATED_TIMEOUT_S * 1000)
        _check(missing, _partitions(admin, names))  # another process may have made one meanwhile


def topic_partitions(config: ClientConfig, topics: Sequence[str]) -> dict[str, int]:
    """Topic → number of partitions, of those of `topics` that exist. Raises KafkaUnreachable."""
    with _admin(config) as admin:
        return _partitions(admin, topics)


def wait_for_kafka(config: ClientConfig, timeout_s: float) -> None:
    """Return once a broker is in service (it answers and is listed as alive); else raise KafkaUnreachable."""
    deadline = time.monotonic() + timeout_s
    with _admin(config, timeout_s) as admin:
        while not any(not broker.get("is_fenced") for broker in admin.describe_cluster()["brokers"]):
            if time.monotonic() > deadline:
                raise KafkaUnreachable(
                    f"{_where(config)} answers, but no broker was in service after {timeout_s:g} s"
                )
            time.sleep(_POLL_S)


@contextlib.contextmanager
def _admin(config: ClientConfig, timeout_s: float = _BOOTSTRAP_TIMEOUT_S) -> Iterator[Any]:
    settings = {
        "reconnect_backoff_max_ms": 500,
        **config,
        "bootstrap_timeout_ms": max(1, int(timeout_s * 1000)),
    }
    try:
        admin: Any = KafkaAdminClient(**settings)
    except KafkaError as error:
        raise KafkaUnreachable(f"no Kafka broker answers at {_where(config)}: {error}") from error
    try:
        yield admin
    finally:
        admin.close()


def _where(config: ClientConfig) -> str:
    servers = config["bootstrap_servers"]
    return servers if isinstance(servers, str) else ",".join(servers)


def _partitions(admin: Any, names: Sequence[str]) -> dict[str, int]:
    wanted = set(names).intersection(admin.list_topics())
    if not wanted:  # an empty list would describe nothing, but cost a request
        return {}
    return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(sorted(wanted))}


def _check(topics: Sequence[TopicSpec], found: Mapping[str, int]) -> None:
    for topic in topics:
        if found.get(topic.name, topic.partitions) != topic.partitions:
            raise PartitionMismatch(topic.name, found[topic.name], topic.partitions)


def _create(admin: Any, topics: Sequence[TopicSpec]) -> None:
    wishes = {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": topic.replication_factor,
            "configs": dict(topic.configs),
        }
        for topic in topics
    }
    for result in admin.create_topics(wishes, raise_errors=False)["topics"]:
        kind = for_code(result["error_code"])
        if result["error_code"] != 0 and kind is not TopicAlreadyExistsError:
            reason = result.get("error_message") or kind.__name__
            raise TopicRefused(f"Kafka refuses to create topic {result['name']!r}: {reason}")
