"""A whole running shop for tests: `lookstream up` as a process, producers into it, and all that comes out.

In: a data directory and a folder of photos. Out: what the topics say, waited for with deadlines.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from models.taste import state
from models.taste.shopper import Shopper
from schemas.events import GARMENT_EVENTS, RECOMMENDATIONS, read
from schemas.recommendations import RecommendationSet
from schemas.tastes import TasteUpdated, unpack
from streams.dead_letters import reason
from streams.kafka.producer import DeliveryError, InteractionPublisher, ProductPublisher

READY_WITHIN_S = 60.0
ANSWER_WITHIN_S = 30.0
SOURCE = "test"


class Observer:
    """Everything on `recommendations`, `garments`, `tastes` and `dead-letters`, from the first record on."""

    TOPICS = ("recommendations", "garments", "tastes", "dead-letters")

    def __init__(self, bootstrap: str) -> None:
        self.sets: dict[str, list[RecommendationSet]] = defaultdict(list)
        self.answers: dict[str, list[RecommendationSet]] = defaultdict(list)
        self.arrived_s: dict[str, float] = {}
        self.garments: list[tuple[Any, Any]] = []
        self.tastes: dict[str, list[tuple[TasteUpdated, bytes]]] = defaultdict(list)
        self.dead: list[Any] = []
        self.erased: list[str] = []
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._failed: Exception | None = None
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, reconnect_backoff_max_ms=500
        )
        partitions = [
            TopicPartition(topic, number)
            for topic in self.TOPICS
            for number in self._consumer.partitions_for_topic(topic) or ()
        ]
        assert partitions, "the topics are not there"
        self._consumer.assign(partitions)
        self._consumer.seek_to_beginning(*partitions)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, what: str, done: Callable[[], Any], timeout_s: float = ANSWER_WITHIN_S) -> Any:
        """What `done` returned, once that is true; AssertionError naming `what` when it takes too long."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._failed or done(), timeout_s)
        if self._failed is not None:
            raise self._failed
        assert found, f"{what}: not within {timeout_s:g} s"
        return found

    def answer(self, event_id: str, timeout_s: float = ANSWER_WITHIN_S) -> RecommendationSet:
        """The last set that says it answers an event."""
        self.wait(f"a set that includes {event_id}", lambda: event_id in self.answers, timeout_s)
        return self.answers[event_id][-1]

    def indexed(self) -> set[str]:
        """Ids of the products that were ever said to be searchable."""
        return {data.product_id for event, data in list(self.garments) if event.type == "garments.indexed"}

    def said(self, kind: str, product_id: str) -> list[Any]:
        """The data of all events of a kind on `garments` about a product."""
        return [
            data
            for event, data in list(self.garments)
            if event.type == kind and data.product_id == product_id
        ]

    def dead_of(self, key: str) -> list[tuple[Any, dict[str, str]]]:
        """(record, reason) of each dead letter with a key."""
        return [(r, reason(r.headers)) for r in list(self.dead) if r.key == key.encode()]

    def shopper(self, user_id: str) -> Shopper:
        """The newest state of a shopper, as `tastes` has it."""
        return state.unpack(self.tastes[user_id][-1][1])

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=10.0)
        self._consumer.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            batches = self._consumer.poll(timeout_ms=100)
            with self._changed:
                try:
                    for record in (record for records in batches.values() for record in records):
                        self._take_in(record)
                except Exception as error:
                    self._failed = error
                    return
                finally:
                    self._changed.notify_all()

    def _take_in(self, record: Any) -> None:
        if record.topic == "dead-letters":
            self.dead.append(record)
        elif record.value is None or ("ce_type", b"taste.erased") in record.headers:
            pass  # what was said of somebody is taken back
        elif ("ce_type", b"shopper.erased") in record.headers:
            self.erased.append(record.key.decode())
        elif record.topic == "tastes":
            header, packed = unpack(record.value)
            self.tastes[header.user_id].append((header, packed))
        elif record.topic == "garments":
            self.garments.append(_read(GARMENT_EVENTS, record))
        else:
            _, data = _read(RECOMMENDATIONS, record)
            self.sets[data.user_id].append(data)
            for event_id in data.includes:
                self.answers[event_id].append(data)
                self.arrived_s.setdefault(event_id, time.monotonic())


def _read(accepted: Any, record: Any) -> tuple[Any, Any]:
    appended_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return read(accepted, record.headers, record.value, record.key, appended_at)


