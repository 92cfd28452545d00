"""A shopper's state as bytes: versioned, compact, canonical, no pickle. Pure.

In: a `Shopper`. Out: bytes, at most STATE_BYTES of them at 512 dimensions; equal shoppers give equal bytes.
Fails with StateError on anything else; never half a state.

Layout (little endian): b"LS" · version · CRC-32 of the rest · `_HEAD` · texts · exclusions (seen, bought,
dismissed) · int64 recent event keys · applied (int32 partitions, int64 offsets) · columns of the
contributions, then four-bit codes of those that have an embedding · sums of what was forgotten · the floor.
"""

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.taste.codes import doubled, halved
from models.taste.contributions import Contribution, Rank, Taste
from models.taste.exclusions import pack as pack_exclusions
from models.taste.exclusions import unpack as unpack_exclusions
from models.taste.forgotten import Forgotten
from models.taste.shopper import Shopper
from models.taste.texts import pack as pack_texts
from models.taste.texts import unpack as unpack_texts

T = TypeVar("T")
_MAGIC: Final = b"LS\x02"
_CHECKED: Final = struct.Struct("<3sI")
_HEAD: Final = struct.Struct("<qHHHHHHBB")
"""Revision; how many texts, applied, aliases, recent, contributions; dim; whether sums and a floor follow."""
_SUMS: Final = struct.Struct("<ddd")
_FLOOR: Final = struct.Struct("<ddqH")
_COLUMNS: Final = (("event_key", "<i8"), ("event_time_s", "<f8"), ("weight", "<f4"), ("scale", "<f4"))
_TEXTS: Final = ("product_id", "garment_id", "part", "action")


class StateError(ValueError):
    """Bytes that are no shopper's state of this version."""


def pack(shopper: Shopper) -> bytes:
    """The state as bytes; `unpack` gives an equal shopper back.

    Raises ValueError where it holds embeddings of different lengths.
    """
    taste, held = shopper.taste, shopper.taste.contributions
    named = {getattr(c, name) for c in held for name in _TEXTS}
    if taste.floor is not None:
        named.add(taste.floor[2][1])
    applied = sorted(shopper.applied.items())
    own = (shopper.embedder, shopper.gender, shopper.age_group, shopper.forward_to)
    spoken = [*own, *(topic for (topic, _), _ in applied), *shopper.aliases]
    index = {text: number for number, text in enumerate(sorted(named), len(spoken))}
    dim = _dim(taste)
    counts = (len(spoken) + len(index), len(applied), len(shopper.aliases), len(shopper.recent), len(held))
    body = b"".join(
        [
            _HEAD.pack(shopper.revision, *counts, dim, taste.forgotten is not None, taste.floor is not None),
            pack_texts([*spoken, *index]),
            *(pack_exclusions(keys) for keys in (shopper.seen, shopper.bought, shopper.dismissed)),
            np.array(shopper.recent, "<i8").tobytes(),
            np.array([partition for (_, partition), _ in applied], "<i4").tobytes(),
            np.array([offset for _, offset in applied], "<i8").tobytes(),
            *_columns(held, index, dim),
            *_sums(taste.forgotten),
            _floor(taste.floor, index),
        ]
    )
    return _CHECKED.pack(_MAGIC, zlib.crc32(body)) + body


def unpack(data: bytes) -> Shopper:
    """The shopper in `data`; raises StateError naming what is wrong."""
    return _read(data, _shopper)


def forward_to(data: bytes) -> str | None:
    """`forward_to` of the shopper in `data`, without unpacking the rest; raises StateError."""
    return _read(data, _forward_to)


def _read(data: bytes, read: Callable[["_Reader"], T]) -> T:
    if data[:3] != _MAGIC or len(data) < _CHECKED.size:
        raise StateError(f"shopper state: got {len(data)} bytes beginning {data[:3]!r}, expected {_MAGIC!r}")
    body = memoryview(data)[_CHECKED.size :]
    if zlib.crc32(body) != _CHECKED.unpack_from(data)[1]:
        raise StateError(f"shopper state of {len(data)} bytes is damaged: its checksum is another")
    try:
        return read(_Reader(body))
    except (ValueError, IndexError) as error:
        raise StateError(f"shopper state of {len(data)} bytes is damaged: {error}") from error


