"""All services of `lookstream up` as children of one process, started, watched and stopped together.

In: settings. Out: addresses, once every service answers. A service that dies is started again (it keeps all
it acknowledged); all end with this process, however it ends. Fails with ServiceError naming the service and
the last words of its log.
"""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

from streams import guard, topology
from streams.federation import serve_federated
from streams.kafka.broker import EmbeddedBroker
from streams.settings import Settings

log = logging.getLogger(__name__)
READY_TIMEOUT_S = 90.0
_POLL_S = 0.1
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_SETTLED_S = 60.0


class _Pause(NamedTuple):
    """How long to wait before the next start of a service, and when it last ended (monotonic)."""

    seconds: float
    since_s: float


class ServiceError(RuntimeError):
    """A service did not start; the message names it and its last words."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the running services are; `gateway` is the address of its storefront and its API."""

    kafka: str
    metrics: str
    data_dir: str
    media_root: str
    gateway: str


class Child:
    """One `lookstream` command as a guarded child; its stdout's first line says that it is ready."""

    def __init__(self, name: str, arguments: list[str], settings: Settings) -> None:
        self.name, self.arguments, self.settings = name, arguments, settings
        self.log_path = settings.data_dir / "logs" / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.ready: dict[str, object] | None = None

    def start(self) -> None:
        """Start it; does not wait."""
        self.ready = None
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.exists():  # why it ended may be all that is known of a crash
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        with self.log_path.open("wb") as logged:
            process = guard.guarded_popen(
                [sys.executable, "-m", "streams.cli", *self.arguments],
                env={**os.environ, **self.settings.environment()},
                stdout=subprocess.PIPE,
                stderr=logged,
            )
        self.process = process
        threading.Thread(target=self._listen, args=(process,), daemon=True, name=f"{self.name}-out").start()

    def _listen(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if process is self.process and self.ready is None and line.startswith(b"{"):
                self.ready = json.loads(line)

    def alive(self) -> bool:
        """Whether the process runs."""
        return _alive(self.process)

    def last_words(self) -> str:
        """The last lines of its log, on one line."""
        try:
            lines = self.log_path.read_text(errors="replace").strip().splitlines()
        except FileNotFoundError:
            lines = []
        return " | ".join(line.strip() for line in lines[-3:]) or f"nothing in {self.log_path}"

    def stop(self) -> None:
        """SIGTERM, SIGKILL ten seconds later."""
        if self.process is not None:
            guard.stop(self.process, 10.0)


class Services:
    """Embedded Kafka and Qdrant (where no external ones are set), workers and gateway; a context manager.

    `say` is told of each step. `interrupted`, once set, ends the start with KeyboardInterrupt.
    """

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None] = lambda _: None,
        interrupted: threading.Event | None = None,
    ) -> None:
        self.settings, self.say = settings, say
        self._interrupted = interrupted or threading.Event()
        self.addresses: Addresses | None = None
        self._broker: EmbeddedBroker | None = None
        self._children: list[Child] = []
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None
        self._metrics: Callable[[], None] = lambda: None

    def start(self) -> Addresses:
        """Start everything and return when both workers have their partitions and the gateway answers."""
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> Addresses:
        settings = self.settings
        for folder in (settings.data_dir, settings.inline_dir, settings.data_dir / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        if settings.media_root is None:
            settings.media_dir.mkdir(parents=True, exist_ok=True)
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        vectors = Child("vectors", ["vectors"], settings)
        if settings.qdrant is None:
            self.say("starting embedded Qdrant")
            self._children.append(vectors)
            vectors.start()
        bootstrap = self._kafka()
        if settings.qdrant is None:
            self._wait_ready([vectors], deadline_s)
        of_workers = settings.model_copy(update={"kafka": bootstrap, "metrics_port": 0})
        self.say("starting both apps and the gateway")
        workers = [Child(f"worker-{app}", ["worker", app], of_workers) for app in topology.APPS]
        port, self._metrics = serve_federated(settings.bind, settings.metrics_port, lambda: _ports(workers))
        metrics = f"http://{settings.bind}:{port}/metrics"
        of_gateway = of_workers.model_copy(update={"metrics_urls": frozenset({metrics})})
        gateway = Child("gateway", ["gateway"], of_gateway)
        workers.append(gateway)
        self._children += workers
        for worker in workers:
            worker.start()
        self._wait_ready(workers, max(deadline_s, time.monotonic() + 30.0))
        self.addresses = Addresses(
            kafka=bootstrap,
            metrics=metrics,
            data_dir=str(settings.data_dir),
            media_root=str(settings.media_dir),
            gateway=str((gateway.ready or {})["gateway"]),
        )
        self._watch = threading.Thread(target=self._watch_over, daemon=True, name="watch")
        self._watch.start()
        return self.addresses

    def _wait_ready(self, children: list[Child], deadline_s: float) -> None:
        """Return when all are ready; ServiceError when one ended or the monotonic deadline passed."""
        while waiting := [child for child in children if child.ready is None]:
            for child in waiting:
                if not child.alive() or time.monotonic() > deadline_s:
                    ended = "did not become ready in time" if child.alive() else "ended at once"
                    raise ServiceError(f"{child.name} {ended}: {child.last_words()}")
            if self._interrupted.wait(_POLL_S):
                raise KeyboardInterrupt

    def _kafka(self) -> str:
        if self.settings.kafka is not None:
            return self.settings.kafka
        self.say("starting embedded Kafka")
        self._broker = EmbeddedBroker(self.settings.data_dir, mirror=self.settings.maven_mirror)
        return self._broker.start()

    def _watch_over(self) -> None:
        """Start again what died, with growing pauses for what keeps dying."""
        pauses: dict[str, _Pause] = {}
        while not self._stopping.wait(_POLL_S * 2):
            if self._broker is not None and not _alive(self._broker.process):
                log.warning("the broker ended; starting it again")
                self._again("broker", self._restart_broker, pauses)
            for child in self._children:
                if not child.alive():
                    log.warning("%s ended (%s); starting it again", child.name, child.last_words())
                    self._again(child.name, child.start, pauses)

    def _restart_broker(self) -> None:
        """On the same port, which is what the workers know it by."""
        assert self._broker is not None
        assert self.addresses is not None
        self._broker.stop()
        port = int(self.addresses.kafka.rpartition(":")[2])
        self._broker = EmbeddedBroker(self.settings.data_dir, port=port, mirror=self.settings.maven_mirror)
        self._broker.start()

    def _again(self, name: str, start: Callable[[], None], pauses: dict[str, "_Pause"]) -> None:
        pause, now_s = pauses.get(name), time.monotonic()
        if pause is None or now_s - pause.since_s > _SETTLED_S:
            pause = _Pause(_FIRST_PAUSE_S, now_s)
        pauses[name] = _Pause(min(2 * pause.seconds, _LONGEST_PAUSE_S), now_s)
        if self._stopping.wait(pause.seconds):
            return
        try:
            start()
        except Exception as error:
            log.warning("%s could not be started: %s", name, error)

    def stop(self) -> None:
        """Stop workers, then Qdrant, then Kafka; harmless when nothing runs."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.join(timeout=5.0)
        self._metrics()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(Child.stop, [child for child in self._children if child.name != "vectors"]))
        for child in self._children:  # what the workers had in hand may have needed it
            child.stop()
        if self._broker is not None:
            self._broker.stop()

    def __enter__(self) -> "Services":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _alive(process: "subprocess.Popen[bytes] | None") -> bool:
    return process is not None and process.poll() is None


def _ports(workers: list[Child]) -> dict[str, int]:
    """Where each worker that is up serves its metrics."""
    found = {}
    for worker in workers:
        if worker.ready is not None and worker.alive():
            found[worker.name] = int(str(worker.ready["metrics_port"]))
    return found
