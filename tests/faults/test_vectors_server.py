"""A Qdrant server that is away, overloaded, in another version or not a Qdrant server at all."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from aiohttp import web
from qdrant_client import AsyncQdrantClient, models

from vectorstore.base import EngineFailure, InvalidRequest, ModelMismatch, VectorStoreUnavailable
from vectorstore.open import open_store
from vectorstore.qdrant import VECTOR, Collections
from vectorstore.server import ServerStore


async def opening(url: str) -> None:
    store = await open_store(url=url, api_key=None, socket_path=None, model="m", dim=4)
    await store.close()


def answering(status: int, body: Any) -> None:
    """Open a store at a server that gives this answer to everything."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    async def scenario() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            await opening(f"http://127.0.0.1:{runner.addresses[0][1]}")
        finally:
            await runner.cleanup()

    asyncio.run(scenario())


def test_nobody_there() -> None:
    with socket.socket() as bound:  # bound but not listening: refused, and nobody else can take it
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(VectorStoreUnavailable, match="cannot reach the Qdrant server"):
            asyncio.run(opening(f"http://127.0.0.1:{bound.getsockname()[1]}"))


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_an_overloaded_server_is_unavailable(status: int) -> None:
    with pytest.raises(VectorStoreUnavailable):
        answering(status, {"status": {"error": "busy"}})


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_final(status: int) -> None:
    with pytest.raises(EngineFailure, match="refused"):
        answering(status, {"status": {"error": "no"}})


def test_something_else_answers() -> None:
    with pytest.raises(EngineFailure, match="not a Qdrant server's"):
        answering(200, {"hello": "world", "result": [1, 2]})


@pytest.mark.parametrize("url", ["localhost:6333", "grpc://localhost", ""])
def test_addresses_are_checked(url: str) -> None:
    with pytest.raises(InvalidRequest, match="Qdrant URL"):
        asyncio.run(opening(url))


def test_neither_server_nor_socket() -> None:
    with pytest.raises(InvalidRequest, match="neither"):
        asyncio.run(open_store(url=None, api_key=None, socket_path=None, model="m", dim=4))


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")
def test_a_collection_of_another_dimension_is_refused() -> None:
    async def scenario() -> None:
        client = AsyncQdrantClient(":memory:")
        vectors = {VECTOR: models.VectorParams(size=5, distance=models.Distance.COSINE)}
        await client.create_collection(Collections("m", 4).garments, vectors)
        with pytest.raises(ModelMismatch, match="has 5 dimensions, expected 4"):
            await ServerStore.over(client, model="m", dim=4)
        await client.close()

    asyncio.run(scenario())


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")
def test_an_update_that_is_not_finished_is_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        client = AsyncQdrantClient(":memory:")
        store = await ServerStore.over(client, model="m", dim=4)
        late = models.UpdateResult(operation_id=1, status=models.UpdateStatus.ACKNOWLEDGED)

        async def upsert(*arguments: Any, **named: Any) -> models.UpdateResult:
            return late

        monkeypatch.setattr(client, "upsert", upsert)
        with pytest.raises(VectorStoreUnavailable, match="has not finished"):
            await store.put_records({"p": b"x"})
        await store.close()

    asyncio.run(scenario())