class _Reader:
    """Takes one thing after the other from the bytes; raises ValueError where they end."""

    def __init__(self, data: memoryview) -> None:
        self.rest = data

    def struct(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack(self.take(layout.size))

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        return np.frombuffer(self.take(count * np.dtype(dtype).itemsize), dtype)

    def texts(self, count: int) -> list[str | None]:
        read, taken = unpack_texts(self.rest, count)
        self.take(taken)
        return read

    def exclusions(self) -> dict[int, int]:
        read, taken = unpack_exclusions(self.rest)
        self.take(taken)
        return read

    def take(self, size: int) -> memoryview:
        if len(self.rest) < size:
            raise ValueError(f"{len(self.rest)} bytes where {size} should be")
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken


def _forward_to(reader: _Reader) -> str | None:
    count = reader.struct(_HEAD)[1]
    *_, to_user_id = unpack_texts(reader.rest, count, wanted=4)[0]
    return to_user_id


def _shopper(reader: _Reader) -> Shopper:
    revision, *counts, dim, summed, floored = reader.struct(_HEAD)
    count, applied, aliases, recent, held = counts
    embedder, gender, age_group, forward_to, *rest = reader.texts(count)
    if embedder is None or len(rest) < applied + aliases or None in rest or max(summed, floored) > 1:
        raise ValueError("a text is missing")
    named = [text for text in rest if text is not None]
    seen, bought, dismissed = reader.exclusions(), reader.exclusions(), reader.exclusions()
    recents = reader.array("<i8", recent).tolist()
    partitions, offsets = reader.array("<i4", applied).tolist(), reader.array("<i8", applied).tolist()
    every = [embedder, "", "", "", *named]
    contributions = _contributions(reader, every, held, dim)
    forgotten = _forgotten(reader, dim) if summed else None
    floor = _rank(reader, every) if floored else None
    if reader.rest:
        raise ValueError(f"{len(reader.rest)} bytes more than expected")
    return Shopper(
        embedder,
        revision,
        Taste(contributions, forgotten, floor),
        seen,
        bought,
        dismissed,
        gender,
        age_group,
        dict(zip(zip(named, partitions, strict=False), offsets, strict=True)),
        tuple(recents),
        tuple(named[applied : applied + aliases]),
        forward_to,
    )


def _dim(taste: Taste) -> int:
    """The one length of all embeddings, 0 where there are none."""
    lengths = {len(c.codes) for c in taste.contributions if c.scale != 0.0}
    if taste.forgotten is not None:
        lengths.add(len(taste.forgotten.positive))
    if len(lengths) > 1:
        raise ValueError(f"shopper state: embeddings of {sorted(lengths)} numbers, expected one length")
    return lengths.pop() if lengths else 0


def _columns(held: Sequence[Contribution], index: dict[str, int], dim: int) -> list[bytes]:
    numbers = [np.array([getattr(c, name) for c in held], dtype) for name, dtype in _COLUMNS]
    named = np.array([[index[getattr(c, name)] for c in held] for name in _TEXTS], "<u2")
    coded = [c.codes for c in held if c.scale != 0.0]
    packed = halved(np.array(coded, np.int8).reshape(len(coded), dim))
    return [*(column.tobytes() for column in numbers), named.tobytes(), packed]


def _contributions(reader: _Reader, named: list[str], count: int, dim: int) -> tuple[Contribution, ...]:
    keys, times_s, weights, scales = (reader.array(dtype, count) for _, dtype in _COLUMNS)
    if not all(np.isfinite(column).all() for column in (times_s, weights, scales)):
        raise ValueError("a number of a contribution is none")
    products, garments, parts, actions = (
        [named[place] for place in reader.array("<u2", count).tolist()] for _ in _TEXTS
    )
    has = scales != 0.0
    coded, half = int(has.sum()), (dim + 1) // 2
    rows = iter(doubled(reader.array("|u1", coded * half).reshape(coded, half), dim))
    nothing = np.zeros(0, np.int8)
    embeddings = (next(rows) if there else nothing for there in has.tolist())
    columns = (
        *(keys.tolist(), products, garments, parts, actions),
        *(times_s.tolist(), weights.tolist(), embeddings, scales.tolist()),
    )
    return tuple(Contribution(*fields) for fields in zip(*columns, strict=True))


def _sums(forgotten: Forgotten | None) -> list[bytes]:
    if forgotten is None:
        return []
    scalars = _SUMS.pack(forgotten.positive_weight, forgotten.negative_weight, forgotten.as_of_s)
    return [scalars, *(sums.astype("<f4").tobytes() for sums in (forgotten.positive, forgotten.negative))]


def _forgotten(reader: _Reader, dim: int) -> Forgotten:
    scalars = reader.struct(_SUMS)
    positive, negative = (reader.array("<f4", dim).astype(np.float32) for _ in range(2))
    return Forgotten(positive, negative, *scalars)


def _floor(floor: Rank | None, index: dict[str, int]) -> bytes:
    if floor is None:
        return b""
    strength, newness, (event_key, garment_id) = floor
    return _FLOOR.pack(strength, newness, event_key, index[garment_id])


def _rank(reader: _Reader, named: list[str]) -> Rank:
    strength, newness, event_key, garment = reader.struct(_FLOOR)
    return strength, newness, (event_key, named[garment])
