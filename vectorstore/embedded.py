"""The vector store of a data directory, reached through its owner's socket.

In: the calls of `base.VectorStore`. Out: their results. What can fail: as the interface says; while the owner
is away (restarting, say) every call is tried again for `retry_s` and then raises `VectorStoreUnavailable`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from vectorstore import wire
from vectorstore.base import (
    Embedding,
    GarmentFilter,
    GarmentPoint,
    GarmentQuery,
    Hit,
    Payload,
    StoreInfo,
    TasteHit,
    TastePoint,
    VectorStoreUnavailable,
)
from vectorstore.checked import CheckedStore
from vectorstore.connection import Connection, ConnectionLost

FIRST_RETRY_S: Final = 0.02
LONGEST_RETRY_S: Final = 0.5


class EmbeddedStore(CheckedStore):
    """A `VectorStore` behind a socket. Belongs to the event loop on which it is first used."""

    def __init__(
        self, socket_path: Path, *, model: str, dim: int, timeout_s: float = 30.0, retry_s: float = 10.0
    ) -> None:
        """`timeout_s` bounds the wait for one answer, `retry_s` the wait for an owner."""
        super().__init__(model, dim)
        self._socket_path = socket_path
        self._timeout_s, self._retry_s = timeout_s, retry_s
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def count(self) -> int:
        """See `VectorStore.count`."""
        return int(await self._call("count"))

    async def info(self) -> StoreInfo:
        """See `VectorStore.info`."""
        return StoreInfo(**await self._call("info"))

    async def close(self) -> None:
        """See `VectorStore.close`."""
        self._closed = True
        if self._connection is not None:
            await self._connection.close()

    async def _replace_product(self, product_id: str, garments: Sequence[GarmentPoint]) -> None:
        await self._call("replace_product", product_id=product_id, garments=wire.pack_garments(garments))

    async def _fetch_products(self, product_ids: Sequence[str]) -> list[GarmentPoint]:
        packed = await self._call("fetch_products", product_ids=product_ids)
        return wire.unpack_garments(packed, self._dim)

    async def _query(self, queries: Sequence[GarmentQuery], with_embeddings: bool) -> list[list[Hit]]:
        packed = [wire.pack_query(query) for query in queries]
        answer = await self._call("query", queries=packed, with_embeddings=with_embeddings)
        return [wire.unpack_hits(hits, self._dim) for hits in answer]

    async def _newest(self, k: int, wanted: GarmentFilter) -> list[Hit]:
        return wire.unpack_hits(await self._call("newest", k=k, filter=wire.pack_filter(wanted)), self._dim)

    async def _update_payload(self, product_id: str, changes: Payload) -> int:
        return int(await self._call("update_payload", product_id=product_id, changes=changes))

    async def _delete_product(self, product_id: str) -> int:
        return int(await self._call("delete_product", product_id=product_id))

    async def _get_records(self, product_ids: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = await self._call("get_records", product_ids=product_ids)
        return found

    async def _put_records(self, records: dict[str, bytes]) -> None:
        await self._call("put_records", records=records)

    async def _replace_tastes(self, tastes: Mapping[str, Sequence[TastePoint]]) -> None:
        points = [point for held in tastes.values() for point in held]
        await self._call("replace_tastes", user_ids=list(tastes), tastes=wire.pack_tastes(points))

    async def _nearest_tastes(
        self, embedding: Embedding, k: int, parts: frozenset[str] | None
    ) -> list[TasteHit]:
        allowed = None if parts is None else sorted(parts)
        answer = await self._call("nearest_tastes", embedding=embedding.tobytes(), k=k, parts=allowed)
        return wire.unpack_taste_hits(answer)

    async def _delete_tastes(self, user_id: str) -> int:
        return int(await self._call("delete_tastes", user_id=user_id))

    async def _call(self, operation: str, **arguments: Any) -> Any:
        """One operation, over a new connection if the old one is lost; all operations may be repeated."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._retry_s
        pause_s = FIRST_RETRY_S
        while True:
            try:
                connection = await self._connected()
                return await connection.request(operation, arguments, self._timeout_s)
            except ConnectionLost as lost:
                if self._closed or loop.time() + pause_s > give_up_at:
                    raise VectorStoreUnavailable(
                        f"{operation}: no answer from the vector store at {self._socket_path} ({lost}); "
                        "is 'lookstream vectors' running?"
                    ) from None
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_RETRY_S)

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._closed:
                raise VectorStoreUnavailable("the store is closed")
            if self._connection is None or not self._connection.is_open:
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> Connection:
        connection = await Connection.open(self._socket_path)
        try:
            hello = {"protocol": wire.PROTOCOL, "model": self._model, "dim": self._dim}
            await connection.request("hello", hello, self._timeout_s)
        except BaseException:
            await connection.close()
            raise
        return connection
