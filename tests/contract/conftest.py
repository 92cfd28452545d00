"""The back ends of the vector store, each behind the same synchronous front.

`embedded`: the engine behind its socket. `local`: qdrant-client's brute force. `rest`: the same behind HTTP,
so that what travels is what a server would read. `server`: a real one, when LOOKSTREAM_TEST_QDRANT names it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import TypeAdapter
from qdrant_client import AsyncQdrantClient, models

from vectorstore.base import VectorStore
from vectorstore.embedded import EmbeddedStore
from vectorstore.engine import Engine
from vectorstore.server import ServerStore
from vectorstore.service import VectorService

DIM = 16
SERVER = os.environ.get("LOOKSTREAM_TEST_QDRANT")
BACKENDS = ["embedded", "local", "rest", *(["server"] if SERVER else [])]


class SyncStore:
    """A store whose every method runs to its end on a loop of its own."""

    def __init__(self, runner: asyncio.Runner, store: VectorStore) -> None:
        self.runner, self.store = runner, store

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.store, name)
        return lambda *args, **named: self.runner.run(method(*args, **named))


@contextlib.asynccontextmanager
async def embedded(directory: Path, model: str) -> AsyncIterator[VectorStore]:
    """On a memory-backed directory where there is one: making shards waits for the disk some 20 times."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30
    with tempfile.TemporaryDirectory(dir=memory if roomy else directory) as name:
        async with serving(Path(name), model) as store:
            yield store


@contextlib.asynccontextmanager
async def serving(directory: Path, model: str) -> AsyncIterator[VectorStore]:
    engine = Engine(directory / "vectors", model, DIM)
    socket_path = directory / "socket" / "v.sock"
    async with VectorService(engine).listening(socket_path):
        store = EmbeddedStore(socket_path, model=model, dim=DIM)
        yield store
        await store.close()
    engine.close()


@contextlib.asynccontextmanager
async def local(directory: Path, model: str) -> AsyncIterator[VectorStore]:
    store = await ServerStore.over(AsyncQdrantClient(":memory:"), model=model, dim=DIM)
    yield store
    await store.close()


@contextlib.asynccontextmanager
async def rest(directory: Path, model: str) -> AsyncIterator[VectorStore]:
    behind = AsyncQdrantClient(":memory:")
    site_runner = web.AppRunner(rest_app(behind), access_log=None)
    await site_runner.setup()
    await web.TCPSite(site_runner, "127.0.0.1", 0).start()
    host, port = site_runner.addresses[0]
    store = await ServerStore.open(f"http://{host}:{port}", None, model=model, dim=DIM)
    yield store
    await store.close()
    await site_runner.cleanup()
    await behind.close()


@contextlib.asynccontextmanager
async def server(directory: Path, model: str) -> AsyncIterator[VectorStore]:
    client = AsyncQdrantClient(url=SERVER, timeout=30)
    store = await ServerStore.over(client, model=model, dim=DIM)
    yield store
    for collection in (await client.get_collections()).collections:
        if model in collection.name:
            await client.delete_collection(collection.name)
    await store.close()


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SyncStore]:
    """An empty store of embeddings (DIM,)."""
    opening = {"embedded": embedded, "local": local, "rest": rest, "server": server}[request.param]
    with asyncio.Runner() as runner, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Payload indexes have no effect", UserWarning)
        warnings.filterwarnings("ignore", "Local mode performs exact", UserWarning)
        context = opening(tmp_path, f"test-{uuid.uuid4().hex}")
        yield SyncStore(runner, runner.run(context.__aenter__()))
        runner.run(context.__aexit__(None, None, None))


def rest_app(behind: AsyncQdrantClient) -> web.Application:
    """As much of Qdrant's HTTP interface as lookstream uses, on qdrant-client's local mode."""

    async def exists(name: str, body: Any) -> Any:
        return models.CollectionExistence(exists=await behind.collection_exists(name))

    async def create(name: str, body: models.CreateCollection) -> Any:
        return await behind.create_collection(name, body.vectors, body.sparse_vectors)

    async def describe(name: str, body: Any) -> Any:
        return await behind.get_collection(name)

    async def index(name: str, body: models.CreateFieldIndex) -> Any:
        return await behind.create_payload_index(name, body.field_name, body.field_schema)

    async def batch(name: str, body: models.UpdateOperations) -> Any:
        return await behind.batch_update_points(name, body.operations)

    async def query_batch(name: str, body: models.QueryRequestBatch) -> Any:
        return await behind.query_batch_points(name, body.searches)

    async def query(name: str, body: models.QueryRequest) -> Any:
        return (await behind.query_batch_points(name, [body]))[0]

    async def scroll(name: str, body: models.ScrollRequest) -> Any:
        points, offset = await behind.scroll(
            name, body.filter, body.limit or 10, offset=body.offset, with_vectors=body.with_vector or False
        )
        return models.ScrollResult(points=points, next_page_offset=offset)

    async def retrieve(name: str, body: models.PointRequest) -> Any:
        return await behind.retrieve(name, body.ids)

    async def upsert(name: str, body: models.PointsList) -> Any:
        return await behind.upsert(name, body.points)

    async def count(name: str, body: models.CountRequest) -> Any:
        return await behind.count(name, body.filter)

    async def delete(name: str, body: models.FilterSelector) -> Any:
        return await behind.delete(name, body)

    def route(method: str, path: str, act: Callable[[str, Any], Any]) -> web.RouteDef:
        body_type = TypeAdapter(act.__annotations__["body"], config={"arbitrary_types_allowed": True})

        async def handle(request: web.Request) -> web.Response:
            text = await request.text()
            with_types = {"models": models, "Any": Any}
            body_type.rebuild(_types_namespace=with_types)
            result = await act(request.match_info["name"], body_type.validate_json(text) if text else None)
            answer = TypeAdapter(dict[str, Any]).dump_json({"time": 0.0, "status": "ok", "result": result})
            return web.Response(body=answer, content_type="application/json")

        return web.route(method, "/collections/{name}" + path, handle)

    app = web.Application(client_max_size=32 << 20)
    app.add_routes(
        [
            route("GET", "/exists", exists),
            route("PUT", "", create),
            route("GET", "", describe),
            route("PUT", "/index", index),
            route("POST", "/points/batch", batch),
            route("POST", "/points/query/batch", query_batch),
            route("POST", "/points/query", query),
            route("POST", "/points/scroll", scroll),
            route("POST", "/points", retrieve),
            route("PUT", "/points", upsert),
            route("POST", "/points/count", count),
            route("POST", "/points/delete", delete),
        ]
    )
    return app