class RunningShop:
    """`lookstream up` on a data directory."""

    def __init__(self, data_dir: Path, media_root: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOOKSTREAM_")},
            "LOOKSTREAM_MEDIA_ROOT": str(media_root),
            "LOOKSTREAM_DATA_DIR": str(data_dir),
            **{f"LOOKSTREAM_{name.upper()}": value for name, value in settings.items()},
        }
        self._open = contextlib.ExitStack()

    def start(self) -> None:
        """Start and connect; returns when the ready line has come."""
        started_s = time.monotonic()
        self.process = self._spawn("up", kafka="")
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], READY_WITHIN_S)
        line = self.process.stdout.readline() if readable else b""
        assert line, f"no ready line: {self._last_words()}"
        self.ready_after_s = time.monotonic() - started_s
        self.ready = json.loads(line)
        self.kafka: str = self.ready["kafka"]
        self._open = contextlib.ExitStack()
        self.observer = Observer(self.kafka)
        self._open.callback(self.observer.close)
        self.products = ProductPublisher(self.kafka, source=SOURCE)
        self.interactions = InteractionPublisher(self.kafka, source=SOURCE, linger_ms=0)
        self.raw: Any = KafkaProducer(
            bootstrap_servers=self.kafka, acks="all", max_request_size=26_000_000, compression_type=None
        )
        self._open.callback(self.raw.close, 5)

    def run(self, *arguments: str, timeout_s: float = 60.0, **settings: str) -> Any:
        """A `lookstream` command against this shop, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "streams.cli", *arguments],
            env=self._environment(settings),
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def start_command(self, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """A `lookstream` command against this shop that runs on; the caller ends it."""
        return self._spawn(*arguments, **settings)

    def upload(self, *products: Any, timeout_s: float = 60.0) -> None:
        """Publish uploads and wait until all are searchable."""
        for product in products:
            self.products.uploaded(product)
        self.products.flush()
        ids = {product["id"] for product in products}
        self.observer.wait(
            f"{len(ids)} products searchable", lambda: ids <= self.observer.indexed(), timeout_s
        )

    def act(self, kind: str, user_id: str, product_id: str | None = None, **more: Any) -> str:
        """Publish an interaction; returns its event id once the broker has it."""
        data = {"user_id": user_id} | ({"product_id": product_id} if product_id else {}) | more
        delivery = self.interactions.publish(kind, data)  # type: ignore[arg-type]
        delivery.result(30.0)
        return delivery.event_id

    def answered(self, kind: str, user_id: str, product_id: str | None = None, **more: Any) -> Any:
        """Publish an interaction and return the set that answers it."""
        return self.observer.answer(self.act(kind, user_id, product_id, **more))

    def send(self, topic: str, key: str | None, value: Any, headers: Sequence[Any] = (), **more: Any) -> Any:
        """Send bytes as they are; returns where they lie."""
        raw_key = None if key is None else key.encode()
        future = self.raw.send(topic, value=value, key=raw_key, headers=list(headers), **more)
        return future.get(30)

    def metrics(self) -> dict[str, list[Any]]:
        """Samples by name from the one /metrics page."""
        import urllib.request

        with urllib.request.urlopen(self.ready["metrics"], timeout=10) as answer:
            page = answer.read().decode()
        samples: dict[str, list[Any]] = defaultdict(list)
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                samples[sample.name].append(sample)
        return samples

    def measured(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        return sum(s.value for s in self.metrics()[name] if labels.items() <= s.labels.items())

    def services(self) -> dict[str, int]:
        """Name → pid of the services that run below `up`."""
        return services_below(self.process.pid)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 30.0) -> float:
        """End `up` with a signal; returns the seconds it took."""
        self.disconnect()
        started_s = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout_s)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return time.monotonic() - started_s

    def disconnect(self, timeout_s: float = 10.0) -> None:
        """Close the clients, without what the broker has not taken by then."""
        for publisher in (self.products, self.interactions):
            with contextlib.suppress(DeliveryError):
                publisher.close(timeout_s)
        self._open.close()

    def __enter__(self) -> RunningShop:
        try:
            self.start()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):
            self.disconnect()
        self._kill()

    def _kill(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
            self.process.kill()
            self.process.wait()

    def _spawn(self, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        log = (self.data_dir / "test-up.log").open("ab")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", "streams.cli", *arguments],
                env=self._environment(settings),
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        known = {"LOOKSTREAM_KAFKA": self.kafka} if hasattr(self, "kafka") else {}
        return self.environment | known | {f"LOOKSTREAM_{k.upper()}": v for k, v in settings.items()}

    def _last_words(self) -> str:
        return (self.data_dir / "test-up.log").read_text(errors="replace")[-2000:]


_SERVICES = {
    "vectors": ("streams.cli", "vectors"),
    "catalogue": ("streams.cli", "worker", "catalogue"),
    "shopper": ("streams.cli", "worker", "shopper"),
    "broker": ("kafka.Kafka",),
}


def services_below(parent_pid: int) -> dict[str, int]:
    """Name → pid of the lookstream services whose parent is `parent_pid`."""
    found = {}
    for pid, parent, command in _processes():
        for name, words in _SERVICES.items():
            if parent == parent_pid and all(word in command for word in words):
                found[name] = pid
    return found


def child_with(parent_pid: int, *words: str) -> int | None:
    """Pid of the process below `parent_pid` whose command line has these words; None where there is none."""
    for pid, parent, command in _processes():
        if parent == parent_pid and all(word in command for word in words):
            return pid
    return None


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    return any(pid == running for running, _, _ in _processes())


def _processes() -> Iterator[tuple[int, int, list[str]]]:
    """(pid, parent's pid, command line) of every process that is no zombie."""
    if Path("/proc/self/stat").exists():
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                status, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if status != "Z":
                    yield int(folder.name), int(parent), command
        return
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        pid, parent, status, text = line.split(maxsplit=3)
        if not status.startswith("Z"):
            yield int(pid), int(parent), text.split()


def until(what: str, done: Callable[[], Any], timeout_s: float = ANSWER_WITHIN_S) -> Any:
    """What `done` returned once that is true, asked again and again; AssertionError after `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := done()):
        assert time.monotonic() < deadline_s, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.02)
    return found


def somebody(name: str = "shopper") -> str:
    """A user id that no other test has."""
    return f"{name}-{uuid4().hex[:10]}"
