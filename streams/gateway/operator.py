"""What an operator sees and may do: the state of the shop, its dead letters, the embedding map.

In: a gateway. Out: JSON-like answers. What does not answer is left out of the status and named in its
`problems`; elsewhere it is a Problem (503).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiokafka.errors import KafkaError as AsyncKafkaError
from kafka.errors import KafkaError
from prometheus_client import generate_latest

from streams import topology
from streams.gateway.newest import TASTES
from streams.gateway.operator_lag import Flow, FlowMeter
from streams.gateway.operator_map import EmbeddingMap
from streams.gateway.operator_workers import Measured, Workers, read
from streams.gateway.problems import Problem, unavailable
from streams.gateway.product_rows import ORDER
from streams.kafka.admin import KafkaUnreachable
from streams.kafka.deliveries import DeliveryError
from streams.kafka.publisher import TopicMissing
from streams.letter_box import LetterBox, LetterMissing
from streams.letters import NotReplayable
from streams.metrics import STAGES
from streams.services import aiokafka_config
from vectorstore.base import VectorStoreError

if TYPE_CHECKING:
    from streams.gateway.core import Gateway

T = TypeVar("T")
_COUNT_EVERY_S: Final = 10.0


class Operator:
    """What the routes ask; it connects when it is first asked."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._flow = FlowMeter(aiokafka_config(gateway.settings))
        self._workers = Workers(sorted(gateway.settings.metrics_urls))
        self._map = EmbeddingMap(gateway.store)
        self._box: LetterBox | None = None
        self._box_lock = asyncio.Lock()
        self._spans: dict[int, tuple[int, int]] = {}
        self._letters: tuple[int, list[dict[str, Any]]] = (0, [])
        self._counted_s, self._counts = float("-inf"), {"products": 0, "tastes": 0}

    async def stop(self) -> None:
        """Disconnect."""
        await self._flow.stop()
        if self._box is not None:
            await asyncio.to_thread(self._box.close)

    async def status(self) -> dict[str, Any]:
        """The state of the shop."""
        problems: list[str] = []
        flow, measured = Flow(), await self._workers.measured()
        try:
            flow = await self._flow.flow()
        except (AsyncKafkaError, OSError) as error:
            problems.append(f"Kafka does not answer: {error!r}")
        counts: dict[str, int | None] = {"garments": None, **await self._counted()}
        try:
            counts["garments"] = await self._gateway.store.count()
        except VectorStoreError as error:
            problems.append(f"the vector store does not answer: {error}")
        if not measured.models:
            problems.append(
                "no worker's metrics answer" + ("" if self._urls() else " (LOOKSTREAM_METRICS_URLS)")
            )
        return {
            "agents": agents(flow, measured, time.time()),
            "throughput": flow.throughput,
            "latency_ms": self._latency(measured),
            "counts": counts,
            "dead_letters": flow.dead_letters,
            "model": self._models(measured),
            "subscribers": self._gateway.hub.count,
            "problems": problems,
        }

    async def letters(self, limit: int) -> list[dict[str, Any]]:
        """The newest dead letters; read again only when there are others."""

        def newest(box: LetterBox) -> list[dict[str, Any]]:
            spans = box.spans()
            if spans != self._spans or limit > self._letters[0]:
                self._letters = (limit, box.newest(limit))
                self._spans = spans
            return self._letters[1][:limit]

        return await self._asked(newest)

    async def replay(self, partition: int, offset: int) -> dict[str, Any]:
        """Send a dead letter back; returns where it lies now. Raises a Problem."""
        try:
            placed = await self._asked(lambda box: box.replay(partition, offset))
        except LetterMissing as error:
            raise Problem(404, str(error), "no-such-letter") from None
        except NotReplayable as error:
            raise Problem(409, str(error), "not-replayable") from None
        return {"id": f"{partition}/{offset}", **placed._asdict()}

    async def map(self, limit: int) -> dict[str, Any]:
        """The embedding map; raises a Problem."""
        try:
            return await self._map.map(limit)
        except VectorStoreError as error:
            raise unavailable(f"the vector store does not answer: {error}") from None

    async def _asked(self, ask: Callable[[LetterBox], T]) -> T:
        """What the letter box answers, off the event loop, one question at a time."""

        def answer() -> T:
            if self._box is None:
                self._box = LetterBox(self._gateway.settings)
            return ask(self._box)

        async with self._box_lock:
            try:
                return await asyncio.to_thread(answer)
            except (KafkaError, KafkaUnreachable, TopicMissing, DeliveryError, TimeoutError) as error:
                raise unavailable(f"Kafka does not answer: {error}") from None

    async def _counted(self) -> dict[str, int]:
        if time.monotonic() - self._counted_s >= _COUNT_EVERY_S:
            self._counted_s = time.monotonic()
            self._counts = await asyncio.to_thread(self._count)
        return self._counts

    def _count(self) -> dict[str, int]:
        prefixes = {"products": ORDER, "tastes": TASTES}
        return {name: sum(1 for _ in self._gateway.shelf.scan(at)) for name, at in prefixes.items()}

    def _latency(self, measured: Measured) -> dict[str, Any]:
        own = read([generate_latest(self._gateway.metrics.registry).decode()])
        stages = {stage: measured.histogram("lookstream_stage_seconds", stage).as_data() for stage in STAGES}
        return {
            "event_to_recommendation": measured.histogram(
                "lookstream_event_to_recommendation_seconds"
            ).as_data(),
            "upload_to_searchable": measured.histogram("lookstream_upload_to_searchable_seconds").as_data(),
            "set_to_subscriber": own.histogram("lookstream_gateway_set_delay_seconds").as_data(),
            "stages": stages,
        }

    def _models(self, measured: Measured) -> dict[str, Any]:
        known = {name: value for name, value in asdict(self._gateway.model).items() if name != "dim"}
        return {"version": version("lookstream"), **known, "workers": measured.models}

    def _urls(self) -> bool:
        return bool(self._gateway.settings.metrics_urls)


def agents(flow: Flow, measured: Measured, now_s: float) -> list[dict[str, Any]]:
    """Each agent of the topology: when it last finished something, and what its app has not read yet."""
    found = []
    for agent in topology.AGENTS:
        progress_s = measured.progress_s.get(agent.name)
        behind = flow.lag.get(agent.app, {}) if agent.group else {}
        found.append(
            {
                "name": agent.name,
                "app": agent.app,
                "about": agent.about,
                "workers_ready": measured.ready.get(agent.app, 0),
                "last_progress_s_ago": None if progress_s is None else round(max(0.0, now_s - progress_s), 1),
                "lag": {topic: behind[topic] for topic in agent.reads if topic in behind},
            }
        )
    return found
