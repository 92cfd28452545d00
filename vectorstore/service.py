"""The owner of the embedded vector store: one process, one thread, a Unix socket.

In: requests of `vectorstore.wire` from any number of clients. Out: answers in the order of each connection's
requests; connections take turns request by request. What can fail: another owner (`DirectoryInUse`), files
of another model or damaged ones at the start, a panic of the engine. What a client sends can end at most its
own connection. Ends on SIGTERM or SIGINT with everything flushed; killed, it loses nothing acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

from vectorstore import wire
from vectorstore.base import EngineFailure
from vectorstore.engine import Engine
from vectorstore.lock import DirectoryLock
from vectorstore.operations import is_work, perform
from vectorstore.paths import make_private, vectors_directory

MAINTENANCE_EVERY_S: Final = 1.0

log = logging.getLogger(__name__)


def serve_vectors(
    data_dir: Path,
    socket_path: Path,
    *,
    model: str,
    dim: int,
    ready: Callable[[], None] | None = None,
) -> None:
    """Own `<data_dir>/vectors` and answer on `socket_path` until told to stop; calls `ready` when it listens.

    Raises DirectoryInUse, ModelMismatch, EngineFailure or OSError before `ready`, EngineFailure after it when
    the engine panicked. Takes the process over: umask, and the signals if called on the main thread.
    """
    os.umask(0o077)
    directory = make_private(vectors_directory(data_dir))
    with DirectoryLock(directory):
        engine = Engine(directory, model, dim)
        try:
            asyncio.run(_serve(VectorService(engine), socket_path, ready))
        finally:
            engine.close()


async def _serve(service: VectorService, socket_path: Path, ready: Callable[[], None] | None) -> None:
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, service.ended.set)
    async with service.listening(socket_path):
        if ready is not None:
            ready()
        await service.ended.wait()
    if service.panic is not None:
        raise EngineFailure(f"the engine panicked: {service.panic}")


class VectorService:
    """Answers clients with an `Engine`, on the running event loop.

    Attributes:
        ended: set to stop serving.
        panic: what the engine panicked with; its state is unknown then, its log on disk is not.
    """

    def __init__(self, engine: Engine) -> None:
        self.ended = asyncio.Event()
        self.panic: BaseException | None = None
        self._engine = engine
        self._clients: set[asyncio.Task[None]] = set()
        self._last_work = 0.0

    @contextlib.asynccontextmanager
    async def listening(self, socket_path: Path) -> AsyncIterator[None]:
        """Listen on `socket_path` (0600, in a private directory), replacing a stale socket."""
        server = await asyncio.start_unix_server(self._converse, sock=_bound(socket_path))
        self._last_work = asyncio.get_running_loop().time()
        maintenance = asyncio.create_task(self._maintain())
        try:
            yield
        finally:
            server.close()
            tasks = [*self._clients, maintenance]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            _remove(socket_path)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            while (message := await wire.read_frame(reader)) is not None:
                writer.write(self._answer(message))
                await writer.drain()
                await asyncio.sleep(0)  # whatever this client has sent already, it is the others' turn
        except wire.MalformedFrame as error:
            writer.write(wire.error_answer(None, error))
        except (OSError, asyncio.CancelledError):  # the client is gone, or the service stops
            pass
        finally:
            self._clients.discard(task)
            writer.close()

    def _answer(self, message: Any) -> bytes:
        request_id, operation, arguments = wire.request_of(message)
        if is_work(operation):
            self._last_work = asyncio.get_running_loop().time()
        try:
            return wire.frame([request_id, None, perform(self._engine, operation, arguments)])
        except Exception as error:
            return wire.error_answer(request_id, error)
        except BaseException as panic:  # Rust's panics are no Exception
            self.panic = panic
            self.ended.set()
            raise OSError("the engine panicked") from panic

    async def _maintain(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(MAINTENANCE_EVERY_S)
            try:
                self._engine.maintain(loop.time() - self._last_work)
            except Exception:
                log.exception("maintenance of the vector store failed; it goes on without")


def _bound(path: Path) -> socket.socket:
    make_private(path.parent)
    _remove(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound.bind(str(path))
    path.chmod(0o600)
    return bound


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
