"""What a store refuses and how it says so; what it accepts becomes plain values that survive the wire."""

from __future__ import annotations

import math
import uuid
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from vectorstore import checks
from vectorstore.base import MAX_EXCLUDED_KEYS, GarmentPoint, InvalidRequest

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

AXIS = np.eye(4, dtype=np.float32)[0]
GARMENT_ID = str(uuid.UUID(int=1))
PAYLOAD = {"part": "upper", "in_stock": 1, "product_key": 5, "indexed_at": 1.7e9}

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6
)


def checked(**payload: Any) -> dict[str, Any]:
    point = GarmentPoint(GARMENT_ID, "p", AXIS, {**PAYLOAD, **payload})
    return checks.garments("p", [point], 4)[0].payload


@unhurried
@given(values)
def test_accepted_payloads_are_plain_and_stable(value: Any) -> None:
    try:
        once = checked(extra=value)
    except InvalidRequest:
        assume(False)
    assert msgpack.unpackb(msgpack.packb(once)) == once
    assert checked(**once) == once
    assert None not in once.values()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("in_stock", True, "'in_stock': True, expected the integer 0 or 1"),
        ("in_stock", 2, "'in_stock': 2"),
        ("in_stock", 1.0, "'in_stock': 1.0"),
        ("product_key", "5", "'product_key': '5', expected an integer"),
        ("product_key", 2**63, "'product_key': int of 64 bits"),
        ("indexed_at", "now", "'indexed_at': 'now', expected Unix seconds"),
        ("indexed_at", math.nan, "'indexed_at': nan, expected finite"),
        ("part", "", "'part': str of length 0"),
        ("gender", 3, "'gender': int"),
        ("price", {"value": math.inf}, "'price': inf, expected finite JSON values"),
        ("raw", b"bytes", "'raw': bytes of length 5"),
        ("score", np.float32(0.5), "'score': float32"),
        ("title", "\ud800", "'title': text with a lone surrogate"),
        ("box", {1: 2}, "'box': dict"),
        ("deep", [[[[[[[[[1]]]]]]]]], "'deep': nested deeper than 8"),
    ],
)
def test_fields_that_engines_would_silently_mistake(field: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked(**{field: value})
    assert f"garment {GARMENT_ID}: payload field " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize("field", sorted(PAYLOAD))
def test_required_fields_are_named(field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"payload has no '{field}'"):
        checked(**{field: None})
    with pytest.raises(InvalidRequest, match=f"'{field}' cannot be deleted"):
        checks.changes("p", {field: None})


@pytest.mark.parametrize("key", ["product_id", "user_id", "a.b", "a[0]", "", "ü", "9"])
def test_keys_that_engines_read_as_something_else(key: str) -> None:
    with pytest.raises(InvalidRequest, match="payload key"):
        checked(**{key: 1})
    with pytest.raises(InvalidRequest, match="payload key"):
        checks.changes("p", {key: 1})


def test_tuples_and_whole_seconds_become_canonical() -> None:
    assert checked(box=(1, (2.5,)), indexed_at=3) == {**PAYLOAD, "box": [1, [2.5]], "indexed_at": 3.0}
    assert checks.changes("p", {"indexed_at": 4, "title": None}) == {"indexed_at": 4.0, "title": None}


@unhurried
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_int64_keys_pass_unchanged(keys: list[int]) -> None:
    assert checks.product_keys(keys).tolist() == keys
    assert checks.product_keys(np.array(keys, dtype=np.int64)).tolist() == keys


@pytest.mark.parametrize(
    "keys", [[2**63], [-(2**63) - 1], [1.0], ["1"], [True], [[1]], {1, 2}, range(MAX_EXCLUDED_KEYS + 1)]
)
def test_keys_that_are_none(keys: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^excluded_product_keys: "):
        checks.product_keys(keys)


@unhurried
@given(st.floats(0.9, 1.1))
def test_only_unit_embeddings_pass(norm: float) -> None:
    embedding = AXIS * np.float32(norm)
    if abs(norm - 1) < checks.NORM_TOLERANCE - 1e-6:
        assert np.array_equal(checks.embedding(embedding, 4, "it"), embedding)
    elif abs(norm - 1) > checks.NORM_TOLERANCE + 1e-6:
        with pytest.raises(InvalidRequest, match="it: embedding has norm"):
            checks.embedding(embedding, 4, "it")


def test_other_float_arrays_become_contiguous_float32() -> None:
    strided = np.eye(8, dtype=np.float64)[0][::2]
    result = checks.embedding(strided, 4, "it")
    assert result.dtype == np.float32
    assert result.flags.c_contiguous


@pytest.mark.parametrize("value", ["", "x" * 257, 5, None, "\udfff"])
def test_ids_must_be_text(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^product_id"):
        checks.garments(value, [], 4)
    with pytest.raises(InvalidRequest, match="product_id"):
        checks.records({value: b""})


@pytest.mark.parametrize("value", ["1", GARMENT_ID.upper() + " ", "{" + GARMENT_ID + "}", 7, "A" * 32])
def test_garment_ids_must_be_canonical(value: Any) -> None:
    with pytest.raises(InvalidRequest, match="expected a UUID in lower case"):
        checks.garments("p", [GarmentPoint(value, "p", AXIS, dict(PAYLOAD))], 4)


def test_records_must_be_small_bytes() -> None:
    assert checks.records({"p": b"x"}) == {"p": b"x"}
    for record in ("text", None, bytes(checks.MAX_RECORD_BYTES + 1)):
        with pytest.raises(InvalidRequest, match="record of p: "):
            checks.records({"p": record})  # type: ignore[dict-item]
