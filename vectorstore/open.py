"""The one way to a vector store: a Qdrant server where there is one, else the embedded store's socket.

In: where it is, whose embeddings it holds. Out: an open `VectorStore`. What can fail: neither or a malformed
address (`InvalidRequest`), nobody there (`VectorStoreUnavailable`), another model's store (`ModelMismatch`).
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from vectorstore.base import InvalidRequest, VectorStore
from vectorstore.embedded import EmbeddedStore


async def open_store(
    *, url: str | None, api_key: str | None, socket_path: Path | None, model: str, dim: int
) -> VectorStore:
    """Open the store of `model`'s embeddings (dim,) on the running event loop, at `url` if there is one."""
    if url is not None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise InvalidRequest(f"Qdrant URL {url!r}: expected one that begins with http:// or https://")
        from vectorstore.server import ServerStore  # a second to import, and not needed without a server

        return await ServerStore.open(url, api_key, model=model, dim=dim)
    if socket_path is None:
        raise InvalidRequest("vector store: neither a Qdrant URL nor a socket is given")
    store = EmbeddedStore(socket_path, model=model, dim=dim)
    try:
        await store.info()
    except BaseException:
        await store.close()
        raise
    return store
