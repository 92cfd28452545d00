"""How a product's record is kept as a point with a payload and no vector, the same on every back end."""

from __future__ import annotations

import base64
import uuid
from typing import Final

from vectorstore.base import Payload

_RECORDS: Final = uuid.UUID("8f6c2f60-8a5e-5d0c-9d55-0d4f3a9f6c11")


def record_id(product_id: str) -> str:
    """The id of the product's record."""
    return str(uuid.uuid5(_RECORDS, product_id))


def record_payload(product_id: str, record: bytes) -> Payload:
    """What is stored."""
    return {"product_id": product_id, "record": base64.b64encode(record).decode()}


def opened(payload: Payload) -> tuple[str, bytes]:
    """(product id, record) of what was stored."""
    return payload["product_id"], base64.b64decode(payload["record"])
