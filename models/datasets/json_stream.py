"""The arrays of a large JSON object, element by element, without the whole in memory.

In: a file whose top level is an object. Out: (key, element) for every element of every array in it, and
(key, value) for what is not an array. Fails with ValueError naming the place where it is not JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

_CHUNK_CHARS: Final = 1 << 20
_MAX_ELEMENT_CHARS: Final = 1 << 28
_AFTER_NUMBER: Final = tuple(",]} \t\r\n")
_decode = json.JSONDecoder().raw_decode


class _Reader:
    """A window on the text that grows until a whole value is in it."""

    def __init__(self, opened: TextIO) -> None:
        self._opened, self._text, self._at, self._before = opened, "", 0, 0
        self._ended = False

    def next_sign(self) -> str:
        """The next character that is no white space, not yet taken; empty at the end."""
        while True:
            while self._at < len(self._text):
                if not self._text[self._at].isspace():
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def take(self, expected: str) -> str:
        """The next character, which must be one of `expected`."""
        sign = self.next_sign()
        if not sign or sign not in expected:
            raise ValueError(
                f"character {self._before + self._at}: got {sign!r}, expected one of {expected!r}"
            )
        self._at += 1
        return sign

    def value(self) -> Any:
        """The next value, whole."""
        self.next_sign()
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except ValueError as error:
                if len(self._text) - self._at > _MAX_ELEMENT_CHARS or not self._more():
                    raise ValueError(f"character {self._before + self._at}: {error}") from None
                continue
            # A number that the window cuts may read as a shorter one: what follows it must be in the window.
            cut = isinstance(value, (int, float)) and self._text[end : end + 1] not in _AFTER_NUMBER
            if cut and self._more():
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        """Read on; as much as is there already, so that a long value costs no more than twice."""
        chunk = self._opened.read(max(_CHUNK_CHARS, len(self._text) - self._at))
        if not chunk:
            return False
        self._before += self._at
        self._text, self._at = self._text[self._at :] + chunk, 0
        return True


def stream_object(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield what is in the object, in its order. Raises OSError, ValueError."""
    with file.open(encoding="utf-8") as opened:
        reader = _Reader(opened)
        reader.take("{")
        if reader.next_sign() == "}":
            return
        while True:
            key = reader.value()
            if not isinstance(key, str):
                raise ValueError(f"key {key!r}, expected text")
            reader.take(":")
            if reader.next_sign() == "[":
                for element in _elements(reader):
                    yield key, element
            else:
                yield key, reader.value()
            if reader.take(",}") == "}":
                break
        if reader.next_sign():
            raise ValueError("more text after the object, expected its end")


def _elements(reader: _Reader) -> Iterator[Any]:
    reader.take("[")
    if reader.next_sign() == "]":
        reader.take("]")
        return
    while True:
        yield reader.value()
        if reader.take(",]") == "]":
            return
