"""The gateway's process: services opened, HTTP served, a line on stdout when it is ready.

In: settings. Out: it runs until SIGTERM or SIGINT. Fails at the start with a clear error where Kafka, the
vector store, the shelf or the port are not to be had.
"""

import asyncio
import contextlib
import json
import logging
import random
import socket
from pathlib import Path
from typing import Any, Final

import uvicorn
from prometheus_client import start_http_server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from models.vision import Vision
from streams.gateway.app import serve
from streams.gateway.core import Gateway
from streams.gateway.event_stream import TRANSPORT
from streams.gateway.identity import open_tokens
from streams.gateway.sending import KafkaSender
from streams.gateway.shelf import Shelf
from streams.kafka.admin import create_topics, wait_for_kafka
from streams.kafka.topics import topic_specs
from streams.services import aiokafka_config, open_configured_look_vision, open_configured_store
from streams.settings import Settings, SettingsError

log = logging.getLogger(__name__)
_KAFKA_WITHIN_S: Final = 60.0
_CAUGHT_UP_WITHIN_S: Final = 10.0
_HEADERS_WITHIN_S: Final = 10.0
_STOP_WITHIN_S: Final = 3
_UNSENT_BYTES: Final = 16_384
_BACKLOG: Final = 2048
_OPEN_FILES: Final = 65_536
# Below the ports that systems give to outgoing connections, which could otherwise take ours between two runs.
_PORTS: Final = range(20_000, 32_000)
_TRIES: Final = 20


class _Protocol(HttpToolsProtocol):
    """uvicorn's, which also tells handlers their transport and waits for headers only so long."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience = self.loop.call_later(_HEADERS_WITHIN_S, self._abort_idle)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[TRANSPORT] = self.transport  # type: ignore[typeddict-unknown-key]
        if self._patience is None:
            self._patience = self.loop.call_later(_HEADERS_WITHIN_S, self._abort_idle)

    def on_headers_complete(self) -> None:
        self._no_patience()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_patience()
        super().connection_lost(exc)

    def _no_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _abort_idle(self) -> None:
        self.transport.abort()


class _Server(uvicorn.Server):
    """uvicorn's, which ends event streams before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gateway.hub.close()
        await super().shutdown(sockets)


def run_gateway(settings: Settings) -> None:
    """Run the gateway until told to stop."""
    client = settings.kafka_client()
    tokens = open_tokens(settings)
    wait_for_kafka(client, _KAFKA_WITHIN_S)
    create_topics(client, topic_specs(settings))
    _raise_open_files()
    listener = _listen(settings)
    with Shelf(settings.data_dir / "gateway" / "shelf") as shelf, listener:
        config = uvicorn.Config("", loop="auto", lifespan="off")  # only for the loop
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_run(settings, shelf, tokens, listener))


async def _run(settings: Settings, shelf: Shelf, tokens: Any, listener: socket.socket) -> None:
    store = await open_configured_store(settings)
    sender = KafkaSender(aiokafka_config(settings))
    await sender.start()
    gateway = Gateway(settings, store, shelf, sender, tokens, lambda: _vision(settings))
    page, _ = start_http_server(settings.metrics_port, settings.bind, gateway.metrics.registry)
    server = _Server(_config(settings, gateway), gateway)
    gateway.start()
    telling = asyncio.create_task(_tell_ready(gateway, server, listener, page.server_port))
    try:
        await server.serve(sockets=[listener])
    finally:
        telling.cancel()
        await gateway.stop()
        await sender.stop()
        await store.close()
        page.shutdown()


def _vision(settings: Settings) -> Vision:
    return open_configured_look_vision(settings)


def _config(settings: Settings, gateway: Gateway) -> uvicorn.Config:
    return uvicorn.Config(
        serve(gateway),
        http=_Protocol,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        proxy_headers=bool(settings.gateway_proxies),
        forwarded_allow_ips=sorted(settings.gateway_proxies),
        timeout_graceful_shutdown=_STOP_WITHIN_S,
    )


async def _tell_ready(gateway: Gateway, server: _Server, listener: socket.socket, metrics_port: int) -> None:
    """Say that it is ready once it has caught up, or after a while that it listens."""
    await server.listening.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CAUGHT_UP_WITHIN_S):
            await gateway.wait_caught_up()
    gateway.metrics.ready.labels("gateway").set(1)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(json.dumps({"gateway": f"http://{shown}:{port}", "metrics_port": metrics_port}), flush=True)


def _listen(settings: Settings) -> socket.socket:
    """A listening socket: on the port that is set, else on the last one, else on a free one."""
    held = settings.data_dir / "gateway" / "port"
    held.parent.mkdir(parents=True, exist_ok=True)
    if settings.gateway_port:
        listener = _bound(settings.bind, settings.gateway_port)
    else:
        listener = _free(settings.bind, held)
    held.write_text(str(listener.getsockname()[1]))
    return listener


def _free(host: str, held: Path) -> socket.socket:
    """On the port of the last run where that is still free, else on another."""
    ports = random.sample(_PORTS, _TRIES)
    with contextlib.suppress(OSError, ValueError):
        ports.insert(0, int(held.read_text()))
    for port in ports:
        with contextlib.suppress(SettingsError):
            return _bound(host, port)
    return _bound(host, 0)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # A slow subscriber's sets wait where a newer one can take their place, not in the kernel.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(f"gateway_port: {host}:{port} is not to be had: {error.strerror}") from None
    listener.set_inheritable(False)
    return listener


def _raise_open_files() -> None:
    """A subscriber is an open file, and the usual limit is 1,024."""
    try:
        import resource
    except ImportError:  # not Unix
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
