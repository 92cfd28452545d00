"""The documents of the contract: committed as generated, valid by their own rules, true of the examples."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from schemas.asyncapi import asyncapi
from schemas.cloudevents import Event, write_event
from schemas.errors import SchemaError
from schemas.events import validate
from schemas.examples import EXAMPLES
from schemas.export import EVENT_TYPES, JSON_SCHEMA, as_text, json_schemas
from streams import topology
from streams.commands.export import documents, export_schemas

ROOT = Path(__file__).parents[2]
ASYNCAPI_SCHEMA = json.loads((ROOT / "tests/fixtures/asyncapi-3.0.0.json").read_text(encoding="utf-8"))
DOCUMENT = asyncapi(topology.TOPICS, topology.AGENTS, 8, "1.0.0")
SCHEMAS = json_schemas()
every_type = pytest.mark.parametrize("name", EVENT_TYPES)


def resolved(node: Any) -> Any:
    """What a reference inside the AsyncAPI document leads to."""
    while isinstance(node, dict) and "$ref" in node:
        found: Any = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in references(value)]
    return [ref for value in node for ref in references(value)] if isinstance(node, list) else []


@pytest.mark.parametrize("path", documents(), ids=str)
def test_the_committed_document_is_the_generated_one(path: Path) -> None:
    committed = (ROOT / "docs" / path).read_text(encoding="utf-8")
    assert committed == documents()[path], "run: lookstream export-schemas"


def test_nothing_else_is_committed_as_a_schema() -> None:
    committed = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs/schemas").iterdir()}
    assert committed == {path for path in documents() if path.parent.name == "schemas"}


@every_type
def test_a_json_schema_is_valid_and_has_a_name(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert (schema["$schema"], schema["title"]) == (JSON_SCHEMA, name)
    assert schema["$id"] == f"urn:lookstream:event:{name}"
    assert schema["description"]


@every_type
def test_examples_and_foreign_fields_fit_the_json_schema(name: str) -> None:
    validator = Draft202012Validator(SCHEMAS[name])
    validator.validate(EXAMPLES[name])
    validator.validate(EXAMPLES[name] | {"field_of_2030": [1]})


@every_type
def test_what_is_required_is_required_in_both(name: str) -> None:
    required = set(SCHEMAS[name]["required"])
    assert required == {field for field, info in EVENT_TYPES[name].model_fields.items() if info.is_required()}
    for field in required:
        without = {key: value for key, value in EXAMPLES[name].items() if key != field}
        assert not Draft202012Validator(SCHEMAS[name]).is_valid(without)


values = st.none() | st.booleans() | st.integers(-5, 5) | st.just("x" * 70) | st.just([]) | st.just({"a": 1})


@given(st.sampled_from(sorted(EVENT_TYPES)), values, st.data())
@settings(max_examples=150, deadline=None)
def test_what_the_json_schema_allows_is_read(name: str, value: Any, data: st.DataObject) -> None:
    """The code may be more lenient ("49.9" for 49.9), never more strict, but for rules in words."""
    field = data.draw(st.sampled_from(sorted(EVENT_TYPES[name].model_fields)))
    changed = EXAMPLES[name] | {field: value}
    in_words = {
        ("product.updated", "image_link"): value is None,  # an image cannot be cleared
        ("rule.set", "category"): value is None,  # a rule speaks of something
        ("taste.handed_over", "state"): isinstance(value, str),  # base64
        ("recommendations.updated", "generated_at"): isinstance(value, str),  # a format, to JSON Schema
    }
    if Draft202012Validator(SCHEMAS[name]).is_valid(changed) and not in_words.get((name, field)):
        validate(EVENT_TYPES[name], changed, name)


def test_what_the_json_schema_refuses_is_refused() -> None:
    for name, change in {
        "product.uploaded": {"availability": "soon"},
        "product.viewed": {"quantity": 0},
        "recommendations.updated": {"revision": 0},
        "rule.set": {"action": "hide"},
        "shopper.arrived": {"gender": "x"},
    }.items():
        assert not Draft202012Validator(SCHEMAS[name]).is_valid(EXAMPLES[name] | change)
        with pytest.raises(SchemaError):
            validate(EVENT_TYPES[name], EXAMPLES[name] | change, name)


def test_what_is_not_said_has_no_default() -> None:
    assert '"default": null' not in as_text(DOCUMENT) + "".join(map(as_text, SCHEMAS.values()))


def test_the_asyncapi_document_is_valid_by_the_official_schema() -> None:
    validator = Draft7Validator(ASYNCAPI_SCHEMA)
    assert [f"{'/'.join(map(str, e.path))}: {e.message[:200]}" for e in validator.iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(asyncapi="2.6.0"),
        lambda d: d["channels"]["tastes"].update(adress="x"),
        lambda d: d["operations"]["receive-interactions"].update(action="read"),
        lambda d: d["channels"]["tastes"]["bindings"]["kafka"].update(partitions=0),
        lambda d: d["components"]["messages"]["product.viewed"].update(headers=1),
    ],
    ids=range(5),
)
def test_the_official_schema_notices_a_spoilt_document(spoil: Any) -> None:
    document = json.loads(as_text(DOCUMENT))
    spoil(document)
    assert not Draft7Validator(ASYNCAPI_SCHEMA).is_valid(document)


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    found = references(DOCUMENT)
    assert all(resolved({"$ref": ref}) is not None for ref in found)
    for kind in ("messages", "schemas"):
        unused = {f"#/components/{kind}/{name}" for name in DOCUMENT["components"][kind]} - set(found)
        assert unused == set()


def test_every_topic_is_a_channel_with_its_settings() -> None:
    assert set(DOCUMENT["channels"]) == {topic.name for topic in topology.TOPICS}
    for topic in topology.TOPICS:
        channel = DOCUMENT["channels"][topic.name]
        kafka = channel["bindings"]["kafka"]
        assert channel["address"] == topic.name
        assert kafka["partitions"] == 8
        assert kafka["topicConfiguration"] == {
            "cleanup.policy": ["compact" if topic.compact else "delete"],
            "max.message.bytes": topic.max_message_bytes,
        }
        assert set(channel["messages"]) == set(topic.types or (topic.name,))


def test_operations_go_the_way_of_their_topic() -> None:
    actions: dict[str, set[str]] = {}
    for operation in DOCUMENT["operations"].values():
        channel = operation["channel"]["$ref"].removeprefix("#/channels/")
        actions.setdefault(channel, set()).add(operation["action"])
        named = {ref["$ref"].rpartition("/")[2] for ref in operation["messages"]}
        assert named == set(DOCUMENT["channels"][channel]["messages"])
    for topic in topology.TOPICS:
        expected = {"in": {"receive"}, "out": {"send"}}.get(topic.direction)
        assert actions[topic.name] == expected if expected else actions[topic.name]


def test_agents_are_named_where_they_read_and_write() -> None:
    for agent in topology.AGENTS:
        for name in agent.writes:
            if topology.topic(name).direction != "in":
                assert agent.name in DOCUMENT["operations"][f"send-{name}"]["description"]
        for name in agent.reads:
            if topology.topic(name).direction != "out":
                assert agent.name in DOCUMENT["operations"][f"receive-{name}"]["description"]


@every_type
def test_payload_and_headers_of_a_message_are_those_that_are_written(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    schemas = {"components": DOCUMENT["components"]}
    headers, value = write_event(Event("1", "test", name, topology_time(), EXAMPLES[name], subject="alice"))
    Draft7Validator(message["payload"] | schemas).validate(json.loads(value))
    written = Draft7Validator(message["headers"] | schemas)
    texts = {header: raw.decode() for header, raw in headers}
    written.validate(texts)
    assert not written.is_valid(texts | {"ce_type": "another.type"})
    assert not written.is_valid({header: text for header, text in texts.items() if header != "ce_id"})
    assert message["examples"][0]["payload"] == EXAMPLES[name]


def topology_time() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_a_type_that_is_nowhere_described_is_an_error() -> None:
    odd = topology.Topic("odd", "nothing", ("odd.happened",), "Odd.")
    with pytest.raises(KeyError):
        asyncapi([odd], [], 1, "1.0.0")


def test_text_is_the_same_each_time_and_ends_with_a_newline() -> None:
    text = as_text({"b": 1, "a": {"d": "ü", "c": []}})
    assert text == '{\n  "a": {\n    "c": [],\n    "d": "ü"\n  },\n  "b": 1\n}\n'


def test_export_writes_then_finds_nothing_to_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export_schemas(tmp_path, check=True) == 1
    assert "missing" in capsys.readouterr().out
    assert export_schemas(tmp_path, check=False) == 0
    assert export_schemas(tmp_path, check=True) == 0
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*.json")} == set(documents())


def test_export_notices_changes_and_takes_away_only_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export_schemas(tmp_path, check=False)
    folder = tmp_path / "schemas"
    (folder / "product.viewed.json").write_text("{}", encoding="utf-8")
    (folder / "old.happened.json").write_text(
        '{"$id": "urn:lookstream:event:old.happened"}', encoding="utf-8"
    )
    (folder / "theirs.json").write_text("[]", encoding="utf-8")
    (folder / "broken.json").write_text("{", encoding="utf-8")
    capsys.readouterr()
    assert export_schemas(tmp_path, check=True) == 1
    told = capsys.readouterr().out
    assert "product.viewed.json: differs" in told
    assert "old.happened.json: no such event type" in told
    assert "theirs" not in told
    assert export_schemas(tmp_path, check=False) == 0
    assert not (folder / "old.happened.json").exists()
    assert (folder / "theirs.json").exists()
    assert (folder / "broken.json").exists()
    assert export_schemas(tmp_path, check=True) == 0
