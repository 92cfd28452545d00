"""The topology is consistent, and what is drawn of it is all of it."""

import json
import re

import pytest

from schemas.export import EVENT_TYPES
from streams.commands.topology import draw_topology
from streams.kafka.topics import topic_specs
from streams.settings import Settings
from streams.topology import AGENTS, APPS, TOPICS, Topic, app_id, changelog, tables, topic

NAMES = {t.name for t in TOPICS}


def read_by(name: str) -> list[str]:
    return [agent.name for agent in AGENTS if name in (*agent.reads, *agent.asks)]


def written_by(name: str) -> list[str]:
    return [agent.name for agent in AGENTS if name in agent.writes]


def test_names_are_given_once() -> None:
    assert len(NAMES) == len(TOPICS)
    assert len({agent.name for agent in AGENTS}) == len(AGENTS)
    assert len({(agent.app, agent.table) for agent in AGENTS if agent.table}) == sum(
        agent.table is not None for agent in AGENTS
    )


def test_every_topic_that_an_agent_reads_or_writes_exists() -> None:
    for agent in AGENTS:
        assert agent.reads
        assert {*agent.reads, *agent.writes} <= NAMES
        assert all(topic(name).name == name for name in agent.reads)
    with pytest.raises(KeyError):
        topic("no-such-topic")


def test_every_agent_can_write_a_dead_letter() -> None:
    """But retract, which reads without a group: what it cannot read is another's dead letter."""
    assert all(("dead-letters" in agent.writes) == (agent.name != "retract") for agent in AGENTS)


@pytest.mark.parametrize("each", TOPICS, ids=lambda t: t.name)
def test_a_topic_is_written_and_read_as_its_direction_says(each: Topic) -> None:
    assert each.direction in {"in", "out", "internal"}
    if each.direction != "in":
        assert written_by(each.name)
    if each.direction != "out":
        assert read_by(each.name)


def test_one_writer_each() -> None:
    assert written_by("tastes") == ["update-tastes"]
    assert written_by("recommendations") == ["recommend"]
    assert written_by("garments") == ["index-garments"]


def test_topics_that_share_an_agent_with_a_table_share_their_key() -> None:
    for agent in AGENTS:
        if agent.table:
            assert len({topic(name).key for name in agent.reads}) == 1, agent.name


def test_an_event_type_is_on_one_topic_only_and_none_is_missing() -> None:
    types = [name for each in TOPICS for name in each.types]
    assert len(types) == len(set(types))
    assert set(EVENT_TYPES) <= set(types)
    assert set(types) - set(EVENT_TYPES) == {"taste.updated", "taste.erased", "trending.updated"}


def test_photos_fit_and_so_do_their_dead_letters() -> None:
    assert topic("product-events").max_message_bytes == 24_000_000
    assert topic("dead-letters").max_message_bytes > topic("product-events").max_message_bytes
    assert all(
        t.max_message_bytes <= 2_000_000 for t in TOPICS if t.name not in {"product-events", "dead-letters"}
    )


def test_what_is_kept_for_ever_is_compacted() -> None:
    assert {t.name for t in TOPICS if t.compact} == {"tastes", "trending", "recommendations", "rules"}


def test_apps_and_tables() -> None:
    assert set(APPS) == {agent.app for agent in AGENTS} == {"catalogue", "shopper"}
    assert tables("catalogue") == ()
    assert set(tables("shopper")) == {"tastes", "waiting"}
    assert changelog("shopper", "tastes") == "lookstream-shopper-tastes-changelog"
    assert app_id("shopper") == "lookstream-shopper"


def test_kafka_is_told_of_every_topic_and_changelog() -> None:
    specs = {spec.name: spec for spec in topic_specs(Settings(partitions=3))}
    changelogs = {changelog(app, table) for app in APPS for table in tables(app)}
    assert set(specs) == NAMES | changelogs
    assert {spec.partitions for spec in specs.values()} == {3}
    for each in TOPICS:
        configs = specs[each.name].configs
        assert configs["cleanup.policy"] == ("compact" if each.compact else "delete")
        assert configs["max.message.bytes"] == str(each.max_message_bytes)
        assert configs["message.timestamp.type"] == "LogAppendTime"
    assert all(specs[name].configs["cleanup.policy"] == "compact" for name in changelogs)


def test_the_drawing_in_words_names_everything() -> None:
    text = draw_topology(as_json=False, mermaid=False)
    lines = text.splitlines()
    for agent in AGENTS:
        (line,) = [line for line in lines if f"▸ {agent.name}" in line]
        assert line.strip().startswith(", ".join(agent.reads))
        assert line.endswith(", ".join(agent.writes))
        assert (f"[table {agent.table}]" in line) == (agent.table is not None)
        assert any(agent.about in line for line in lines)
    for each in TOPICS:
        assert any(line.split()[:1] == [each.name] and each.about in line for line in lines)
    assert [line for line in lines if line in APPS] == list(APPS)


def test_the_flowchart_has_an_arrow_for_every_reading_and_writing() -> None:
    chart = draw_topology(as_json=False, mermaid=True)
    lines = [line.strip() for line in chart.splitlines()]
    assert lines[0] == "flowchart LR"
    for agent in AGENTS:
        node = "agent_" + agent.name.replace("-", "_")
        assert any(line.startswith(f'{node}["') for line in lines)
        for name in agent.reads:
            assert f"topic_{name.replace('-', '_')} ==> {node}" in lines
        for name in agent.writes:
            arrow = "-.->" if name == "dead-letters" else "-->"
            assert f"{node} {arrow} topic_{name.replace('-', '_')}" in lines
    known = set(re.findall(r"^(\w+)[\[(]", "\n".join(lines), re.MULTILINE))
    for line in lines:
        if match := re.fullmatch(r"(\w+) (?:==>|-->|-\.->) (\w+)", line):
            assert set(match.groups()) <= known
    assert (
        sum(line == "end" for line in lines)
        == len(APPS)
        == sum(line.startswith("subgraph") for line in lines)
    )


def test_the_json_is_the_topology() -> None:
    drawn = json.loads(draw_topology(as_json=True, mermaid=False))
    assert [agent["name"] for agent in drawn["agents"]] == [agent.name for agent in AGENTS]
    assert [each["name"] for each in drawn["topics"]] == [each.name for each in TOPICS]
    assert drawn["topics"][0]["types"] == list(TOPICS[0].types)
    assert drawn["apps"] == list(APPS)
