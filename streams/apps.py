"""The two Faust apps, built from the topology.

In: settings, a bootstrap address and the opened services. Out: a Faust app whose agents run the classes of
`streams.agents`. Here and nowhere else do Faust's ways matter: an event is acknowledged only after its work
is done, work once begun is finished before a rebalance takes the partition, tables are written one event at
a time, and batches are taken only by agents without a table.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import faust

from models.taste.contributions import TasteSettings
from models.taste.ranking import RankingSettings
from models.taste.state import StateError
from schemas.recommendations import ModelNames
from streams import topology
from streams.agents.check_rules import CheckRules
from streams.agents.index_garments import Eyes, IndexGarments, Media, UnusablePhotoError
from streams.agents.index_tastes import IndexTastes
from streams.agents.known_tastes import KnownTastes
from streams.agents.match_arrivals import MatchArrivals
from streams.agents.popular import PopularGarments
from streams.agents.recommend import Recommend
from streams.agents.retract import Retract
from streams.agents.update_tastes import UpdateTastes
from streams.agents.wait_for_garments import FullError, WaitForGarments
from streams.current_sets import CurrentSets
from streams.desk import Desk
from streams.handling import Handling
from streams.media import MediaUnavailable
from streams.metrics import Metrics
from streams.outbox import FaustOutbox, raw_topic
from streams.record import Record, from_faust
from streams.rocks import tidied
from streams.rule_book import RuleBook
from streams.settings import Settings, erasure_key
from streams.side_by_side import SideBySide, Turn
from streams.steady import SteadyApp
from streams.trending import Trending
from vectorstore.base import InvalidRequest, VectorStore, VectorStoreUnavailable

IN_HAND = 128
BUSY = 64  # with so many events in hand, sets give way: they answer several events each then
BATCH = 64
WITHIN_S = 0.005
KEYS_AT_ONCE, GATHERED = 64, 2048
TASTES_AT_ONCE, TASTES_WITHIN_S = 512, 1.0  # so of a busy shopper's tastes one a second is indexed


def faust_app(name: str, settings: Settings, bootstrap: str, **changes: Any) -> SteadyApp:
    """A bare Faust app with the settings that keep it correct (see the comments)."""
    datadir = settings.data_dir / "tables" / f"{name}-{settings.instance}"
    datadir.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {
        "broker": [f"kafka://{server}" for server in bootstrap.split(",")],
        "broker_credentials": _credentials(settings),
        "store": "rocksdb://?driver=rocksdict",
        "datadir": str(datadir),
        "autodiscover": False,
        "web_enabled": False,  # it would bind 0.0.0.0 and serve the tables
        "topic_allow_declare": False,  # topics are created before, from the topology
        "topic_disable_leader": True,
        "topic_partitions": settings.partitions,
        "topic_replication_factor": settings.replication,
        "broker_session_timeout": 6.0,  # a killed worker's partitions are free after 6 s, not 60
        "broker_heartbeat_interval": 2.0,
        "broker_max_poll_records": 100,
        "broker_commit_interval": 1.0,
        "stream_buffer_maxsize": 512,
        "stream_wait_empty": False,
        "producer_linger": 0,
        "producer_acks": -1,
        "producer_max_request_size": 26 * topology.MEGABYTE,
        "consumer_max_fetch_size": 4 * topology.MEGABYTE,
        "consumer_auto_offset_reset": "earliest",
        "key_serializer": "raw",
        "value_serializer": "raw",
    }
    return SteadyApp(topology.app_id(name), **(options | changes))


def _credentials(settings: Settings) -> Any:
    protocol = settings.kafka_security_protocol
    context = None
    if protocol.endswith("SSL"):
        context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=settings.kafka_password.get_secret_value() if settings.kafka_password else None,
            mechanism=settings.kafka_sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context else None


def table(app: faust.App, name: str) -> Any:
    """A table of bytes on RocksDB, its changelog created beforehand."""
    # A fresh dict each: Faust changes it. Without it RocksDB takes 2 GiB of cache per partition.
    options = {"driver": "rocksdict", "block_cache_size": 16 << 20, "write_buffer_size": 8 << 20}
    made = app.Table(
        name,
        key_type=bytes,
        value_type=bytes,
        options=options,
        partitions=app.conf.topic_partitions,
    )
    return tidied(made)


def add_single(
    app: SteadyApp, agent: topology.Agent, handling: Handling, handle: Callable[[Record], Awaitable[None]]
) -> Any:
    """An agent that takes one event at a time, as tables need it."""

    async def run(stream: Any) -> None:
        async for event in stream.events():
            event.message.incref()  # not acknowledged before `ack` below, whatever happens here
            if await app.hands.finish(handling.one(from_faust(event), handle)):
                event.ack()

    return app.agent(raw_topic(app, *agent.reads), name=agent.name)(run)


def add_side_by_side(
    app: SteadyApp, agent: topology.Agent, handle: Callable[[Record, Turn], Coroutine[Any, Any, None]]
) -> SideBySide:
    """An agent with a table that has many events in hand, each changing the table when it is its turn."""
    in_hand = SideBySide(app.hands, IN_HAND)

    async def run(stream: Any) -> None:
        try:
            async for event in stream.events():
                event.message.incref()
                # Its task has this event for its current one, by which tables know the partition.
                await in_hand.begin(partial(handle, from_faust(event)), event.ack)
        finally:
            await in_hand.ended()

    app.agent(raw_topic(app, *agent.reads), name=agent.name)(run)
    return in_hand


def add_batched(
    app: SteadyApp,
    agent: topology.Agent,
    handle: Callable[[list[Record]], Coroutine[Any, Any, None]],
    batch: int = BATCH,
    within_s: float = WITHIN_S,
) -> Any:
    """An agent without a table that takes what has come within `within_s` together."""

    async def run(stream: Any) -> None:
        taken: AsyncIterator[list[Any]] = stream.take_events(batch, within=within_s)
        async for events in taken:
            for event in events:
                event.message.incref()
            if await app.hands.finish(handle([from_faust(event) for event in events])):
                for event in events:
                    event.ack()

    return app.agent(raw_topic(app, *agent.reads), name=agent.name)(run)


def add_gathering(
    app: SteadyApp, agent: topology.Agent, handle: Callable[[Sequence[Record]], Coroutine[Any, Any, None]]
) -> Any:
    """An agent without a table that works on all that has come for a key when it is the key's turn."""
    desk = Desk(app.hands, handle, KEYS_AT_ONCE, GATHERED)

    async def run(stream: Any) -> None:
        working = asyncio.ensure_future(desk.run())
        try:
            async for event in stream.events():
                event.message.incref()
                await desk.put(from_faust(event), event.ack)
        finally:
            desk.drop()
            working.cancel()
            await asyncio.wait([working])

    return app.agent(raw_topic(app, *agent.reads), name=agent.name)(run)


