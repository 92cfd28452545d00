"""Whatever a client sends, the owner goes on serving the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vectorstore import wire
from vectorstore.base import (
    EngineFailure,
    GarmentPoint,
    GarmentQuery,
    InvalidRequest,
    VectorStoreUnavailable,
)
from vectorstore.embedded import EmbeddedStore
from vectorstore.engine import Engine
from vectorstore.service import VectorService

DIM = 8
AXIS = np.eye(DIM, dtype=np.float32)[0]
GARMENT_ID = "00000000-0000-0000-0000-000000000001"
PAYLOAD = {"part": "upper", "in_stock": 1, "product_key": 1, "indexed_at": 1.0}
DEADLINE_S = 30


class Serving:
    """An owner on this loop, its engine, and ways to talk to it."""

    def __init__(self, engine: Engine, service: VectorService, socket_path: Path) -> None:
        self.engine, self.service, self.socket_path = engine, service, socket_path

    def store(self, **named: Any) -> EmbeddedStore:
        return EmbeddedStore(self.socket_path, **{"model": "m", "dim": DIM, **named})

    async def raw(self, data: bytes) -> list[Any]:
        """What comes back for these bytes until the owner closes or falls silent at our end of stream."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket_path))
        writer.write(data)
        writer.write_eof()
        answers = []
        while (message := await wire.read_frame(reader)) is not None:
            answers.append(message)
        writer.close()
        return answers


def serve(tmp_path: Path, scenario: Callable[[Serving], Awaitable[None]]) -> None:
    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[Serving]:
        engine = Engine(tmp_path / "vectors", "m", DIM)
        service = VectorService(engine)
        async with service.listening(tmp_path / "private" / "v.sock"):
            yield Serving(engine, service, tmp_path / "private" / "v.sock")
        engine.close()

    async def main() -> None:
        async with running() as serving, asyncio.timeout(DEADLINE_S):
            await scenario(serving)

    asyncio.run(main())


def test_malformed_frames_are_answered_and_end_only_their_connection(tmp_path: Path) -> None:
    async def scenario(serving: Serving) -> None:
        bystander = serving.store()
        await bystander.replace_product("p", [GarmentPoint(GARMENT_ID, "p", AXIS, dict(PAYLOAD))])
        count = wire.frame([1, "count", {}])
        for bad in (
            b"\xff\xff\xff\xff",
            (wire.MAX_FRAME_BYTES + 1).to_bytes(4, "big") + b"x" * 100,
            b"\x00\x00\x00\x00",
            b"\x00\x00\x00\x03\xc1\xc1\xc1",
            b"GET / HTTP/1.1\r\n\r\n",
            wire.frame(["not", "a", "request"]),
            wire.frame([]),
            wire.frame({"op": "count"}),  # type: ignore[arg-type]
        ):
            first, error, *rest = await serving.raw(count + bad + count)
            assert first == [1, None, 1]
            assert error[0] is None
            assert error[1][0] == "invalid"
            assert rest == []
        for cut in (b"", b"\x00\x00", count[:-1]):
            assert await serving.raw(count + cut) == [[1, None, 1]]
        assert await bystander.count() == 1
        await bystander.close()

    serve(tmp_path, scenario)


def test_bad_arguments_are_the_callers_fault_and_the_connection_goes_on(tmp_path: Path) -> None:
    query: dict[str, Any] = {
        "embedding": AXIS.tobytes(),
        "k": 3,
        "filter": {
            "parts": None,
            "in_stock_only": True,
            "excluded": b"",
            "genders": None,
            "age_groups": None,
        },
    }
    bad: list[tuple[str, dict[str, Any]]] = [
        ("shutdown", {}),
        ("__init__", {}),
        ("query", {}),
        ("query", {"queries": 5, "with_embeddings": False}),
        ("query", {"queries": [{**query, "k": 2**62}], "with_embeddings": False}),
        ("query", {"queries": [{**query, "k": -1}], "with_embeddings": False}),
        ("query", {"queries": [{**query, "embedding": b"abc"}], "with_embeddings": False}),
        ("query", {"queries": [{**query, "embedding": bytes(4 * DIM)}], "with_embeddings": False}),
        (
            "query",
            {"queries": [{**query, "filter": {**query["filter"], "excluded": b"odd"}}], "with_embeddings": 0},
        ),
        (
            "query",
            {"queries": [{**query, "filter": {**query["filter"], "parts": [1]}}], "with_embeddings": 0},
        ),
        ("query", {"queries": [{**query, "filter": {**query["filter"], "parts": []}}], "with_embeddings": 0}),
        ("newest", {"k": "many", "filter": query["filter"]}),
        ("replace_product", {"product_id": "p", "garments": [1, 2]}),
        ("replace_product", {"product_id": None, "garments": wire.pack_garments([])}),
        ("fetch_products", {"product_ids": "p"}),
        ("fetch_products", {"product_ids": [b"\xff"]}),
        ("update_payload", {"product_id": "p", "changes": [["in_stock", 1]]}),
        ("update_payload", {"product_id": "p", "changes": {"in_stock": "yes"}}),
        ("delete_product", {"product_id": ["p"]}),
        ("put_records", {"records": {"p": "text"}}),
        ("replace_tastes", {"user_ids": ["u"], "tastes": None}),
        ("nearest_tastes", {"embedding": AXIS.tobytes(), "k": 1, "parts": "upper"}),
        ("hello", {"protocol": 0, "model": "m", "dim": DIM}),
    ]

    async def scenario(serving: Serving) -> None:
        requests = [wire.frame([number, *request]) for number, request in enumerate(bad)]
        answers = await serving.raw(b"".join(requests) + wire.frame([99, "count", {}]))
        assert answers.pop() == [99, None, 0]
        for request, answer in zip(bad, answers, strict=True):
            assert answer[1] is not None, request
            assert answer[1][0] == "invalid", (request, answer)

    serve(tmp_path, scenario)


