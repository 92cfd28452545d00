"""One worker process: an app, its services, its metrics, and a line on stdout when it is ready.

In: the app's name and settings. Out: the app runs until SIGTERM or SIGINT. Fails at the start with a clear
error where Kafka, a topic's partition count or the vector store is not as expected.
"""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import faust
from prometheus_client import start_http_server

from models.visions import describe
from schemas.recommendations import ModelNames
from streams.agents.wait_for_garments import TICK
from streams.apps import Shop, build_catalogue, build_shopper
from streams.eyes import ThreadedEyes
from streams.fast_loops import use_fast_loops
from streams.following import follow_sets
from streams.kafka.admin import create_topics, wait_for_kafka
from streams.kafka.topics import topic_specs
from streams.media import MediaResolver
from streams.metrics import Metrics
from streams.record import Record
from streams.services import aiokafka_config, open_configured_store, open_configured_vision
from streams.settings import Settings
from streams.views import TopicView
from vectorstore.base import VectorStore

log = logging.getLogger(__name__)
_TICK_S = 300.0


def run_worker(name: str, settings: Settings) -> None:
    """Run the app `name` ("catalogue" or "shopper") until told to stop; exits the process."""
    config = settings.kafka_client()
    wait_for_kafka(config, 60.0)
    create_topics(config, topic_specs(settings))
    use_fast_loops()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    metrics = Metrics()
    known = describe(settings.vision)
    metrics.models(known.detector, known.embedder)
    store = loop.run_until_complete(open_configured_store(settings))
    app = _build(name, settings, store, metrics, loop)
    server, _ = start_http_server(settings.metrics_port, settings.bind, metrics.registry)
    _every(app, 0.2, _ready_once(app, name, metrics, server.server_port))
    _every(app, 2.0, lambda: _measure(app, name, store, metrics))
    faust.Worker(
        app,
        loop=loop,
        loglevel=settings.log_level,
        quiet=True,
        redirect_stdouts=False,
        stdout=sys.stderr,  # ours carries one JSON line and nothing else
        workdir=None,
        override_logging=False,
    ).execute_from_commandline()


def _build(
    name: str, settings: Settings, store: VectorStore, metrics: Metrics, loop: asyncio.AbstractEventLoop
) -> faust.App:
    bootstrap = settings.kafka or ""
    if name == "catalogue":
        vision = open_configured_vision(settings, with_gate=True)
        media = MediaResolver(settings.media_dir, settings.inline_dir, settings.allowed_hosts)
        eyes = ThreadedEyes(vision, settings.vision_batch)
        return build_catalogue(settings, bootstrap, store, media, eyes, metrics)
    known = describe(settings.vision)
    model = ModelNames(detector=known.detector, embedder=known.embedder)
    shop = build_shopper(settings, bootstrap, store, model, metrics)
    _start_views(shop, settings, loop)
    _run_beside(shop, settings)
    return shop.app


def _start_views(shop: Shop, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
    """Read `trending` and `rules` to their ends before the first event, and follow them from there."""

    def popular(record: Record) -> None:
        shop.trending.read(record.partition, record.offset, record.key, record.value)

    def rule(record: Record) -> None:
        shop.rules.read(record)
        shop.retract.rule(record)

    config = aiokafka_config(settings)
    views = [TopicView("trending", config, popular), TopicView("rules", config, rule)]

    async def start() -> None:
        await asyncio.gather(*(view.start() for view in views))

    async def stop(*_: Any, **__: Any) -> None:
        await asyncio.gather(*(view.stop() for view in views))

    loop.run_until_complete(start())
    shop.app.on_before_shutdown.connect(stop, weak=False)


def _run_beside(shop: Shop, settings: Settings) -> None:
    """Follow the sets, write what was counted as popular, send the ticks that let waiting events expire."""

    async def follow() -> None:
        await follow_sets(shop, aiokafka_config(settings))

    shop.app.task(follow)
    _every(shop.app, 1.0, lambda: shop.trending.flush(shop.outbox))

    async def tick() -> None:
        for tp in sorted(shop.app.consumer.assignment()):
            if tp.topic in ("waiting", "taste-requests"):
                await shop.outbox.send(tp.topic, None, b"", [TICK], tp.partition)

    _every(shop.app, _TICK_S, tick)


def _every(app: faust.App, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
    """Run `step` every so many seconds once the app has started; one that fails is logged and tried again."""

    async def run() -> None:
        while not app.should_stop:
            try:
                await step()
            except Exception as error:
                log.warning("%s: %s", getattr(step, "__name__", "task"), error)
            await asyncio.sleep(seconds)

    app.task(run)


def _ready_once(app: faust.App, name: str, metrics: Metrics, port: int) -> Callable[[], Awaitable[None]]:
    said = False

    async def check() -> None:
        nonlocal said
        ready = bool(app.consumer.assignment()) and app.flow_control.is_active() and not app.rebalancing
        metrics.ready.labels(name).set(int(ready))
        if ready and not said:
            said = True
            print(json.dumps({"app": name, "metrics_port": port}), flush=True)

    return check


async def _measure(app: faust.App, name: str, store: VectorStore, metrics: Metrics) -> None:
    consumer: Any = app.consumer
    for tp in consumer.assignment():
        if tp.topic.endswith("-changelog"):
            continue
        with contextlib.suppress(Exception):
            end = consumer.highwater(tp) or 0
            done = consumer._committed_offset.get(tp) or 0
            metrics.consumer_lag.labels(name, tp.topic, str(tp.partition)).set(max(0, end - done))
    metrics.garments_indexed.set(await store.count())  # last: it waits for a store that is away