def agent_of(name: str) -> topology.Agent:
    """The agent of that name in the topology."""
    return next(agent for agent in topology.AGENTS if agent.name == name)


def handling_of(name: str, app: faust.App, metrics: Metrics, **errors: Any) -> Handling:
    """How an agent's events are run."""
    return Handling(name, FaustOutbox(app), metrics, **errors)


@dataclass(frozen=True, slots=True)
class Shop:
    """The shopper app and what beside its agents has to run."""

    app: faust.App
    trending: Trending
    rules: RuleBook
    sets: CurrentSets
    arrivals: MatchArrivals
    retract: Retract
    outbox: FaustOutbox


def taste_settings(settings: Settings) -> TasteSettings:
    """How tastes weigh and forget, as the settings say."""
    return TasteSettings(half_life_s=settings.half_life_s, capacity=settings.contributions)


def ranking_settings(settings: Settings) -> RankingSettings:
    """How sets are put together, as the settings say."""
    return RankingSettings(length=settings.set_length, exploration=settings.exploration)


def build_catalogue(
    settings: Settings,
    bootstrap: str,
    store: VectorStore,
    media: Media,
    eyes: Eyes,
    metrics: Metrics,
    **changes: Any,
) -> faust.App:
    """The catalogue app: index-garments."""
    app = faust_app("catalogue", settings, bootstrap, **changes)
    handling = handling_of(
        "index-garments",
        app,
        metrics,
        unavailable=(VectorStoreUnavailable,),
        passing=(MediaUnavailable,),
        permanent=(UnusablePhotoError, InvalidRequest),
    )
    agent = IndexGarments(store, media, eyes, handling)
    add_batched(app, agent_of("index-garments"), agent.handle, settings.vision_batch)
    return app


def build_shopper(
    settings: Settings,
    bootstrap: str,
    store: VectorStore,
    model: ModelNames,
    metrics: Metrics,
    **changes: Any,
) -> Shop:
    """The shopper app: everything but index-garments."""
    app = faust_app("shopper", settings, bootstrap, **changes)
    taste = taste_settings(settings)
    trending, rules, known = Trending(), RuleBook(), KnownTastes(taste)

    def handling(name: str) -> Handling:
        return handling_of(
            name,
            app,
            metrics,
            unavailable=(VectorStoreUnavailable,),
            permanent=(StateError, FullError, InvalidRequest),
        )

    update = UpdateTastes(
        table(app, "tastes"),
        store,
        model.embedder,
        taste,
        handling("update-tastes"),
        partitions=settings.partitions,
        popular=trending.count,
        erasure_key=erasure_key(settings),
        marker_s=settings.erasure_marker_s,
        post=FaustOutbox(app).post,
        known=known,
    )
    in_hand = add_side_by_side(app, agent_of("update-tastes"), update.at_once)
    wait = WaitForGarments(
        table(app, "waiting"), store, settings.waiting_retention_s, handling("wait-for-garments")
    )
    add_single(app, agent_of("wait-for-garments"), wait.handling, wait.handle)
    recommend = Recommend(
        store,
        PopularGarments(store, trending),
        model,
        taste,
        ranking_settings(settings),
        handling("recommend"),
        rules=lambda: rules.current,
        known=known,
        give_way=lambda: len(in_hand) > BUSY,
    )
    add_gathering(app, agent_of("recommend"), recommend.handle)
    add_single(app, agent_of("check-rules"), handling("check-rules"), CheckRules().handle)
    sets, length = CurrentSets(), settings.set_length
    index = IndexTastes(store, model.embedder, known, length, handling("index-tastes"))
    add_batched(app, agent_of("index-tastes"), index.handle, TASTES_AT_ONCE, TASTES_WITHIN_S)
    arrivals = MatchArrivals(store, sets, length, handling("match-arrivals"), lambda: rules.current)
    add_batched(app, agent_of("match-arrivals"), arrivals.handle)
    retract = Retract(store, sets, lambda: shoppers_of(app), handling("retract"), lambda: rules.current)
    return Shop(app, trending, rules, sets, arrivals, retract, FaustOutbox(app))


def shoppers_of(app: faust.App) -> frozenset[int]:
    """The partitions of shoppers that this worker has now."""
    return frozenset(tp.partition for tp in app.consumer.assignment() if tp.topic == "taste-requests")
