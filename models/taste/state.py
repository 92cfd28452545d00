"""A shopper's state as bytes: versioned, compact, no pickle. Pure.

Layout: b"LS1" · uint32 length of the header · header (JSON, zlib) · int8 codes (N x D) · float32 sums
(2 x D, only if something was forgotten). Fails with StateError on anything else; never half a state.
"""

import json
import struct
import zlib
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from models.taste.contributions import Contribution, Forgotten, Taste
from models.taste.shopper import Shopper

_MAGIC: Final = b"LS1"
_SCALARS: Final = ("embedder", "revision", "gender", "age_group", "forward_to")
_EXCLUSIONS: Final = ("seen", "bought", "dismissed")


class StateError(ValueError):
    """Bytes that are no shopper's state of this version."""


def pack(shopper: Shopper) -> bytes:
    """The state as bytes; `unpack` gives an equal shopper back."""
    held, forgotten = shopper.taste.contributions, shopper.taste.forgotten
    header: dict[str, Any] = {name: getattr(shopper, name) for name in _SCALARS}
    header |= {name: [list(row) for row in getattr(shopper, name).items()] for name in _EXCLUSIONS}
    header["applied"] = [[topic, partition, offset] for (topic, partition), offset in shopper.applied.items()]
    header["recent"], header["aliases"] = list(shopper.recent), list(shopper.aliases)
    header["contributions"] = [
        [c.event_key, c.product_id, c.garment_id, c.part, c.action, c.event_time_s, c.weight, c.scale]
        for c in held
    ]
    codes = np.stack([c.codes for c in held]) if held else np.zeros((0, 0), np.int8)
    header["shape"] = list(codes.shape)
    parts = [codes.tobytes()]
    if forgotten is not None:
        sums = {k: v for k, v in asdict(forgotten).items() if k not in ("positive", "negative")}
        header["forgotten"] = sums | {"dim": int(forgotten.positive.shape[0])}
        parts += [forgotten.positive.astype("<f4").tobytes(), forgotten.negative.astype("<f4").tobytes()]
    packed = zlib.compress(json.dumps(header, separators=(",", ":")).encode(), 1)
    return b"".join([_MAGIC, struct.pack("<I", len(packed)), packed, *parts])


def unpack(data: bytes) -> Shopper:
    """The shopper in `data`; raises StateError naming what is wrong."""
    if data[:3] != _MAGIC or len(data) < 7:
        raise StateError(f"shopper state: got {len(data)} bytes beginning {data[:3]!r}, expected {_MAGIC!r}")
    (length,) = struct.unpack_from("<I", data, 3)
    try:
        header = json.loads(zlib.decompress(data[7 : 7 + length]))
        _check_size(header, len(data) - 7 - length)
        kept: dict[str, Any] = {name: header[name] for name in _SCALARS}
        kept |= {name: {int(key): time_s for key, time_s in header[name]} for name in _EXCLUSIONS}
        return Shopper(
            **kept,
            taste=_taste(header, data[7 + length :]),
            applied={(topic, partition): offset for topic, partition, offset in header["applied"]},
            recent=tuple(header["recent"]),
            aliases=tuple(header["aliases"]),
        )
    except (zlib.error, KeyError, TypeError, ValueError, RecursionError) as error:
        raise StateError(f"shopper state of {len(data)} bytes is damaged: {error}") from error


def _check_size(header: dict[str, Any], body_bytes: int) -> None:
    count, dim = header["shape"]
    expected = count * dim + (8 * header["forgotten"]["dim"] if "forgotten" in header else 0)
    if body_bytes != expected or count != len(header["contributions"]):
        raise ValueError(f"{body_bytes} bytes of {count} embeddings, expected {expected}")


def _taste(header: dict[str, Any], body: bytes) -> Taste:
    count, dim = header["shape"]
    codes = np.frombuffer(body, np.int8, count * dim).reshape(count, dim)
    held = []
    for row, fields in enumerate(header["contributions"]):
        event_key, product_id, garment_id, part, action, event_time_s, weight, scale = fields
        of = (event_key, product_id, garment_id, part, action, event_time_s, weight)
        held.append(Contribution(*of, codes=codes[row], scale=scale))
    if "forgotten" not in header:
        return Taste(tuple(held))
    kept = header["forgotten"]
    sums = np.frombuffer(body, "<f4", 2 * kept["dim"], count * dim).reshape(2, -1)
    weights = {name: kept[name] for name in ("positive_weight", "negative_weight", "as_of_s")}
    return Taste(tuple(held), Forgotten(sums[0].astype(np.float32), sums[1].astype(np.float32), **weights))
