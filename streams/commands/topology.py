"""topology: the topology as a picture in text, as a Mermaid flowchart for the README, or as JSON. Pure.

In: `streams.topology`. Out: text. Nothing can fail.
"""

import dataclasses
import json
from collections.abc import Iterable

from streams.topology import AGENTS, APPS, TOPICS, Agent, Topic


def draw_topology(as_json: bool, mermaid: bool) -> str:
    """The topology: for reading, or as JSON, or as a Mermaid flowchart."""
    if as_json:
        return _as_json()
    return _as_mermaid() if mermaid else _as_text()


def _as_json() -> str:
    topics = [dataclasses.asdict(topic) for topic in TOPICS]
    agents = [dataclasses.asdict(agent) for agent in AGENTS]
    return json.dumps({"apps": APPS, "agents": agents, "topics": topics}, indent=2, ensure_ascii=False)


def _as_text() -> str:
    lines: list[str] = []
    for app in APPS:
        lines.append(app)
        for agent in AGENTS:
            if agent.app == app:
                lines += _agent_lines(agent)
        lines.append("")
    return "\n".join([*lines, "topics", *_columns(_topic_row(topic) for topic in TOPICS)])


def _agent_lines(agent: Agent) -> list[str]:
    kept = f" [table {agent.table}]" if agent.table else ""
    asked = f"; asks {', '.join(agent.asks)}" if agent.asks else ""
    return [
        f"  {', '.join(agent.reads)} ▸ {agent.name}{kept} ▸ {', '.join(agent.writes)}",
        f"      {agent.about}{asked}",
    ]


def _topic_row(topic: Topic) -> tuple[str, ...]:
    ways = {"in": "▸ in", "out": "out ▸"}
    cleanup = "compact" if topic.compact else "delete"
    return topic.name, f"by {topic.key}", ways.get(topic.direction, ""), cleanup, topic.about


def _columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """The rows with their cells below each other."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _as_mermaid() -> str:
    lines = ["flowchart LR"]
    for topic in TOPICS:
        lines.append(f"  {_topic_id(topic.name)}([{topic.name}])")
    for app in APPS:
        lines.append(f"  subgraph {app}")
        for agent in AGENTS:
            if agent.app == app:
                lines.append(f'    {_agent_id(agent)}["<b>{agent.name}</b><br/>{_escaped(agent.about)}"]')
        lines.append("  end")
    for agent in AGENTS:
        lines += _arrows(agent)
    for way, colour in (("in", "#dbeafe"), ("out", "#dcfce7")):
        ids = ",".join(_topic_id(topic.name) for topic in TOPICS if topic.direction == way)
        lines += [f"  classDef {way}put fill:{colour}", f"  class {ids} {way}put"]
    return "\n".join(lines)


def _arrows(agent: Agent) -> list[str]:
    """Thick into an agent, thin out of it, dotted to the dead letters and from what it asks."""
    name, topics = _agent_id(agent), {topic.name for topic in TOPICS}
    lines = [f"  {_topic_id(read)} ==> {name}" for read in agent.reads]
    for written in agent.writes:
        lines.append(f"  {name} {'-.->' if written == 'dead-letters' else '-->'} {_topic_id(written)}")
    lines += [f"  {_topic_id(asked)} -.-> {name}" for asked in agent.asks if asked in topics]
    for asked in agent.asks:
        if asked not in topics:
            lines.append(f"  store_{asked.replace(' ', '_')}[({asked})] -.- {name}")
    return lines


def _topic_id(name: str) -> str:
    return "topic_" + name.replace("-", "_")


def _agent_id(agent: Agent) -> str:
    return "agent_" + agent.name.replace("-", "_")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
