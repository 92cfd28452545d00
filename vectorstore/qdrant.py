"""What lookstream keeps on a Qdrant server, and the translation of filters and failures to and from it.

In: a client of the server, a model's name and dimension. Out: three collections with their payload indexes.
What can fail: the server cannot be reached (`VectorStoreUnavailable`), it refuses (`EngineFailure`), a
collection has another dimension (`ModelMismatch`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from vectorstore.base import EngineFailure, ModelMismatch, VectorStoreUnavailable
from vectorstore.filters import GARMENT_INDEXES, TASTE_INDEXES, Condition
from vectorstore.paths import model_slug

VECTOR: Final = "embedding"
CONFLICT: Final = 409
TRY_AGAIN: Final = (408, 425, 429)

SEARCH: Final = models.SearchParams(
    hnsw_ef=256, quantization=models.QuantizationSearchParams(rescore=True, oversampling=4.0)
)


class Collections:
    """Names of the collections of one model."""

    def __init__(self, model: str, dim: int) -> None:
        base = f"lookstream-{model_slug(model, dim)}"
        self.garments = f"{base}-garments"
        self.tastes = f"{base}-tastes"
        self.records = f"{base}-records"


@contextlib.contextmanager
def failures(operation: str) -> Iterator[None]:
    """Turn the client's exceptions into the interface's."""
    try:
        yield
    except ResourceExhaustedResponse as error:
        raise VectorStoreUnavailable(f"{operation}: the Qdrant server is overloaded: {error}") from error
    except ResponseHandlingException as error:
        if isinstance(error.source, ValidationError):
            raise EngineFailure(f"{operation}: the answer is not a Qdrant server's: {error}") from error
        cause = str(error.source) or type(error.source).__name__
        raise VectorStoreUnavailable(f"{operation}: cannot reach the Qdrant server: {cause}") from error
    except UnexpectedResponse as error:
        status = error.status_code or 0
        if status >= 500 or status in TRY_AGAIN:
            raise VectorStoreUnavailable(f"{operation}: {error}") from error
        raise EngineFailure(f"{operation}: the Qdrant server refused: {error}") from error


def applied(results: models.UpdateResult | Sequence[models.UpdateResult], operation: str) -> None:
    """VectorStoreUnavailable unless the server says that every update is done."""
    for result in results if isinstance(results, Sequence) else [results]:
        if result.status != models.UpdateStatus.COMPLETED:
            raise VectorStoreUnavailable(f"{operation}: the Qdrant server has not finished ({result.status})")


async def prepare(client: AsyncQdrantClient, model: str, dim: int) -> Collections:
    """Make what is missing of the model's collections and payload indexes; several may do so at once."""
    names = Collections(model, dim)
    with failures("opening the vector store"):
        await _prepare(client, names.garments, dim, GARMENT_INDEXES)
        await _prepare(client, names.tastes, dim, TASTE_INDEXES)
        await _prepare(client, names.records, None, {})
    return names


async def _prepare(client: AsyncQdrantClient, name: str, dim: int | None, indexes: Mapping[str, str]) -> None:
    if not await client.collection_exists(name):
        try:
            await client.create_collection(name, **_settings(dim))
        except UnexpectedResponse as error:
            if error.status_code != CONFLICT:  # another worker was faster
                raise
    found = await client.get_collection(name)
    vectors = found.config.params.vectors
    size = vectors[VECTOR].size if isinstance(vectors, dict) and VECTOR in vectors else None
    if size != dim:
        raise ModelMismatch(f"collection {name} has {size} dimensions, expected {dim}")
    for field, kind in indexes.items():
        if field not in found.payload_schema:
            applied(await client.create_payload_index(name, field, models.PayloadSchemaType(kind)), field)


def _settings(dim: int | None) -> dict[str, Any]:
    strict = models.StrictModeConfig(
        enabled=True, unindexed_filtering_retrieve=False, unindexed_filtering_update=False
    )
    if dim is None:  # the same as in the embedded store: payload only
        none = {"none": models.SparseVectorParams()}
        return {"vectors_config": {}, "sparse_vectors_config": none, "strict_mode_config": strict}
    return {
        "vectors_config": {VECTOR: models.VectorParams(size=dim, distance=models.Distance.COSINE)},
        "hnsw_config": models.HnswConfigDiff(m=16, ef_construct=128, full_scan_threshold=10_000),
        "quantization_config": models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(
                type=models.ScalarType.INT8, quantile=0.99, always_ram=True
            )
        ),
        "strict_mode_config": strict,
    }


def matching(
    must: Sequence[Condition] = (), must_not: Sequence[Condition] = (), not_ids: Sequence[str] = ()
) -> models.Filter:
    """The server's filter."""
    unwanted: list[models.Condition] = [_condition(condition) for condition in must_not]
    if not_ids:
        unwanted.append(models.HasIdCondition(has_id=list(not_ids)))
    return models.Filter(must=[_condition(condition) for condition in must], must_not=unwanted)


def _condition(condition: Condition) -> models.Condition:
    match = models.FieldCondition(key=condition.field, match=models.MatchAny(any=condition.values))
    if not condition.or_missing:
        return match
    missing = models.IsEmptyCondition(is_empty=models.PayloadField(key=condition.field))
    return models.Filter(should=[match, missing])
