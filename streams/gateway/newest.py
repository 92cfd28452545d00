"""Everybody's newest set and newest taste, on the shelf.

In: records of `recommendations` and `tastes`, read again and in any mixture of partitions. Out: the newest of
each shopper as the topic has it, and word of newer sets and of erasures. What is not newer is dropped, what
is none is logged and dropped.
"""

import logging
import struct
from collections.abc import Callable, Sequence
from typing import Final

from schemas.cloudevents import parse_json
from schemas.errors import SchemaError
from schemas.tastes import unpack
from streams.gateway.shelf import Batch, Shelf
from streams.record import Record

log = logging.getLogger(__name__)

SETS: Final = b"s:"
TASTES: Final = b"t:"
_REVISION: Final = struct.Struct(">q")


class NewestSets:
    """The sets.

    Args:
        newer: is told (user id, the set's JSON, its LogAppendTime) of each set, once it is on the shelf.
        erased: is told of a shopper whose sets are gone.
    """

    def __init__(
        self, shelf: Shelf, newer: Callable[[str, bytes, float], None], erased: Callable[[str], None]
    ) -> None:
        self._shelf, self._newer, self._erased = shelf, newer, erased
        self._batch: dict[str, tuple[int, bytes, float] | None] = {}
        self._gone: dict[str, None] = {}

    async def take_in(self, records: Sequence[Record], batch: Batch) -> None:
        """Keep what is newer than what is held."""
        self._batch.clear()
        self._gone.clear()
        for record in records:
            if record.key is None:
                continue
            user_id = record.key.decode("utf-8", "replace")
            if record.value is None or ("ce_type", b"shopper.erased") in record.headers:
                if record.value is not None or self.revision(user_id):  # one word of it, not two
                    self._gone[user_id] = None
                batch.delete(SETS + record.key)
                self._batch[user_id] = None
                continue
            try:
                revision = _revision_of(record.value)
            except (KeyError, TypeError, ValueError) as error:
                log.warning("recommendations/%s@%s ignored: %r", record.partition, record.offset, error)
                continue
            if revision > self.revision(user_id):
                batch.put(SETS + record.key, _REVISION.pack(revision) + record.value)
                self._batch[user_id] = (revision, record.value, record.appended_at_s)

    def written(self) -> None:
        """What was taken in is on the shelf: tell of it."""
        told, gone = self._batch, self._gone
        self._batch, self._gone = {}, {}
        for user_id in gone:
            self._erased(user_id)
        for user_id, held in told.items():
            if held is not None:
                self._newer(user_id, held[1], held[2])

    def get(self, user_id: str) -> bytes | None:
        """The JSON of a shopper's newest set."""
        packed = self._shelf.get(SETS + user_id.encode())
        return None if packed is None else packed[_REVISION.size :]

    def revision(self, user_id: str) -> int:
        """The revision of a shopper's newest set, 0 where there is none."""
        if user_id in self._batch:
            held = self._batch[user_id]
            return 0 if held is None else held[0]
        return _held_revision(self._shelf, SETS + user_id.encode())

    def forget(self) -> None:
        """Drop all sets."""
        self._shelf.clear(SETS)


class NewestTastes:
    """The tastes, packed as the topic has them."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def take_in(self, records: Sequence[Record], batch: Batch) -> None:
        """Keep what is not older than what is held."""
        newest: dict[bytes, int] = {}
        for record in records:
            if record.key is None:
                continue
            key = TASTES + record.key
            if record.value is None or ("ce_type", b"taste.erased") in record.headers:
                batch.delete(key)
                newest[key] = 0
                continue
            try:
                revision = unpack(record.value)[0].revision
            except SchemaError as error:
                log.warning("tastes/%s@%s ignored: %s", record.partition, record.offset, error)
                continue
            held = newest[key] if key in newest else _held_revision(self._shelf, key)
            if revision >= held:
                batch.put(key, _REVISION.pack(revision) + record.value)
                newest[key] = revision

    def get(self, user_id: str) -> tuple[int, bytes] | None:
        """Revision and packed state of a shopper."""
        packed = self._shelf.get(TASTES + user_id.encode())
        if packed is None:
            return None
        return int(_REVISION.unpack_from(packed)[0]), unpack(packed[_REVISION.size :])[1]

    def forget(self) -> None:
        """Drop all tastes."""
        self._shelf.clear(TASTES)


def _held_revision(shelf: Shelf, key: bytes) -> int:
    packed = shelf.get(key)
    return 0 if packed is None else int(_REVISION.unpack_from(packed)[0])


def _revision_of(value: bytes) -> int:
    """The revision of a set; raises KeyError, TypeError or ValueError for what is none."""
    data = parse_json(value)
    revision = data["revision"]
    if not isinstance(revision, int) or not isinstance(data["items"], list):
        raise TypeError("expected a whole revision and a list of items")
    return revision
