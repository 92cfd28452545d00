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
            configs = {"cleanup.policy": "compact", "max.message.bytes": str(8 * topology.MEGABYTE)}
            name = topology.changelog(app, table)
            specs.append(TopicSpec(name, settings.partitions, settings.replication, configs))
    return specs


def _spec(topic: topology.Topic, settings: Settings) -> TopicSpec:
    configs = {
        "cleanup.policy": "compact" if topic.compact else "delete",
        "max.message.bytes": str(topic.max_message_bytes),
        "message.timestamp.type": "LogAppendTime",
    }
    return TopicSpec(topic.name, settings.partitions, settings.replication, configs)
