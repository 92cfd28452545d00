"""What travels between the owner of the embedded store and its clients.

In and out: frames of a 4-byte big-endian length and that many bytes of msgpack; embeddings as raw
little-endian float32, product keys as raw int64. A request is `[id, operation, arguments]`, an answer
`[id, None, result]` or `[id, [kind, message], None]`. What can fail: a frame that is too large, is not
msgpack or is not of this shape (`MalformedFrame`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from vectorstore.base import (
    EngineFailure,
    GarmentFilter,
    GarmentPoint,
    GarmentQuery,
    Hit,
    InvalidRequest,
    ModelMismatch,
    TasteHit,
    TastePoint,
    VectorStoreError,
)
from vectorstore.checks import product_keys

PROTOCOL: Final = 1
MAX_FRAME_BYTES: Final = 64 << 20
_LENGTH_BYTES: Final = 4
_pack: Final[Any] = msgpack.dumps
_unpack: Final[Any] = msgpack.loads
_KINDS: Final[dict[str, type[VectorStoreError]]] = {
    "mismatch": ModelMismatch,
    "invalid": InvalidRequest,
    "engine": EngineFailure,
}


class MalformedFrame(InvalidRequest):
    """Bytes that are not a frame of this protocol; the connection cannot go on."""


def frame(message: Sequence[Any]) -> bytes:
    """One frame; InvalidRequest if it would be larger than MAX_FRAME_BYTES."""
    body: bytes = _pack(message)
    if len(body) > MAX_FRAME_BYTES:
        raise InvalidRequest(
            f"{len(body) >> 20} MiB in one message, expected at most {MAX_FRAME_BYTES >> 20}: ask for less"
        )
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


async def read_frame(reader: asyncio.StreamReader) -> Any:
    """The next message; None at the end of the stream. MalformedFrame, or OSError of the connection."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
        if length > MAX_FRAME_BYTES:
            raise MalformedFrame(f"frame of {length} bytes, expected at most {MAX_FRAME_BYTES}")
        body = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    try:
        return _unpack(body)
    except Exception as error:  # msgpack raises many kinds, RecursionError-like ones among them
        raise MalformedFrame(f"frame is not msgpack: {error or type(error).__name__}") from None


def request_of(message: Any) -> tuple[int, str, dict[str, Any]]:
    """(id, operation, arguments) of a request."""
    match message:
        case [int() as request_id, str() as operation, dict() as arguments]:
            return request_id, operation, arguments
    raise MalformedFrame("message is not [id, operation, arguments]")


def error_answer(request_id: int | None, error: Exception) -> bytes:
    """The frame that tells a client of a failure."""
    kind = next((kind for kind, known in _KINDS.items() if isinstance(error, known)), "engine")
    text = str(error) if isinstance(error, VectorStoreError) else f"{type(error).__name__}: {error}"
    return frame([request_id, [kind, text[:2000]], None])


def raised_by(error: Any) -> VectorStoreError:
    """The exception that an answer's `[kind, message]` stands for."""
    kind, message = error
    return _KINDS.get(kind, EngineFailure)(message)


def pack_garments(garments: Sequence[GarmentPoint]) -> dict[str, Any]:
    """Garments as columns."""
    return {
        "ids": [garment.garment_id for garment in garments],
        "product_ids": [garment.product_id for garment in garments],
        "embeddings": _raw([garment.embedding for garment in garments]),
        "payloads": [garment.payload for garment in garments],
    }


def unpack_garments(packed: Any, dim: int) -> list[GarmentPoint]:
    """The inverse of `pack_garments`."""
    embeddings = _rows(packed["embeddings"], len(packed["ids"]), dim)
    columns = zip(packed["ids"], packed["product_ids"], embeddings, packed["payloads"], strict=True)
    return [GarmentPoint(*row) for row in columns]


def pack_tastes(tastes: Sequence[TastePoint]) -> dict[str, Any]:
    """Centroids as columns."""
    return {
        "ids": [taste.taste_id for taste in tastes],
        "user_ids": [taste.user_id for taste in tastes],
        "embeddings": _raw([taste.embedding for taste in tastes]),
        "payloads": [taste.payload for taste in tastes],
    }


