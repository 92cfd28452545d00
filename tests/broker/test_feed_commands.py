"""`publish` and `follow` against a real broker: summaries, exit codes, what is printed."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaProducer

from schemas.cloudevents import Event, write_event
from streams.commands.follow import follow
from streams.commands.publish import publish_interactions, publish_products
from streams.feeds import FeedUnreadable
from streams.kafka.admin import create_topics
from streams.kafka.broker import EmbeddedBroker
from streams.kafka.topics import topic_specs
from streams.settings import Settings

pytestmark = pytest.mark.broker


@pytest.fixture
def settings(broker: EmbeddedBroker, tmp_path: Path) -> Settings:
    """Settings of the shared broker, with lookstream's topics made."""
    made = Settings(kafka=broker.bootstrap, data_dir=tmp_path)
    create_topics(made.kafka_client(), topic_specs(made))
    return made


def test_a_folder_is_published_and_what_failed_is_named(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("hat.jpg", "shorts.png"):
        (tmp_path / name).write_bytes(b"not decoded here")
    assert publish_products(settings, tmp_path, rate=None, as_json=True) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["published"], summary["failed"], summary["ignored"]) == (2, [], 0)
    (tmp_path / "empty.jpg").touch()
    assert publish_products(settings, tmp_path, rate=1000.0, as_json=False) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("2 events on product-events in ")
    assert printed.out.endswith(", 1 failed\n")
    assert printed.err.startswith(f"failed: {tmp_path / 'empty.jpg'}: empty.jpg: 0.0 MB")


def test_interactions_are_published_and_strangers_counted(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "interactions.jsonl"
    lines: list[dict[str, Any]] = [
        {"type": "product.viewed", "data": {"user_id": "a", "product_id": "sku-1"}},
        {"type": "page", "messageId": "m"},
        {"type": "product.viewed", "data": {"user_id": "a"}},
        {"type": "shopper.arrived", "id": "x" * 5000, "data": {"user_id": "a"}},
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    assert publish_interactions(settings, file, rate=None, as_json=True) == 1
    summary = json.loads(capsys.readouterr().out)
    assert (summary["published"], summary["ignored"]) == (1, 1)
    assert [failed["item"] for failed in summary["failed"]] == [f"{file}:3", f"{file}:4"]
    assert "product_id" in summary["failed"][0]["reason"]
    assert "ce_id" in summary["failed"][1]["reason"]


def test_nothing_to_publish_is_said(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(FeedUnreadable, match="nothing in it to publish"):
        publish_products(settings, tmp_path, rate=None, as_json=True)


def recommended(user_id: str, revision: int) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {
        "user_id": user_id,
        "recommendation_id": "r",
        "revision": revision,
        "generated_at": now,
        "strategy": "trending",
        "trigger": {"type": "shopper.arrived", "id": "e", "time": now},
        "includes": ["e"],
        "through": {"partition": 0, "offset": 1},
        "latency_ms": 1.0,
        "model": {"detector": "d", "embedder": "e"},
        "items": [],
    }


def recommend(settings: Settings, *sets: tuple[str, int]) -> None:
    producer: Any = KafkaProducer(**settings.kafka_client())
    for user_id, revision in sets:
        data = recommended(user_id, revision)
        event = Event("id", "source", "recommendations.updated", datetime.now(UTC), data, user_id)
        headers, value = write_event(event)
        producer.send("recommendations", key=user_id.encode(), value=value, headers=headers)
    producer.close()


def test_follow_prints_each_newer_set_of_those_it_was_asked_for(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    alice, bella = f"alice-{uuid4()}", f"bella-{uuid4()}"
    recommend(settings, (alice, 1), (bella, 1), (alice, 3), (alice, 2), (alice, 4))
    assert follow(settings, [alice], as_json=True, from_beginning=True, count=3) == 0
    printed = capsys.readouterr()
    assert [json.loads(line)["revision"] for line in printed.out.splitlines()] == [1, 3, 4]
    assert printed.err == f"following recommendations of {alice}\n"
    assert follow(settings, [bella], as_json=False, from_beginning=True, count=1) == 0
    assert capsys.readouterr().out.startswith(f"{bella}  revision 1  trending  0 items")


def test_follow_begins_with_what_comes_after_it(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    carla = f"carla-{uuid4()}"
    recommend(settings, (carla, 1))
    options = {"as_json": True, "from_beginning": False, "count": 1}
    follower = threading.Thread(target=follow, args=(settings, [carla]), kwargs=options, daemon=True)
    follower.start()
    deadline = time.monotonic() + 20
    while "following" not in capsys.readouterr().err and time.monotonic() < deadline:
        follower.join(0.01)
    recommend(settings, (carla, 2))
    follower.join(20)
    assert json.loads(capsys.readouterr().out)["revision"] == 2
