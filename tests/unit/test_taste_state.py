"""A shopper's state as bytes: what is packed is unpacked, anything else is a StateError."""

import dataclasses
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taste_cases import SETTINGS, assert_same_taste, contribution, contribution_lists

from models.taste.contributions import Taste, TasteSettings, add
from models.taste.shopper import Shopper
from models.taste.state import StateError, pack, unpack

keys = st.integers(0, 2**63 - 1)
seen = st.dictionaries(keys, st.floats(-1e10, 1e10), max_size=4)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
shoppers = st.builds(
    Shopper,
    embedder=texts,
    revision=st.integers(0, 2**53),
    taste=contribution_lists().map(lambda contributions: add(Taste(), contributions, SETTINGS)),
    seen=seen,
    bought=seen,
    dismissed=seen,
    gender=st.none() | texts,
    age_group=st.none() | texts,
    applied=st.dictionaries(st.tuples(texts, st.integers(0, 999)), st.integers(0, 2**63 - 1), max_size=3),
    recent=st.lists(keys, max_size=4).map(tuple),
)


def full_shopper() -> Shopper:
    views = [contribution(n, product=n % 5, event_time_s=float(n)) for n in range(9)]
    return Shopper("embedder", taste=add(Taste(), views, TasteSettings(capacity=4)), recent=(1, 2))


@given(shoppers)
@settings(max_examples=150, deadline=None)
def test_what_is_packed_is_unpacked(shopper: Shopper) -> None:
    again = unpack(pack(shopper))
    assert_same_taste(again.taste, shopper.taste)
    assert dataclasses.replace(again, taste=Taste()) == dataclasses.replace(shopper, taste=Taste())
    assert pack(again) == pack(shopper)


def test_the_sums_of_what_was_forgotten_are_kept_exactly() -> None:
    before = full_shopper().taste.forgotten
    after = unpack(pack(full_shopper())).taste.forgotten
    assert before is not None
    assert after is not None
    for field in dataclasses.fields(before):
        np.testing.assert_array_equal(getattr(after, field.name), getattr(before, field.name))
    assert after.positive.dtype == np.float32


def test_an_unpacked_taste_goes_on() -> None:
    more = [contribution(100, "product.purchased", 3, 20.0)]
    small = TasteSettings(capacity=4)
    here, there = full_shopper().taste, unpack(pack(full_shopper())).taste
    assert_same_taste(add(there, more, small), add(here, more, small))


def test_part_of_a_state_is_refused() -> None:
    whole = pack(full_shopper())
    for length in range(len(whole)):
        with pytest.raises(StateError):
            unpack(whole[:length])


def test_a_state_with_more_behind_it_is_refused() -> None:
    with pytest.raises(StateError, match="expected"):
        unpack(pack(full_shopper()) + b"\x00")


@given(st.binary(max_size=40))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(StateError):
        unpack(data)
    with pytest.raises(StateError):
        unpack(b"LS1" + data)


@pytest.mark.parametrize("header", [b"[]", b"{}", b"null", b'"x"', b"7", b"[" * 100_000], ids=len)
def test_another_header_is_refused(header: bytes) -> None:
    packed = zlib.compress(header)
    with pytest.raises(StateError):
        unpack(b"LS1" + struct.pack("<I", len(packed)) + packed)


@given(st.data())
@settings(deadline=None)
def test_a_flipped_bit_of_the_header_is_noticed(data: st.DataObject) -> None:
    whole = pack(full_shopper())
    (length,) = struct.unpack_from("<I", whole, 3)
    place = data.draw(st.integers(0, 7 + length - 1))
    flipped = bytearray(whole)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(StateError):
        unpack(bytes(flipped))


def test_a_state_is_small() -> None:
    views = [contribution(n * 7919, product=n, event_time_s=1.7e9 + n) for n in range(64)]
    codes = 64 * len(views[0].codes)
    assert len(pack(Shopper("embedder", taste=add(Taste(), views, TasteSettings())))) < codes + 3000
