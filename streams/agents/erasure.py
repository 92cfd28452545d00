"""What stays of an erased user: a marker under a keyed hash, so that replayed events do not bring them back.

In: user ids and the table. Out: markers (time of erasure, last revision) that expire. The key makes sure that
nobody without it can tell whose marker it is (HMAC-SHA-256, RFC 2104).
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Final

_PREFIX: Final = b"\x00erased:"


@dataclass(frozen=True, slots=True)
class Marker:
    """When a user was erased (unix seconds, event time) and the last revision given out."""

    erased_at_s: float
    revision: int


class Markers:
    """Markers in the `tastes` table, beside the shoppers, on the same partition."""

    def __init__(self, table: MutableMapping[bytes, bytes], key: bytes) -> None:
        self._table, self._key = table, key

    def get(self, user_id: str) -> Marker | None:
        """The marker of a user, None if there is none."""
        packed = self._table.get(self._row(user_id))
        if packed is None:
            return None
        held = json.loads(packed)
        return Marker(held["erased_at_s"], held["revision"])

    def put(self, user_id: str, marker: Marker) -> None:
        """Keep a marker; the later of two erasures stays."""
        held = self.get(user_id)
        if held is not None:
            marker = Marker(max(held.erased_at_s, marker.erased_at_s), max(held.revision, marker.revision))
        row = {"erased_at_s": marker.erased_at_s, "revision": marker.revision}
        self._table[self._row(user_id)] = json.dumps(row).encode()

    def expire(self, keys: Iterable[bytes], before_s: float) -> int:
        """Forget the markers among `keys` of erasures before a time; returns how many."""
        gone = [
            key
            for key in keys
            if key.startswith(_PREFIX)
            and (packed := self._table.get(key)) is not None
            and json.loads(packed)["erased_at_s"] < before_s
        ]
        for key in gone:
            self._table.pop(key)
        return len(gone)

    def _row(self, user_id: str) -> bytes:
        return _PREFIX + hmac.new(self._key, user_id.encode(), hashlib.sha256).digest()
