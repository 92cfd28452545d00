"""Payloads: JSON-like, and with the types that filters and orders rely on.

In: what a caller gave. Out: plain JSON values. What can fail: `InvalidRequest`, naming the garment or taste,
the field, what it was and what was expected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from vectorstore.base import InvalidRequest, Payload

MAX_ID_CHARS: Final = 256
MAX_DEPTH: Final = 8
INT64: Final = range(-(1 << 63), 1 << 63)
RESERVED: Final = ("product_id", "user_id")
GARMENT_FIELDS: Final = ("part", "in_stock", "product_key", "indexed_at")
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # engines read anything else as a path
_TEXT_FIELDS: Final = ("part", "gender", "age_group")


def text(value: object, what: str) -> str:
    """A non-empty string of at most MAX_ID_CHARS characters."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_CHARS:
        raise InvalidRequest(f"{what}: {kind(value)}, expected a string of 1 to {MAX_ID_CHARS} characters")
    return encodable(value, what)


def complete_payload(value: object, required: Sequence[str], what: str) -> Payload:
    """The payload of a new point, without its None; InvalidRequest naming `what` if it cannot be kept."""
    payload = {key: item for key, item in _json(value, what).items() if item is not None}
    for key in required:
        if key not in payload:
            raise InvalidRequest(f"{what}: payload has no {key!r}")
    _typed_fields(payload, what)
    return payload


def payload_changes(values: Mapping[str, Any], required: Sequence[str], what: str) -> Payload:
    """Changes of a stored payload, None for a key to delete; `required` ones cannot be deleted."""
    payload = _json(dict(values) if isinstance(values, Mapping) else values, what)
    for key in required:
        if payload.get(key, 0) is None:
            raise InvalidRequest(f"{what}: payload field {key!r} cannot be deleted")
    _typed_fields(payload, what)
    return payload


def _typed_fields(payload: Payload, what: str) -> None:
    """Check the fields that filters and orders rely on: engines skip values of another type silently."""
    for key in _TEXT_FIELDS:
        if payload.get(key) is not None:
            text(payload[key], f"{what}: payload field {key!r}")
    stock, product_key, seconds = (payload.get(key) for key in ("in_stock", "product_key", "indexed_at"))
    if stock is not None and (isinstance(stock, bool) or stock not in (0, 1) or not isinstance(stock, int)):
        raise InvalidRequest(f"{what}: payload field 'in_stock': {stock!r}, expected the integer 0 or 1")
    if product_key is not None and (isinstance(product_key, bool) or not isinstance(product_key, int)):
        raise InvalidRequest(f"{what}: payload field 'product_key': {product_key!r}, expected an integer")
    if seconds is not None:
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise InvalidRequest(f"{what}: payload field 'indexed_at': {seconds!r}, expected Unix seconds")
        payload["indexed_at"] = float(seconds)


def _json(value: object, what: str) -> Payload:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{what}: payload is {kind(value)}, expected a dict")
    for key in value:
        if not isinstance(key, str) or not _KEY.fullmatch(key) or key in RESERVED:
            raise InvalidRequest(
                f"{what}: payload key {key!r}, expected letters, digits and '_', not {' or '.join(RESERVED)}"
            )
    return {key: _json_value(item, f"{what}: payload field {key!r}", 1) for key, item in value.items()}


def _json_value(value: object, what: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"{what}: nested deeper than {MAX_DEPTH}")
    match value:
        case None | bool():
            return value
        case str():
            return encodable(value, what)
        case int() if value in INT64:
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case list() | tuple():
            return [_json_value(item, what, depth + 1) for item in value]
        case dict() if all(isinstance(key, str) for key in value):
            return {encodable(key, what): _json_value(item, what, depth + 1) for key, item in value.items()}
    raise InvalidRequest(f"{what}: {kind(value)}, expected finite JSON values")


def encodable(value: str, what: str) -> str:
    """A string that has a UTF-8 form."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"{what}: text with a lone surrogate, expected UTF-8") from None
    return value


def kind(value: object) -> str:
    """What a value is, in few words."""
    match value:
        case str() | bytes():
            return f"{type(value).__name__} of length {len(value)}"
        case int():
            return f"{type(value).__name__} of {value.bit_length()} bits"
        case float():
            return repr(value)
        case np.ndarray():
            return f"{value.dtype} array of shape {value.shape}"
    return type(value).__name__
