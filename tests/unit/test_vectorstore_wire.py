"""What is packed is what is unpacked, and bytes that are no frames are recognised as such."""

from __future__ import annotations

import asyncio
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vectorstore import wire
from vectorstore.base import (
    EngineFailure,
    GarmentPoint,
    GarmentQuery,
    Hit,
    InvalidRequest,
    ModelMismatch,
    TasteHit,
    TastePoint,
)

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

DIM = 3

scalars = st.recursive(
    st.none() | st.integers(-5, 5) | st.text(max_size=3) | st.just({}),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=4,
)


def read(data: bytes) -> list[Any]:
    """Every message of a stream."""

    async def all_of() -> list[Any]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        messages = []
        while (message := await wire.read_frame(reader)) is not None:
            messages.append(message)
        return messages

    return asyncio.run(all_of())


def through(value: Any) -> Any:
    """As the other side sees it."""
    return read(wire.frame([value]))[0][0]


def rows(count: int) -> Any:
    return np.random.default_rng(count).normal(size=(count, DIM)).astype(np.float32)


def fields(point: Any, names: str) -> list[Any]:
    return [getattr(point, name) for name in names.split()]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_points_and_hits_survive(count: int) -> None:
    garments = [GarmentPoint(f"g{i}", "p", row, {"n": [i, None]}) for i, row in enumerate(rows(count))]
    back = wire.unpack_garments(through(wire.pack_garments(garments)), DIM)
    for one, other in zip(garments, back, strict=True):
        assert fields(one, "garment_id product_id payload") == fields(other, "garment_id product_id payload")
        assert np.array_equal(one.embedding, other.embedding)
    tastes = [TastePoint(f"t{i}", "u", row, {"part": "bag"}) for i, row in enumerate(rows(count))]
    for one, other in zip(tastes, wire.unpack_tastes(through(wire.pack_tastes(tastes)), DIM), strict=True):
        assert fields(one, "taste_id user_id payload") == fields(other, "taste_id user_id payload")
        assert np.array_equal(one.embedding, other.embedding)
    for embeddings in (rows(count), [None] * count):
        hits = [Hit(f"g{i}", "p", i / 7, {"a": i}, row) for i, row in enumerate(embeddings)]
        for one, other in zip(hits, wire.unpack_hits(through(wire.pack_hits(hits)), DIM), strict=True):
            assert fields(one, "garment_id product_id similarity payload") == fields(
                other, "garment_id product_id similarity payload"
            )
            assert (one.embedding is None) == (other.embedding is None)
            assert one.embedding is None or np.array_equal(one.embedding, other.embedding)
    taste_hits = [TasteHit(f"t{i}", "u", i / 3, {}) for i in range(count)]
    for one, other in zip(
        taste_hits, wire.unpack_taste_hits(through(wire.pack_taste_hits(taste_hits))), strict=True
    ):
        assert fields(one, "taste_id user_id similarity") == fields(other, "taste_id user_id similarity")


@unhurried
@given(
    st.none() | st.frozensets(st.text(min_size=1), min_size=1),
    st.booleans(),
    st.lists(st.integers(-(2**63), 2**63 - 1)),
)
def test_queries_survive(parts: frozenset[str] | None, in_stock_only: bool, keys: list[int]) -> None:
    query = GarmentQuery(
        rows(1)[0], 5, parts=parts, in_stock_only=in_stock_only, excluded_product_keys=keys, genders=parts
    )
    back = wire.unpack_query(through(wire.pack_query(query)), DIM)
    assert np.array_equal(back.embedding, query.embedding)
    assert list(back.excluded_product_keys) == keys
    assert fields(back, "k parts in_stock_only genders age_groups") == [5, parts, in_stock_only, parts, None]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequest("no"), InvalidRequest),
        (ModelMismatch("other"), ModelMismatch),
        (EngineFailure("broken"), EngineFailure),
        (OSError(28, "No space left on device"), EngineFailure),
    ],
)
def test_failures_arrive_as_what_they_are(error: Exception, kind: type[Exception]) -> None:
    [[request_id, failure, result]] = read(wire.error_answer(7, error))
    assert (request_id, result) == (7, None)
    raised = wire.raised_by(failure)
    assert type(raised) is kind
    assert str(error) in str(raised)


@unhurried
@given(st.binary(min_size=1, max_size=64) | scalars.map(msgpack.packb))
def test_any_framed_bytes_are_a_request_or_malformed(body: bytes) -> None:
    try:
        for message in read(len(body).to_bytes(4, "big") + body):
            request_id, operation, arguments = wire.request_of(message)
            assert (type(request_id), type(operation), type(arguments)) == (int, str, dict)
    except wire.MalformedFrame:
        pass  # the only failure there may be


def test_frames_are_bounded() -> None:
    with pytest.raises(wire.MalformedFrame, match="frame of 67108865 bytes"):
        read((wire.MAX_FRAME_BYTES + 1).to_bytes(4, "big") + b"x")
    with pytest.raises(InvalidRequest, match="in one message"):
        wire.frame([0, "op", {"raw": bytes(wire.MAX_FRAME_BYTES)}])


def test_truncated_streams_end(capfd: pytest.CaptureFixture[str]) -> None:
    whole = wire.frame([1, "count", {}])
    assert read(whole + whole) == [[1, "count", {}]] * 2
    for length in range(len(whole)):
        assert read(whole + whole[:length]) == [[1, "count", {}]]


def test_deep_nesting_is_malformed_not_fatal() -> None:
    body = b"\x91" * 100_000 + b"\x01"
    with pytest.raises(wire.MalformedFrame, match="not msgpack"):
        read(len(body).to_bytes(4, "big") + body)
    body = msgpack.packb([1, "x"])
    with pytest.raises(wire.MalformedFrame, match="not msgpack"):
        read((len(body) + 1).to_bytes(4, "big") + body + b"\x01")


def test_embeddings_of_another_size_are_refused() -> None:
    packed = wire.pack_garments([GarmentPoint("g", "p", rows(1)[0], {})])
    with pytest.raises(InvalidRequest, match="12 bytes of embeddings, expected 1 of 4 float32"):
        wire.unpack_garments(packed, 4)
