"""The two apps as they are built: the same as the topology says, and their agents on Faust's own streams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from faust.types import Message
from memory_shop import EMBEDDER, MODEL, PARTITIONS, BruteStore, ColourEyes, MemoryMedia, MemoryShop, Topics

from streams import apps, steady, topology
from streams.handling import finished
from streams.metrics import Metrics
from streams.record import Record
from streams.settings import Settings

WITHOUT_GROUP = {"retract"}
"""Read by a client of its own, beside Faust."""


class Built:
    """Both apps on RocksDB, with a list for the topics that they write to."""

    def __init__(self, data_dir: Path) -> None:
        self.topics, self.store, self.media = Topics(), BruteStore(), MemoryMedia()
        self.metrics = Metrics()
        settings = Settings(data_dir=data_dir, partitions=PARTITIONS)
        self.catalogue = apps.build_catalogue(
            settings, "127.0.0.1:1", self.store, self.media, ColourEyes(), self.metrics
        )
        self.shopper = apps.build_shopper(settings, "127.0.0.1:1", self.store, MODEL, self.metrics).app

    def run(self, app: Any, name: str, records: list[Record], done: Callable[[], bool]) -> list[Any]:
        """Give records to an agent of an app until `done`; returns their Faust messages."""
        return asyncio.run(asyncio.wait_for(self._run(app, name, records, done), 10.0))

    async def _run(self, app: Any, name: str, records: list[Record], done: Callable[[], bool]) -> list[Any]:
        app.finalize()
        app.flow_control.resume()
        messages = []
        async with app.agents[name].test_context() as agent:
            channel = agent.stream().channel
            for record in records:
                message = Message(
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                    timestamp=record.appended_at_s,
                    timestamp_type=1,
                    headers=list(record.headers),
                    key=record.key,
                    value=record.value,
                    checksum=None,
                    generation_id=app.consumer_generation_id,
                )
                message.incref()  # as for every stream that reads the topic
                messages.append(message)
                await channel.put(await channel.decode(message))
            while not done():  # noqa: ASYNC110 (bounded by the caller)
                await asyncio.sleep(0.001)
        return messages


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    """A fresh pair of apps, whose outboxes are one list."""
    topics: list[Topics] = []
    monkeypatch.setattr(apps, "FaustOutbox", lambda app: topics[0] if topics else _Later(topics))
    made = Built(tmp_path)
    topics.append(made.topics)
    return made


class _Later:
    """An outbox that is there only when it is used."""

    def __init__(self, topics: list[Topics]) -> None:
        self._topics = topics

    def send(self, *args: Any, **named: Any) -> Awaitable[None]:
        return self._topics[0].send(*args, **named)

    async def post(self, *args: Any) -> None:
        await self.send(*args)


def test_the_apps_are_what_the_topology_says(built: Built) -> None:
    for name, app in (("catalogue", built.catalogue), ("shopper", built.shopper)):
        said = {
            a.name: set(a.reads) for a in topology.AGENTS if a.app == name and a.name not in WITHOUT_GROUP
        }
        assert {agent.name: set(agent.channel.topics) for agent in app.agents.values()} == said
        assert set(app.tables) == set(topology.tables(name))
        assert app.conf.id == topology.app_id(name)
        for table_name, table in app.tables.items():
            assert table.changelog_topic_name == topology.changelog(name, table_name)
            assert table.partitions == PARTITIONS
        assert all(agent.concurrency == 1 for agent in app.agents.values())
        assert not app.conf.web_enabled
        assert not app.conf.topic_allow_declare


def test_every_topic_of_the_topology_is_read_or_told(built: Built) -> None:
    names = {topic.name for topic in topology.TOPICS}
    touched = {name for agent in topology.AGENTS for name in (*agent.reads, *agent.writes)}
    assert touched == names


def test_an_upload_through_faust(built: Built) -> None:
    shop = MemoryShop()
    records = [shop.upload("p", (250, 10, 10)), shop.upload("missing"), shop.upload("q", (10, 250, 10))]
    built.media.photos = shop.media.photos
    done = lambda: len(built.topics.log) == 3  # noqa: E731
    messages = built.run(built.catalogue, "index-garments", records, done)
    assert {record.key for record in built.topics.of("garments")} == {b"p", b"q"}
    assert [record.key for record in built.topics.of("dead-letters")] == [b"missing"]
    assert len(built.store.of("p")) == 2
    assert all(message.acked for message in messages)


def test_an_interaction_through_faust(built: Built) -> None:
    shop = MemoryShop()
    shop.upload("p", (250, 10, 10))
    shop.pump()
    built.store.points, built.store.records = shop.store.points, shop.store.records
    records = [
        shop.act("product.viewed", "u", "p", event_id="one"),
        shop.act("product.viewed", "u", "later", event_id="two"),
        shop.topics.append("interactions", b"u", b"no event"),
        shop.act("product.viewed", "u", "p", event_id="one"),
    ]
    built.run(built.shopper, "update-tastes", records, lambda: len(built.topics.log) == 4)
    applied = [record.topic for record in built.topics.log if record.topic != "dead-letters"]
    assert applied == ["tastes", "waiting", "tastes"]
    assert len(built.topics.of("dead-letters")) == 1
    tastes = built.topics.of("tastes")
    built.run(built.shopper, "recommend", tastes, lambda: bool(built.topics.of("recommendations")))
    answers = built.topics.of("recommendations")
    assert {record.key for record in answers} == {b"u"}
    assert EMBEDDER.encode() in (answers[-1].value or b"")


@pytest.mark.parametrize("name", ["update-tastes", "recommend"])
def test_what_is_not_finished_is_not_acknowledged(
    built: Built, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steady, "finished", partial(finished, longest_s=0.05))
    shop = MemoryShop()
    shop.upload("p", (250, 10, 10))
    record = shop.act("product.viewed", "u", "p")
    shop.pump()
    given = record if name == "update-tastes" else shop.topics.of("tastes")[0]
    built.store.points, built.store.records = shop.store.points, shop.store.records
    built.store.away = 10_000
    (message,) = built.run(built.shopper, name, [given], lambda: built.store.away < 10_000)
    assert not message.acked
    assert message.refcount > 0
    assert built.topics.log == []
