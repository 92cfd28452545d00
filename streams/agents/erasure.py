"""What stays of an erased user: a marker under a keyed hash, so that replayed events do not bring them back.

In: user ids and the table. Out: markers (time of erasure, last revision) that expire. The key makes sure that
nobody without it can tell whose marker it is (HMAC-SHA-256, RFC 2104).

Rows of the table besides the shoppers': one per marker; per partition and hour a list of the markers kept in
that hour, and per partition the oldest hour that has a list. So expiry reads no row that has not expired.
"""

import hashlib
import hmac
import struct
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Final

_MARKER: Final = b"\x00erased:"
_HOUR: Final = b"\x00erased-in-hour:"
_OLDEST: Final = b"\x00erased-since:"
_ROW: Final = struct.Struct("<dqd")
_HOUR_S: Final = 3600
_HASH_BYTES: Final = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Marker:
    """When a user was erased (unix seconds, event time), the last revision given out, and when it was kept.

    `kept_at_s` is the broker's time of the erasure, from which the marker's own time runs.
    """

    erased_at_s: float
    revision: int
    kept_at_s: float


class Markers:
    """Markers in the `tastes` table, beside the shoppers, on the same partition."""

    def __init__(self, table: MutableMapping[bytes, bytes], key: bytes) -> None:
        self._table, self._key = table, key

    def get(self, user_id: str) -> Marker | None:
        """The marker of a user, None if there is none."""
        packed = self._table.get(_MARKER + self._hash(user_id))
        return None if packed is None else Marker(*_ROW.unpack(packed))

    def put(self, user_id: str, marker: Marker, partition: int) -> None:
        """Keep a marker of a user of this partition; of two, the later times and the higher revision."""
        held, hashed = self.get(user_id), self._hash(user_id)
        if held is not None:
            marker = Marker(
                max(held.erased_at_s, marker.erased_at_s),
                max(held.revision, marker.revision),
                max(held.kept_at_s, marker.kept_at_s),
            )
        hour = int(marker.kept_at_s // _HOUR_S)
        listed = self._table.get(_hour_row(partition, hour)) or b""
        if hashed not in _hashes(listed):
            self._table[_hour_row(partition, hour)] = listed + hashed
        oldest = self._oldest(partition)
        if oldest is None or hour < oldest:
            self._table[_oldest_row(partition)] = struct.pack("<q", hour)
        row = _ROW.pack(marker.erased_at_s, marker.revision, marker.kept_at_s)
        self._table[_MARKER + hashed] = row

    def expire(self, partition: int, before_s: float) -> int:
        """Forget this partition's markers of the hours that ended before a time; returns how many."""
        oldest, end, gone = self._oldest(partition), int(before_s // _HOUR_S), 0
        if oldest is None or end <= oldest:
            return 0
        for hour in range(oldest, end):
            listed = self._table.pop(_hour_row(partition, hour), b"")
            for hashed in _hashes(listed):
                packed = self._table.get(_MARKER + hashed)
                # One that was kept again later is on that hour's list, too.
                if packed is not None and Marker(*_ROW.unpack(packed)).kept_at_s < end * _HOUR_S:
                    self._table.pop(_MARKER + hashed)
                    gone += 1
        self._table[_oldest_row(partition)] = struct.pack("<q", end)
        return gone

    def _oldest(self, partition: int) -> int | None:
        packed = self._table.get(_oldest_row(partition))
        return None if packed is None else int(struct.unpack("<q", packed)[0])

    def _hash(self, user_id: str) -> bytes:
        return hmac.new(self._key, user_id.encode(), hashlib.sha256).digest()


def _hour_row(partition: int, hour: int) -> bytes:
    return _HOUR + struct.pack("<Hq", partition, hour)


def _oldest_row(partition: int) -> bytes:
    return _OLDEST + struct.pack("<H", partition)


def _hashes(listed: bytes) -> list[bytes]:
    return [listed[at : at + _HASH_BYTES] for at in range(0, len(listed), _HASH_BYTES)]
