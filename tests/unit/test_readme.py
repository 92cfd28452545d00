"""The README and the other documents: every block in them is tried, every name in them exists."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import command_lines
import kafka
import pytest
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata
from kafka.structs import TopicPartition
from PIL import Image

from schemas import events
from schemas.recommendations import RecommendationSet
from streams.commands.topology import draw_topology
from streams.kafka import publisher
from streams.metrics import Metrics
from streams.settings import Settings
from streams.topology import TOPICS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = {
    path.relative_to(ROOT): path.read_text() for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))
}


def blocks(language: str) -> list[Any]:
    """The fenced blocks of a language in all documents, each named by its place."""
    found = []
    for path, text in DOCUMENTS.items():
        for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.M | re.S):
            found.append(pytest.param(match[1], id=f"{path}:{text[: match.start()].count(chr(10)) + 1}"))
    return found


def test_it_opens_with_the_two_commands() -> None:
    [first] = re.findall(r"```sh\n(.*?)```", README, re.S)[:1]
    assert first == "make demo\nmake test\n"
    assert README.index(first) < 250


def test_no_block_is_of_a_language_that_is_not_tried() -> None:
    languages = {found for text in DOCUMENTS.values() for found in re.findall(r"^```(\S+)$", text, re.M)}
    assert languages == {"sh", "python", "json", "mermaid", "html"}  # html: tests/browser


@pytest.mark.parametrize("block", blocks("sh"))
def test_every_command_exists_with_those_options(block: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for line in block.splitlines():
        words = [word for word in line.split() if not re.match(r"[A-Z_]+=", word)]
        for variable in re.findall(r"\b(LOOKSTREAM_[A-Z_]+)=", line):
            command_lines.check_variable(variable)
        if words[:1] == ["lookstream"]:
            command_lines.check(line)
        elif words[:1] == ["make"]:
            assert words[1] in targets
        elif words[:2] == ["docker", "compose"]:
            assert words[2] in ("up", "build")
        else:
            known = ("uv pip compile", ". .venv/bin/activate", "export LOOKSTREAM_")
            assert line.startswith(known), f"who tries this? {line!r}"


def test_every_code_span_that_is_a_command_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for text in DOCUMENTS.values():
        for span in re.findall(r"`(lookstream [^`]+)`", text):
            command_lines.check(span)
        assert set(re.findall(r"`make ([a-z]+)", text)) <= targets


class FakeKafka:
    """Acknowledges every record at once and keeps it."""

    sent: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]]

    def __init__(self, **settings: Any) -> None:
        assert settings["bootstrap_servers"] in ("localhost:9092", ["localhost:9092"])

    def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def send(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> Any:
        self.sent.append((topic, key, value, headers))
        result = FutureProduceResult(TopicPartition(topic, 0))
        future = FutureRecordMetadata(result, 0, 0, None, 0, 0, 0)
        result.success((0, -1, None))
        return future

    def close(self, timeout: float) -> None:
        pass


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(FakeKafka, "sent", [], raising=False)
    monkeypatch.setattr(publisher, "KafkaProducer", FakeKafka)
    monkeypatch.setattr(kafka, "KafkaProducer", FakeKafka)
    return FakeKafka.sent


def run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    return names


@pytest.mark.parametrize("block", blocks("python"))
def test_imports_resolve(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            assert all(importlib.import_module(alias.name) for alias in node.names)


@pytest.mark.parametrize("block", [block for block in blocks("python") if "Consumer" not in block.values[0]])
def test_what_the_examples_publish_is_valid(block: str, sent: list[Any]) -> None:
    run(block)
    assert sent
    accepted = {"product-events": events.PRODUCT_EVENTS, "interactions": events.INTERACTIONS}
    for topic, key, value, headers in sent:
        events.read(accepted[topic], headers, value, key, datetime.now(UTC))


def test_the_frontends_example_keeps_the_newest_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def record(user: str, kind: str, value: Any) -> SimpleNamespace:
        body = None if value is None else json.dumps(value).encode()
        return SimpleNamespace(key=user.encode(), value=body, headers=[("ce_type", kind.encode())])

    def records(topic: str, **settings: Any) -> Iterator[SimpleNamespace]:
        assert topic == "recommendations"
        assert settings["auto_offset_reset"] == "earliest"
        for revision in (1, 3, 2):
            yield record("alice", "recommendations.updated", {"revision": revision})
        yield record("bella", "recommendations.updated", {"revision": 9})
        yield record("bella", "shopper.erased", {"user_id": "bella"})
        yield record("bella", "", None)

    monkeypatch.setattr(kafka, "KafkaConsumer", records)
    [block] = [block.values[0] for block in blocks("python") if "Consumer" in block.values[0]]
    assert run(block)["newest"] == {"alice": {"revision": 3}}


@pytest.mark.parametrize("block", blocks("json"))
def test_the_set_is_one_of_the_contract(block: str) -> None:
    data = json.loads(block)
    assert json.loads(RecommendationSet.model_validate(data).model_dump_json()) == data
    assert list(data) == list(RecommendationSet.model_fields)


def test_the_topology_is_the_one_there_is() -> None:
    [shown] = re.findall(r"<!-- topology -->\n(.*?)<!-- /topology -->", README, re.S)
    wanted = f"```mermaid\n{draw_topology(as_json=False, mermaid=True)}\n```\n"
    assert shown == wanted, "put the output of `lookstream topology --mermaid` there"


def test_every_setting_is_there_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `LOOKSTREAM_(\w+)` \| (?:`([^`]*)`)? ?\|", README, re.M))
    assert list(rows) == [name.upper() for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, frozenset()) else str(field.default)
        assert rows[name.upper()] == default, name


def test_every_name_of_the_contract_exists() -> None:
    metrics = set()
    for family in Metrics().registry.collect():
        metrics |= {family.name, f"{family.name}_total"} if family.type == "counter" else {family.name}
    shown = {name for text in DOCUMENTS.values() for name in re.findall(r"`(lookstream_\w+)`", text)}
    assert shown <= metrics
    assert {name.removesuffix("_total") for name in shown} == {
        name.removesuffix("_total") for name in metrics
    }
    kinds = {kind for topic in TOPICS for kind in topic.types}
    for kind in re.findall(r"`((?:product|user|shopper|recommendations|rule)\.[a-z_]+)`", README):
        assert kind in kinds, kind
    assert set(events.INTERACTIONS) <= set(re.findall(r"`([a-z]+\.[a-z_]+)`", README))


def test_links_lead_somewhere_and_pictures_are_small() -> None:
    for path, text in DOCUMENTS.items():
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert ((ROOT / path).parent / link).exists(), f"{path}: {link}"
        for link in re.findall(r"`((?:docs|deploy|tests)/[\w./-]+)`", text):
            assert (ROOT / link).exists(), f"{path}: {link}"
    for path in (ROOT / "docs" / "images").iterdir():
        assert path.stat().st_size < 400_000, path
        with Image.open(path) as picture:
            assert picture.format == "PNG"


def test_it_names_no_host_or_path_of_a_workplace() -> None:
    for path, text in DOCUMENTS.items():
        hosts = set(re.findall(r"https?://([\w.-]+)", text))
        assert all(host.endswith(".example") for host in hosts), path
        assert not re.search(r"(?<![\w.])/(?:root|home|work|tmp)/\w", text), path


def test_every_changelog_fragment_is_one_line() -> None:
    fragments = sorted((ROOT / "changelog.d").glob("*.md"))
    assert fragments
    for path in fragments:
        assert re.fullmatch(r"[a-z0-9-]+\.(added|changed|fixed|removed)\.md", path.name)
        assert re.fullmatch(r"[A-Z`].*\.\n", path.read_text()), path.name


def test_the_licence_is_the_one_that_is_named() -> None:
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    licence = (ROOT / "LICENSE").read_text()
    assert licence.lstrip().startswith("Apache License")
    assert "END OF TERMS AND CONDITIONS" in licence
