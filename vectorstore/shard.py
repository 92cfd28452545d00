"""One shard of Qdrant's embedded engine on disk, and the translation of filters into its terms.

In: a directory that this process owns. Out: an open shard with its payload indexes, every update in its
write-ahead log. What can fail: a damaged or unreadable shard (`EngineFailure` naming the directory).
Nothing here is thread-safe, and the engine holds the GIL while it works: one process, one thread.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import qdrant_edge as edge

from vectorstore.base import EngineFailure
from vectorstore.filters import Condition

VECTOR: Final = "embedding"
PAGE: Final = 1024
# brute force answers in 3 ms up to here, so an index is not worth its building before
UNINDEXED_LIMIT: Final = 20_000

_SEARCH: Final = edge.SearchParams(
    hnsw_ef=256, quantization=edge.QuantizationSearchParams(rescore=True, oversampling=4.0)
)
_SEARCH_ALL: Final = edge.SearchParams(
    quantization=edge.QuantizationSearchParams(rescore=True, oversampling=1.5)
)
_INDEX_KINDS: Final = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
}


class Shard:
    """An open shard; `dim` None makes one whose points carry a payload only.

    Without a `graph` its index is the quantised embeddings alone, which are all compared: for points that
    change faster than graphs are built, and for answers of hundreds. Building takes 10 µs a point, not 1 ms.
    """

    def __init__(
        self, directory: Path, dim: int | None, indexes: Mapping[str, str], graph: bool = True
    ) -> None:
        self.directory = directory
        self._search = _SEARCH if graph else _SEARCH_ALL
        try:
            if not directory.exists():
                _create(directory, dim, indexes, graph)
            # an optimisation that was killed leaves its work here, of use to nobody
            shutil.rmtree(directory / "temp_segments", ignore_errors=True)
            self._shard = edge.EdgeShard.load(str(directory))
        except Exception as error:
            raise EngineFailure(f"cannot open {directory}: {error}") from error
        self._dirty = False
        self._left_unindexed = 0

    def upsert(self, points: Sequence[edge.Point]) -> None:
        """Store points, overwriting those with the same id."""
        if points:
            self._update(edge.UpdateOperation.upsert_points(list(points)))

    def set_payload(self, where: edge.Filter, values: dict[str, Any]) -> None:
        """Set top-level keys on the points that match; None deletes a key."""
        present = {key: value for key, value in values.items() if value is not None}
        absent = [key for key, value in values.items() if value is None]
        if present:
            self._update(edge.UpdateOperation.set_payload_by_filter(where, present))
        if absent:
            self._update(edge.UpdateOperation.delete_payload_by_filter(where, absent))

    def delete(self, where: edge.Filter) -> None:
        """Delete the points that match."""
        self._update(edge.UpdateOperation.delete_points_by_filter(where))

    def count(self, where: edge.Filter | None = None) -> int:
        """How many points match."""
        return int(self._shard.count(edge.CountRequest(exact=True, filter=where)))

    def retrieve(self, ids: Sequence[str], with_vector: bool = False) -> list[Any]:
        """The points with these ids that exist, with payload."""
        found: list[Any] = self._shard.retrieve(list(ids), True, with_vector) if ids else []
        return found

    def all_of(self, where: edge.Filter) -> list[Any]:
        """Every point that matches, with payload and vector."""
        points: list[Any] = []
        offset = None
        while True:
            page, offset = self._shard.scroll(
                edge.ScrollRequest(
                    offset=offset, limit=PAGE, filter=where, with_payload=True, with_vector=True
                )
            )
            points += page
            if offset is None:
                return points

    def nearest(self, embedding: Any, limit: int, where: edge.Filter, bare: bool = False) -> list[Any]:
        """The points most similar to `embedding` (D,) that match; `bare` ones come without payload."""
        query = edge.Query.Nearest(embedding, using=VECTOR)
        return self._query(query, limit, where, with_payload=not bare)

    def largest(self, key: str, limit: int, where: edge.Filter) -> list[Any]:
        """The points with the largest payload `key` that match, bare."""
        return self._query(edge.OrderBy(key, direction=edge.Direction.Desc), limit, where, with_payload=False)

    def indexed_fraction(self) -> float:
        """The share of points that an index covers; the rest is searched by brute force."""
        info = self._shard.info()
        return float(info.indexed_vectors_count / info.points_count) if info.points_count else 0.0

    def flush(self) -> None:
        """Bring the segments up to date on disk, so that opening need not replay the log."""
        if self._dirty:
            self._shard.flush()
            self._dirty = False

    def optimize_if_large(self) -> bool:
        """Build the index if many more points lack it than after the last attempt; may take minutes."""
        info = self._shard.info()
        if info.points_count - info.indexed_vectors_count - self._left_unindexed < UNINDEXED_LIMIT:
            return False
        self._shard.optimize()
        info = self._shard.info()
        self._left_unindexed = info.points_count - info.indexed_vectors_count
        return True

    def close(self) -> None:
        """Flush and release the files."""
        self._shard.flush()
        self._shard.close()

    def _query(self, query: Any, limit: int, where: edge.Filter, with_payload: bool) -> list[Any]:
        request = edge.QueryRequest(
            limit=limit,
            query=query,
            filter=where,
            params=self._search,
            with_payload=with_payload,
            with_vector=False,
        )
        found: list[Any] = self._shard.query(request)
        return found

    def _update(self, operation: edge.UpdateOperation) -> None:
        self._dirty = True
        self._shard.update(operation)


def matching(
    must: Sequence[Condition] = (), must_not: Sequence[Condition] = (), not_ids: Sequence[str] = ()
) -> edge.Filter:
    """The engine's filter."""
    unwanted: list[Any] = [_condition(condition) for condition in must_not]
    if not_ids:
        unwanted.append(edge.HasIdCondition(set(not_ids)))
    return edge.Filter(must=[_condition(condition) for condition in must], must_not=unwanted)


def _condition(condition: Condition) -> Any:
    values = condition.values
    one = len(values) == 1  # told apart because a search of any of one value takes a third longer
    wanted = edge.MatchValue(values[0]) if one else edge.MatchAny(values)
    match = edge.FieldCondition(condition.field, match=wanted)
    if not condition.or_missing:
        return match
    return edge.Filter(should=[match, edge.IsEmptyCondition(condition.field)])


def _create(directory: Path, dim: int | None, indexes: Mapping[str, str], graph: bool) -> None:
    """Make a shard whole or not at all: under another name first, with its indexes before any point."""
    making = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    shard = edge.EdgeShard.create(str(making), _config(dim, graph))
    for field, kind in indexes.items():
        shard.update(edge.UpdateOperation.create_field_index(field, _INDEX_KINDS[kind]))
    shard.close()
    making.replace(directory)


def _config(dim: int | None, graph: bool) -> edge.EdgeConfig:
    if dim is None:  # the engine wants some vector, and a sparse one may be absent from every point
        return edge.EdgeConfig(sparse_vectors={"none": edge.EdgeSparseVectorParams()})
    params = edge.EdgeVectorParams(
        size=dim,
        distance=edge.Distance.Cosine,
        hnsw_config=edge.HnswIndexConfig(m=16 if graph else 0, ef_construct=128, full_scan_threshold=10_000),
        quantization_config=edge.ScalarQuantizationConfig(
            type=edge.ScalarType.Int8, quantile=0.99, memory=edge.Memory.Pinned
        ),
    )
    return edge.EdgeConfig(vectors={VECTOR: params})
