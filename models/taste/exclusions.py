"""Products that a shopper's sets may not hold, each with the time it was last bought or seen. Pure.

In: product ids and event times. Out: the newest so many, the same in any order of events, and their bytes.

Layout: uint16 count, high word of the oldest time, span of the high words · uint32 keys, by time · uint16 low
words of the times · high words in unary (Elias 1974: a 1 for each product, a 0 for each step between them).
A thousand products take 6.3 bytes each, however their times lie.
"""

import hashlib
import struct
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

UNIT_S: Final = 64
"""Times are whole units of so many seconds, from 1970 to 2106: they only say which are the newest."""
_LAST_S: Final = 2**32 - 1
_HEAD: Final = struct.Struct("<HHH")
_MOST_SPAN: Final = _LAST_S // UNIT_S >> 16


def product_key(product_id: str) -> int:
    """A 32-bit key of a product, small enough to keep by the thousand.

    Another product shares the key of one of 2,000 excluded ones with a chance of 1 in 2 million.
    """
    return int.from_bytes(hashlib.blake2b(product_id.encode(), digest_size=4).digest(), "big")


def unit_time_s(event_time_s: float) -> int:
    """The event time as exclusions keep it."""
    return int(min(max(0.0, event_time_s), _LAST_S)) // UNIT_S * UNIT_S


def union(one: Mapping[int, int], other: Mapping[int, int], most: int) -> dict[int, int]:
    """Both (product key → time in s), each key with its newest time; the newest `most`."""
    grown = dict(one)
    for key, time_s in other.items():
        grown[key] = max(time_s, grown.get(key, time_s))
    if len(grown) <= most:
        return grown
    return dict(sorted(grown.items(), key=lambda row: (-row[1], row[0]))[:most])


def most_bytes(count: int) -> int:
    """How many bytes so many exclusions take when packed, at most."""
    return _HEAD.size + (6 * count + (count + _MOST_SPAN + 7) // 8 if count else 0)


def pack(held: Mapping[int, int]) -> bytes:
    """The bytes of product key → time; equal mappings give equal bytes."""
    if not held:
        return _HEAD.pack(0, 0, 0)
    keys = np.fromiter(held.keys(), np.uint32, len(held))
    units = np.fromiter(held.values(), np.int64, len(held)) // UNIT_S
    order = np.lexsort((keys, units))
    keys, units = keys[order], units[order]
    high = units >> 16
    steps = high - high[0]
    unary = np.zeros(len(held) + int(steps[-1]), np.uint8)
    unary[steps + np.arange(len(held))] = 1
    head = _HEAD.pack(len(held), int(high[0]), int(steps[-1]))
    return b"".join(
        [head, keys.astype("<u4").tobytes(), units.astype("<u2").tobytes(), np.packbits(unary).tobytes()]
    )


def unpack(data: memoryview) -> tuple[dict[int, int], int]:
    """Product key → time, and how many of the bytes they took; raises ValueError where they are none."""
    if len(data) < _HEAD.size:
        raise ValueError("exclusions end early")
    count, oldest, span = _HEAD.unpack_from(data)
    if count == 0:
        return {}, _HEAD.size
    bits = count + span
    end = _HEAD.size + 6 * count + (bits + 7) // 8
    if len(data) < end:
        raise ValueError(f"{count} exclusions end early")
    keys: NDArray[np.uint32] = np.frombuffer(data, "<u4", count, _HEAD.size)
    low = np.frombuffer(data, "<u2", count, _HEAD.size + 4 * count).astype(np.int64)
    packed = np.frombuffer(data, np.uint8, (bits + 7) // 8, _HEAD.size + 6 * count)
    places = np.flatnonzero(np.unpackbits(packed, count=bits))
    if len(places) != count:
        raise ValueError(f"{len(places)} times of {count} exclusions")
    times_s = ((oldest + places - np.arange(count)) << 16 | low) * UNIT_S
    return dict(zip(keys.tolist(), times_s.tolist(), strict=True)), end
