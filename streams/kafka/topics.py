"""The topics of the topology and the tables' changelogs, as Kafka should have them.

In: settings. Out: `TopicSpec`s for `admin.create_topics`. Nothing is ever created by the broker on demand.
"""

from streams import topology
from streams.kafka.admin import TopicSpec
from streams.settings import Settings


def topic_specs(settings: Settings) -> list[TopicSpec]:
    """Every topic that lookstream needs."""
    specs = [_spec(topic, settings) for topic in topology.TOPICS]
    for app in topology.APPS:
        for table in topology.tables(app):
            configs = _compacted(settings) | {"max.message.bytes": str(8 * topology.MEGABYTE)}
            name = topology.changelog(app, table)
            specs.append(TopicSpec(name, settings.partitions, settings.replication, configs))
    return specs


def _spec(topic: topology.Topic, settings: Settings) -> TopicSpec:
    configs = _compacted(settings) if topic.compact else _deleted(settings)
    configs |= {
        "max.message.bytes": str(topic.max_message_bytes),
        "message.timestamp.type": "LogAppendTime",
    }
    return TopicSpec(topic.name, settings.partitions, settings.replication, configs)


def _deleted(settings: Settings) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(round(settings.retention_s * 1000))}


def _compacted(settings: Settings) -> dict[str, str]:
    """What was erased is gone when the rest has expired: no segment waits longer for its compaction."""
    longest_ms = str(round(settings.retention_s * 1000))
    return {"cleanup.policy": "compact", "max.compaction.lag.ms": longest_ms, "segment.ms": longest_ms}