def unpack_tastes(packed: Any, dim: int) -> list[TastePoint]:
    """The inverse of `pack_tastes`."""
    embeddings = _rows(packed["embeddings"], len(packed["ids"]), dim)
    columns = zip(packed["ids"], packed["user_ids"], embeddings, packed["payloads"], strict=True)
    return [TastePoint(*row) for row in columns]


def pack_filter(wanted: GarmentFilter) -> dict[str, Any]:
    """A filter; excluded keys as raw int64."""
    return {
        "parts": _listed(wanted.parts),
        "in_stock_only": bool(wanted.in_stock_only),
        "excluded": product_keys(wanted.excluded_product_keys).astype("<i8").tobytes(),
        "genders": _listed(wanted.genders),
        "age_groups": _listed(wanted.age_groups),
    }


def unpack_filter(packed: Any) -> dict[str, Any]:
    """The keyword arguments of a `GarmentFilter`."""
    return {
        "parts": _unlisted(packed["parts"]),
        "in_stock_only": bool(packed["in_stock_only"]),
        "excluded_product_keys": np.frombuffer(packed["excluded"], dtype="<i8"),
        "genders": _unlisted(packed["genders"]),
        "age_groups": _unlisted(packed["age_groups"]),
    }


def pack_query(query: GarmentQuery) -> dict[str, Any]:
    """A query."""
    return {"embedding": query.embedding.astype("<f4").tobytes(), "k": query.k, "filter": pack_filter(query)}


def unpack_query(packed: Any, dim: int) -> GarmentQuery:
    """The inverse of `pack_query`."""
    return GarmentQuery(
        embedding_of(packed["embedding"], dim), packed["k"], **unpack_filter(packed["filter"])
    )


def pack_hits(hits: Sequence[Hit]) -> dict[str, Any]:
    """Hits as columns; the embeddings of all or of none."""
    embeddings = [hit.embedding for hit in hits if hit.embedding is not None]
    return {
        "ids": [hit.garment_id for hit in hits],
        "product_ids": [hit.product_id for hit in hits],
        "similarities": [hit.similarity for hit in hits],
        "payloads": [hit.payload for hit in hits],
        "embeddings": _raw(embeddings) if embeddings else None,
    }


def unpack_hits(packed: Any, dim: int) -> list[Hit]:
    """The inverse of `pack_hits`."""
    count = len(packed["ids"])
    raw = packed["embeddings"]
    embeddings = [None] * count if raw is None else list(_rows(raw, count, dim))
    columns = (packed["ids"], packed["product_ids"], packed["similarities"], packed["payloads"], embeddings)
    return [Hit(*row) for row in zip(*columns, strict=True)]


def pack_taste_hits(hits: Sequence[TasteHit]) -> list[Any]:
    """Hits as rows."""
    return [[hit.taste_id, hit.user_id, hit.similarity, hit.payload] for hit in hits]


def unpack_taste_hits(packed: Any) -> list[TasteHit]:
    """The inverse of `pack_taste_hits`."""
    return [TasteHit(*row) for row in packed]


def embedding_of(raw: bytes, dim: int) -> NDArray[np.float32]:
    """One embedding (dim,) of its bytes."""
    row: NDArray[np.float32] = _rows(raw, 1, dim)[0]
    return row


def _raw(embeddings: Sequence[NDArray[np.float32]]) -> bytes:
    return b"".join(embedding.astype("<f4", copy=False).tobytes() for embedding in embeddings)


def _rows(raw: bytes, count: int, dim: int) -> NDArray[np.float32]:
    if len(raw) != count * dim * 4:
        raise InvalidRequest(f"{len(raw)} bytes of embeddings, expected {count} of {dim} float32")
    return np.frombuffer(raw, dtype="<f4").reshape(count, dim)


def _listed(values: frozenset[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)


def _unlisted(values: list[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)
