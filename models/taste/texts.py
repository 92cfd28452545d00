"""Texts in a packed state: lengths first, then all of them; a UUID takes 16 bytes. Pure.

In: texts or None. Out: their bytes. Layout: uint16 per text (its length, or what it is instead) · UTF-8 or
the UUID's bytes, one after the other.
"""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_IS_NONE: Final = 0xFFFF
_IS_UUID: Final = 0xFFFE
MOST_BYTES: Final = 0xFFFD


def text_bytes(text: str) -> int:
    """How many bytes a text takes besides its length."""
    return 16 if _UUID.fullmatch(text) else len(text.encode())


def pack(texts: Sequence[str | None]) -> bytes:
    """The bytes of texts; raises ValueError for one that is longer than may be kept."""
    lengths, parts = [], []
    for text in texts:
        if text is None:
            lengths.append(_IS_NONE)
        elif _UUID.fullmatch(text):
            lengths.append(_IS_UUID)
            parts.append(bytes.fromhex(text.replace("-", "")))
        else:
            parts.append(text.encode())
            lengths.append(len(parts[-1]))
            if lengths[-1] > MOST_BYTES:
                raise ValueError(f"text {text[:20]!r}…: {lengths[-1]} bytes, expected at most {MOST_BYTES}")
    return b"".join([np.array(lengths, "<u2").tobytes(), *parts])


def unpack(data: memoryview, count: int, wanted: int | None = None) -> tuple[list[str | None], int]:
    """The texts, or the first `wanted` of them, and where they end; raises ValueError where they are none."""
    if len(data) < 2 * count:
        raise ValueError(f"{count} texts end early")
    texts: list[str | None] = []
    at = 2 * count
    for length in np.frombuffer(data, "<u2", count)[:wanted].tolist():
        taken = {_IS_NONE: 0, _IS_UUID: 16}.get(length, length)
        raw = bytes(data[at : at + taken])
        if len(raw) < taken:
            raise ValueError(f"{count} texts end early")
        at += taken
        if length == _IS_NONE:
            texts.append(None)
        elif length == _IS_UUID:
            digits = raw.hex()
            groups = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
            texts.append("-".join(groups))
        else:
            texts.append(raw.decode())
    return texts, at
