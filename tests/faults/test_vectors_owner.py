"""The owner process of the embedded store: killed, restarted, started twice, in awkward places."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vectorstore.base import GarmentPoint, GarmentQuery, ModelMismatch, VectorStoreUnavailable
from vectorstore.embedded import EmbeddedStore
from vectorstore.open import open_store

DIM = 32
READY_WITHIN_S = 60


def arguments(data_dir: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "vectorstore", "--data-dir", str(data_dir)),
        *("--model", "test", "--dim", str(DIM), *more),
    ]


class Owner:
    """A running owner; `socket` as it reported it."""

    def __init__(self, data_dir: Path, *more: str) -> None:
        self.process = subprocess.Popen(arguments(data_dir, *more), stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], READY_WITHIN_S)
        assert ready, "no ready line"
        self.socket = Path(json.loads(self.process.stdout.readline())["socket"])

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(READY_WITHIN_S)


@contextlib.contextmanager
def owner(data_dir: Path, *more: str) -> Iterator[Owner]:
    running = Owner(data_dir, *more)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        assert running.process.stdout is not None
        running.process.stdout.close()


def client(socket: Path, **named: Any) -> EmbeddedStore:
    return EmbeddedStore(socket, **{"model": "test", "dim": DIM, **named})


def garment(number: int) -> GarmentPoint:
    embedding = np.random.default_rng(number).normal(size=DIM).astype(np.float32)
    embedding /= np.linalg.norm(embedding)
    payload = {"part": "upper", "in_stock": 1, "product_key": number, "indexed_at": float(number)}
    return GarmentPoint(str(uuid.UUID(int=number)), f"p{number}", embedding, payload)


async def put(store: EmbeddedStore, *numbers: int) -> None:
    for number in numbers:
        await store.replace_product(f"p{number}", [garment(number)])


def test_killed_owner_loses_nothing_acknowledged(tmp_path: Path) -> None:
    async def write(socket: Path) -> None:
        store = client(socket)
        for start in range(0, 1000, 50):
            await asyncio.gather(*(put(store, number) for number in range(start, start + 50)))
        await store.put_records({f"p{number}": str(number).encode() for number in range(1000)})
        await store.update_payload("p7", {"in_stock": 0})
        await store.delete_product("p8")
        await store.close()

    async def read(socket: Path) -> None:
        store = client(socket)
        assert await store.count() == 999
        names = [f"p{number}" for number in range(1000)]
        fetched = await store.fetch_products(names)
        assert set(names) - set(fetched) == {"p8"}
        for number in (0, 500, 999):
            np.testing.assert_allclose(
                fetched[f"p{number}"][0].embedding, garment(number).embedding, atol=1e-6
            )
        assert fetched["p7"][0].payload["in_stock"] == 0
        assert await store.get_records(names) == {name: name[1:].encode() for name in names}
        [hits] = await store.query([GarmentQuery(garment(3).embedding, 1)])
        assert hits[0].product_id == "p3"
        await store.close()

    with owner(tmp_path) as first:
        asyncio.run(write(first.socket))
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
        assert first.socket.exists()
    with owner(tmp_path) as second:
        asyncio.run(read(second.socket))


def test_terminated_owner_ends_cleanly(tmp_path: Path) -> None:
    with owner(tmp_path) as running:
        asyncio.run(put(client(running.socket), 1))
        assert running.end(signal.SIGTERM) == 0
        assert not running.socket.exists()
    with owner(tmp_path) as again:
        assert asyncio.run(client(again.socket).count()) == 1


def test_a_second_owner_is_refused_in_one_line(tmp_path: Path) -> None:
    with owner(tmp_path) as first:
        second = subprocess.run(arguments(tmp_path), capture_output=True, text=True, timeout=READY_WITHIN_S)
        assert second.returncode == 1
        assert second.stdout == ""
        assert second.stderr == (
            f"error: {tmp_path}/vectors is already in use by process {first.process.pid}; "
            "stop it or choose another --data-dir\n"
        )
        assert asyncio.run(client(first.socket).count()) == 0


def test_clients_outlive_a_restart_of_the_owner(tmp_path: Path) -> None:
    async def scenario() -> None:
        with owner(tmp_path) as first:
            store = client(first.socket)
            await put(store, 1)
            first.end(signal.SIGKILL)
            waiting = [asyncio.create_task(put(store, number)) for number in range(2, 12)]
            await asyncio.sleep(0)
        with contextlib.ExitStack() as stack:
            await asyncio.to_thread(stack.enter_context, owner(tmp_path))  # the tasks keep trying meanwhile
            await asyncio.gather(*waiting)
            assert await store.count() == 11
            await store.close()

    asyncio.run(scenario())


def test_without_an_owner_calls_fail_after_bounded_retries(tmp_path: Path) -> None:
    async def scenario() -> None:
        socket = tmp_path / "private" / "none.sock"
        with pytest.raises(VectorStoreUnavailable, match=r"count: no answer .*'lookstream vectors'"):
            await client(socket, retry_s=0.1).count()
        socket.parent.mkdir(mode=0o700)
        store = client(socket, retry_s=0.1)
        with pytest.raises(VectorStoreUnavailable, match=str(socket)):
            await put(store, 1)
        await store.close()
        with pytest.raises(VectorStoreUnavailable, match="closed"):
            await store.count()

    asyncio.run(scenario())


def test_a_long_data_directory_has_its_socket_elsewhere(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 30)
    with owner(data_dir) as running:
        assert len(os.fsencode(running.socket)) < 104
        assert not running.socket.is_relative_to(data_dir)
        assert stat.S_IMODE(running.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(running.socket.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE((data_dir / "vectors").stat().st_mode) == 0o700
        asyncio.run(put(client(running.socket), 1))
        assert running.end(signal.SIGTERM) == 0


def test_models_do_not_mix(tmp_path: Path) -> None:
    async def scenario(socket: Path) -> None:
        store = await open_store(url=None, api_key=None, socket_path=socket, model="test", dim=DIM)
        await store.replace_product("p1", [garment(1)])
        await store.close()
        for model, dim in (("other", DIM), ("test", DIM + 1)):
            with pytest.raises(ModelMismatch, match=f"expected '{model}' with {dim}"):
                await open_store(url=None, api_key=None, socket_path=socket, model=model, dim=dim)

    with owner(tmp_path) as first:
        asyncio.run(scenario(first.socket))
        first.end(signal.SIGTERM)
    with owner(tmp_path, "--model", "other") as second:
        assert asyncio.run(client(second.socket, model="other").count()) == 0
        second.end(signal.SIGTERM)
    with owner(tmp_path) as third:
        assert asyncio.run(client(third.socket).count()) == 1
        third.end(signal.SIGTERM)
    claims = [json.loads(path.read_text()) for path in tmp_path.glob("vectors/*/model.json")]
    assert sorted(claim["model"] for claim in claims) == ["other", "test"]
    for path in tmp_path.glob("vectors/*/model.json"):
        path.write_text(json.dumps({"format": 1, "model": "forged", "dim": DIM}))
    refused = subprocess.run(arguments(tmp_path), capture_output=True, text=True, timeout=READY_WITHIN_S)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "forged" in refused.stderr


def test_what_a_killed_start_or_optimisation_left_is_cleared(tmp_path: Path) -> None:
    with owner(tmp_path) as first:
        asyncio.run(put(client(first.socket), 1))
        first.end(signal.SIGKILL)
    [garments] = tmp_path.glob("vectors/*/garments")
    (garments / "temp_segments" / "half").mkdir(parents=True)
    (garments / "temp_segments" / "half" / "built").write_bytes(bytes(1000))
    [tastes] = tmp_path.glob("vectors/*/tastes")
    tastes.rename(tastes.with_name("tastes.new"))
    with owner(tmp_path) as second:
        assert asyncio.run(client(second.socket).count()) == 1
        assert not (garments / "temp_segments" / "half").exists()
        assert not tastes.with_name("tastes.new").exists()
        second.end(signal.SIGTERM)


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    with owner(tmp_path) as first:
        first.end(signal.SIGTERM)
    [garments] = tmp_path.glob("vectors/*/garments")
    (garments / "edge_config.json").write_text("{")
    refused = subprocess.run(arguments(tmp_path), capture_output=True, text=True, timeout=READY_WITHIN_S)
    assert refused.returncode == 1
    assert f"error: cannot open {garments}: " in refused.stderr
