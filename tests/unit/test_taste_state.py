"""A shopper's state as bytes: what is packed is unpacked, small, canonical; all else is a StateError."""

import dataclasses
import struct
import tracemalloc
import zlib
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taste_cases import SETTINGS, assert_same_taste, contribution, contribution_lists, unit

from models.taste import exclusions, texts
from models.taste.contributions import WEIGHTS, Taste, TasteSettings, add
from models.taste.exclusions import UNIT_S
from models.taste.shopper import (
    MAX_EXCLUDED,
    MAX_RECENT_EVENTS,
    MAX_SEEN,
    STATE_BYTES,
    Act,
    GarmentSeen,
    Position,
    Shopper,
    acted,
    at,
    merged,
)
from models.taste.state import StateError, forward_to, pack, unpack

keys = st.integers(0, 2**63 - 1)
units = st.integers(0, 2**32 // UNIT_S - 1)
seen = st.dictionaries(st.integers(0, 2**32 - 1), units.map(lambda unit: unit * UNIT_S), max_size=6)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.uuids().map(str)
shoppers = st.builds(
    Shopper,
    embedder=words,
    revision=st.integers(0, 2**53),
    taste=contribution_lists().map(lambda contributions: add(Taste(), contributions, SETTINGS)),
    seen=seen,
    bought=seen,
    dismissed=seen,
    gender=st.none() | words,
    age_group=st.none() | words,
    applied=st.dictionaries(st.tuples(words, st.integers(0, 999)), st.integers(0, 2**63 - 1), max_size=3),
    recent=st.lists(keys, max_size=4).map(tuple),
    aliases=st.lists(words, max_size=3).map(tuple),
    forward_to=st.none() | words,
)


def full_shopper() -> Shopper:
    views = [contribution(n, product=n % 5, event_time_s=float(n)) for n in range(9)]
    taste = add(Taste(), views, TasteSettings(capacity=4))
    return Shopper("embedder", taste=taste, seen={7: 64, 9: 2**31 + 64}, recent=(1, 2), aliases=("a",))


def checked(body: bytes) -> bytes:
    """A state of this version with any body."""
    return b"LS\x02" + struct.pack("<I", zlib.crc32(body)) + body


@given(shoppers)
@settings(max_examples=60, deadline=None)
def test_what_is_packed_is_unpacked(shopper: Shopper) -> None:
    again = unpack(pack(shopper))
    assert_same_taste(again.taste, shopper.taste)
    assert again.taste.floor == shopper.taste.floor
    assert dataclasses.replace(again, taste=Taste()) == dataclasses.replace(shopper, taste=Taste())
    assert forward_to(pack(shopper)) == shopper.forward_to


@given(shoppers, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_equal_shoppers_have_equal_bytes(shopper: Shopper, random: Any) -> None:
    def shuffled(held: Any) -> dict[Any, Any]:
        return dict(random.sample(list(held.items()), len(held)))

    mappings = ("seen", "bought", "dismissed", "applied")
    other = dataclasses.replace(shopper, **{name: shuffled(getattr(shopper, name)) for name in mappings})
    assert pack(other) == pack(shopper) == pack(unpack(pack(shopper)))


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


def test_embeddings_of_two_lengths_are_not_packed() -> None:
    mixed = [contribution(1), dataclasses.replace(contribution(2), codes=np.ones(3, np.int8))]
    with pytest.raises(ValueError, match=r"embeddings of \[3, 8\] numbers"):
        pack(Shopper("embedder", taste=Taste(tuple(mixed))))


@pytest.mark.parametrize("kind", ["part", "more", "other version"])
def test_what_is_not_a_whole_state_is_refused(kind: str) -> None:
    whole = pack(full_shopper())
    damaged = {
        "part": [whole[:length] for length in range(len(whole))],
        "more": [whole + b"\x00", checked(whole[7:] + b"\x00")],
        "other version": [b"LS\x01" + whole[3:], b"LS1" + whole[3:], b"\x80" + whole[1:]],
    }
    for data in damaged[kind]:
        with pytest.raises(StateError):
            unpack(data)
        if kind != "more":
            with pytest.raises(StateError):
                forward_to(data)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_flipped_bits_are_noticed(data: st.DataObject) -> None:
    flipped = bytearray(pack(full_shopper()))
    for place in data.draw(st.sets(st.integers(0, 8 * len(flipped) - 1), min_size=1, max_size=3)):
        flipped[place // 8] ^= 1 << place % 8
    with pytest.raises(StateError):
        unpack(bytes(flipped))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_body_that_was_made_up_is_a_shopper_or_a_state_error(data: st.DataObject) -> None:
    """Whatever the counts in it say, no more is allocated than the bytes could hold."""
    body = bytearray(pack(full_shopper())[7:])
    for place in data.draw(st.sets(st.integers(0, len(body) - 1) | st.integers(0, 40), max_size=4)):
        body[place] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.none() | st.integers(0, len(body)))]
    tracemalloc.start()
    try:
        pack(unpack(checked(bytes(body))))
    except StateError:
        pass
    finally:
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak_bytes < 4 << 20


@given(st.binary(max_size=60))
@settings(max_examples=60)
def test_other_bytes_are_refused(data: bytes) -> None:
    for made_up in (data, b"LS\x02" + data, checked(data)):
        with pytest.raises(StateError):
            unpack(made_up)


@given(st.dictionaries(st.integers(0, 2**32 - 1), units.map(lambda unit: unit * UNIT_S), max_size=300))
@settings(max_examples=60, deadline=None)
def test_exclusions_are_kept_in_few_bytes(held: dict[int, int]) -> None:
    packed = exclusions.pack(held)
    assert exclusions.unpack(memoryview(packed + b"more")) == (held, len(packed))
    assert len(packed) <= exclusions.most_bytes(len(held))
    assert exclusions.most_bytes(1000) < 6300


@given(st.lists(st.none() | words))
@settings(max_examples=60)
def test_texts_are_kept(held: list[str | None]) -> None:
    packed = texts.pack(held)
    assert texts.unpack(memoryview(packed + b"more"), len(held)) == (held, len(packed))
    assert len(packed) == sum(2 + texts.text_bytes(text or "") for text in held)


def seen_garment(rng: np.random.Generator, name: str, dim: int) -> GarmentSeen:
    embedding = rng.normal(size=dim).astype(np.float32)
    return GarmentSeen(str(uuid5(NAMESPACE_URL, name)), "upper", embedding / np.linalg.norm(embedding))


def fullest_shopper(dim: int, id_chars: int, letter: str = "x") -> Shopper:
    """Everything at its most: exclusions, times over 136 years, recent events, aliases, sums, forwarding."""
    rng = np.random.default_rng(0)
    settings = TasteSettings(capacity=1000)
    shopper = Shopper("embedder-of-a-long-name-1", gender="female", age_group="toddler")
    for action, count in (("purchased", MAX_EXCLUDED), ("dismissed", MAX_EXCLUDED), ("viewed", MAX_SEEN)):
        for n, time_s in enumerate(rng.permutation(np.linspace(0, 2**32 - 1, count + 5))):
            act = Act(n, f"product.{action}", f"p-{n}".rjust(id_chars, letter), float(time_s))
            shopper = acted(shopper, act, (), settings)
    for n in range(120):
        act = Act(2**62 + n, list(WEIGHTS)[n % 6], f"v-{n}".rjust(id_chars, letter), 1.7e9 + n)
        shopper = acted(shopper, act, [seen_garment(rng, f"{n}", dim)], settings)
    for n in range(MAX_RECENT_EVENTS):
        for topic in ("interactions", "taste-requests"):
            shopper = at(shopper, Position(topic, 7, n), int(rng.integers(2**62, 2**63)))
    for n in range(60):
        shopper = merged(shopper, Shopper("embedder"), str(uuid5(NAMESPACE_URL, str(n))), settings)
    return dataclasses.replace(shopper, forward_to="\U0001f457" * 128)


@pytest.mark.parametrize(("id_chars", "letter"), [(12, "x"), (64, "x"), (64, "\U0001f457")], ids=str)
def test_the_fullest_state_has_at_most_32_kb_at_512_dimensions(id_chars: int, letter: str) -> None:
    shopper = fullest_shopper(512, id_chars, letter)
    excluded = [len(shopper.seen), len(shopper.bought), len(shopper.dismissed)]
    assert [*excluded, len(shopper.recent)] == [MAX_SEEN, MAX_EXCLUDED, MAX_EXCLUDED, MAX_RECENT_EVENTS]
    assert shopper.taste.forgotten is not None
    packed = pack(shopper)
    assert 0.9 * STATE_BYTES < len(packed) <= STATE_BYTES == 32_000
    assert pack(unpack(packed)) == packed


def test_what_a_shopper_takes_grows_with_what_they_do() -> None:
    def size(views: int) -> int:
        seen_now = [contribution(n, product=n, event_time_s=1.7e9 + n) for n in range(views)]
        return len(pack(Shopper("embedder", taste=add(Taste(), seen_now, TasteSettings()))))

    assert size(0) < 80
    assert size(10) < 80 + 10 * 60
    assert size(64) < 80 + 64 * 60


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 255, 256, 512]))
@settings(max_examples=40, deadline=None)
def test_a_contribution_takes_no_more_than_is_counted(seed: int, dim: int) -> None:
    found = [GarmentSeen(f"g-{seed}", "upper", unit(seed, dim))]
    act = Act(1, "product.viewed", "p" * (seed % 64 + 1), 0.0)
    one = acted(Shopper(""), act, found, SETTINGS)
    (held,) = one.taste.contributions
    bare = dataclasses.replace(one, taste=Taste())
    named = 2 * 2 + len("upper") + len("product.viewed")
    assert len(pack(one)) - len(pack(bare)) - named <= held.packed_bytes