def test_clients_take_turns(tmp_path: Path) -> None:
    async def scenario(serving: Serving) -> None:
        greedy, modest = serving.store(), serving.store()
        await asyncio.gather(greedy.count(), modest.count())
        answered: list[int] = []
        first = asyncio.Event()

        async def ask(number: int) -> None:
            await greedy.query([GarmentQuery(AXIS, 1)] * 16)
            answered.append(number)
            first.set()

        flood = [asyncio.create_task(ask(number)) for number in range(200)]
        await first.wait()  # the owner has the flood in its buffers now
        before = len(answered)
        await modest.count()
        assert len(answered) - before < 50
        await asyncio.gather(*flood)
        await asyncio.gather(greedy.close(), modest.close())

    serve(tmp_path, scenario)


def test_answers_find_whoever_asked_and_giving_up_harms_nobody(tmp_path: Path) -> None:
    async def scenario(serving: Serving) -> None:
        store = serving.store()
        await store.put_records({f"p{number}": bytes([number]) for number in range(100)})

        async def ask(number: int) -> None:
            assert await store.get_records([f"p{number}"]) == {f"p{number}": bytes([number])}

        tasks = [asyncio.create_task(ask(number)) for number in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results[::3]] == [asyncio.CancelledError] * 34
        assert [result for number, result in enumerate(results) if number % 3] == [None] * 66
        await store.close()

    serve(tmp_path, scenario)


def test_failures_of_the_engine_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        pass

    def fail(error: BaseException) -> Callable[..., Any]:
        def act(*arguments: Any) -> Any:
            raise error

        return act

    async def scenario(serving: Serving) -> None:
        store = serving.store(retry_s=0.05)
        monkeypatch.setattr(serving.engine, "query", fail(Exception("No space left on device")))
        with pytest.raises(EngineFailure, match="No space left on device"):
            await store.query([GarmentQuery(AXIS, 1)])
        assert await store.count() == 0
        monkeypatch.setattr(serving.engine, "query", fail(Panic("poisoned")))
        with pytest.raises(VectorStoreUnavailable):
            await store.query([GarmentQuery(AXIS, 1)])
        await serving.service.ended.wait()
        assert isinstance(serving.service.panic, Panic)
        await store.close()

    serve(tmp_path, scenario)


def test_answers_that_are_too_large_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(serving: Serving) -> None:
        store = serving.store()
        await store.put_records({f"p{number}": bytes(4000) for number in range(8)})
        monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 20_000)
        with pytest.raises(InvalidRequest, match="ask for less"):
            await store.get_records([f"p{number}" for number in range(8)])
        assert len(await store.get_records(["p1", "p2"])) == 2
        await store.close()

    serve(tmp_path, scenario)


def test_a_silent_owner_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(serving: Serving) -> None:
        store = serving.store(timeout_s=0.1)
        await store.count()
        monkeypatch.setattr(serving.service, "_answer", lambda message: b"")
        with pytest.raises(VectorStoreUnavailable, match=r"count: no answer within 0\.1 s"):
            await store.count()
        await store.close()

    serve(tmp_path, scenario)


def test_a_socket_that_others_could_have_put_there_is_not_used(tmp_path: Path) -> None:
    async def scenario(serving: Serving) -> None:
        serving.socket_path.parent.chmod(0o777)
        store = serving.store(retry_s=0.05)
        with pytest.raises(PermissionError, match="open to other users"):
            await store.count()
        await store.close()

    serve(tmp_path, scenario)
