"""The AsyncAPI 3 document of all topics: what is sent where, keyed how, in which shape. Pure.

In: the topics and agents, as anything that has their fields (the topology lives above this package). Out: a
JSON object. Fails with KeyError where a topic carries a type that is nowhere described.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from pydantic.json_schema import models_json_schema

from schemas.examples import EXAMPLES
from schemas.export import EVENT_TYPES, Json, PlainFields
from schemas.headers import CLOUD_EVENT_HEADERS, RECORD_HEADERS, headers_of

KAFKA_BINDING: Final = "0.5.0"
_PACKED_TASTE: Final = "uint32 length of the header · header (JSON: what it answers) · the packed state."
_NO_RECORD: Final[dict[str, tuple[str, Json]]] = {
    "taste.updated": (
        "application/octet-stream",
        {"type": "string", "format": "binary", "description": _PACKED_TASTE},
    ),
    "taste.erased": (
        "application/json",
        {"type": "object", "required": ["user_id"], "properties": {"user_id": {"type": "string"}}},
    ),
    "trending.updated": (
        "application/json",
        {
            "type": "object",
            "required": ["part", "half_life_s", "popularity"],
            "properties": {
                "part": {"type": "string"},
                "half_life_s": {"type": "number"},
                "popularity": {
                    "type": "object",
                    "description": "Product id → log2 of the decayed sum of weights.",
                    "additionalProperties": {"type": "number"},
                },
            },
        },
    ),
}
"""Event types that have no record: content type and payload."""


class TopicLike(Protocol):
    """What is read of a topic."""

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def types(self) -> tuple[str, ...]: ...
    @property
    def about(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def compact(self) -> bool: ...
    @property
    def max_message_bytes(self) -> int: ...


class AgentLike(Protocol):
    """What is read of an agent."""

    @property
    def name(self) -> str: ...
    @property
    def app(self) -> str: ...
    @property
    def about(self) -> str: ...
    @property
    def reads(self) -> tuple[str, ...]: ...
    @property
    def writes(self) -> tuple[str, ...]: ...
    @property
    def asks(self) -> tuple[str, ...]: ...


def asyncapi(topics: Sequence[TopicLike], agents: Sequence[AgentLike], partitions: int, version: str) -> Json:
    """The AsyncAPI 3.0 document: a channel per topic, a message per event type, an operation per direction.

    Args:
        topics, agents: the topology.
        partitions: how many partitions every topic has by default.
        version: lookstream's version.
    """
    models = sorted({(model, "validation") for model in EVENT_TYPES.values()}, key=lambda m: m[0].__name__)
    _, known = models_json_schema(
        models,  # type: ignore[arg-type]
        schema_generator=PlainFields,
        ref_template="#/components/schemas/{model}",
    )
    return {
        "asyncapi": "3.0.0",
        "id": "urn:lookstream",
        "info": {
            "title": "lookstream",
            "version": version,
            "description": "Visual fashion recommendations from a stream of events: product photos and "
            "interactions in, recommendation sets with reasons out. Events are CloudEvents 1.0 on Kafka; "
            "binary mode is written, binary and structured mode are read. Fields that are not described "
            "here are tolerated.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "contact": {"name": "lookstream"},
            "tags": [{"name": "cloudevents"}, {"name": "kafka"}],
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, partitions) for topic in topics},
        "operations": {
            f"{action}-{topic.name}": _operation(action, topic, agents)
            for topic in topics
            for action in _actions(topic, agents)
        },
        "components": {
            "messages": {name: _message(name, topic) for topic in topics for name in _messages_of(topic)},
            "schemas": {"CloudEventHeaders": CLOUD_EVENT_HEADERS, **known["$defs"]},
        },
    }


def _messages_of(topic: TopicLike) -> tuple[str, ...]:
    """The names of a topic's messages; a topic of no type of its own has one, called like it."""
    return topic.types or (topic.name,)


def _channel(topic: TopicLike, partitions: int) -> Json:
    cleanup = "compact" if topic.compact else "delete"
    lasting = "The newest record per key is kept; a null value deletes." if topic.compact else ""
    return {
        "address": topic.name,
        "summary": topic.about,
        "description": f"Keyed by {topic.key}. {lasting}".strip(),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages_of(topic)},
        "tags": [{"name": {"in": "input", "out": "output"}.get(topic.direction, "internal")}],
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": partitions,
                "topicConfiguration": {
                    "cleanup.policy": [cleanup],
                    "max.message.bytes": topic.max_message_bytes,
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _actions(topic: TopicLike, agents: Sequence[AgentLike]) -> list[str]:
    """What lookstream does with a topic: from outside only one way is seen, inside both."""
    if topic.direction != "internal":
        return ["receive" if topic.direction == "in" else "send"]
    read = any(topic.name in (*agent.reads, *agent.asks) for agent in agents)
    written = any(topic.name in agent.writes for agent in agents)
    return ["receive"] * read + ["send"] * written


def _operation(action: str, topic: TopicLike, agents: Sequence[AgentLike]) -> Json:
    sends = action == "send"
    by = [a for a in agents if topic.name in (a.writes if sends else (*a.reads, *a.asks))]
    whom = "; ".join(f"{agent.name} ({agent.app}): {agent.about}" for agent in by)
    done = "Written" if sends else "Read"
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.about,
        "description": f"{done} by {whom}." if by else f"{done} by lookstream.",
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in _messages_of(topic)],
    }


def _message(name: str, topic: TopicLike) -> Json:
    content_type, headers, payload, about = _contents(name, topic)
    message: Json = {
        "name": name,
        "title": name,
        "summary": about,
        "contentType": content_type,
        "headers": headers,
        "payload": payload,
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }
    if name in EXAMPLES:
        message["examples"] = [{"name": "example", "summary": f"A {name}.", "payload": EXAMPLES[name]}]
    return message


def _contents(name: str, topic: TopicLike) -> tuple[str, Json, Json, str]:
    """Content type, headers, payload and a summary."""
    if not topic.types:
        payload = {"description": topic.about}
        return "application/octet-stream", RECORD_HEADERS[name], payload, topic.about
    if name in EVENT_TYPES:
        model = EVENT_TYPES[name]
        about = (model.__doc__ or "").strip().splitlines()[0]
        return "application/json", headers_of(name), {"$ref": f"#/components/schemas/{model.__name__}"}, about
    content_type, payload = _NO_RECORD[name]
    return content_type, headers_of(name, content_type), payload, topic.about
