"""What the gateway keeps on disk: newest sets and tastes, product rows, and how far each topic was read.

In: bytes under keys, written in batches together with the offsets that they answer. Out: them again, also
after a restart. Fails with ShelfError when another process has the folder open. It can always be made again
from the topics, so a shelf of another format is thrown away.
"""

import contextlib
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch

_FORMAT: Final = b"1"
_FORMAT_KEY: Final = b"\x00format"
_OFFSET: Final = struct.Struct(">q")
_CACHE_BYTES: Final = 32 << 20
_WRITE_BUFFER_BYTES: Final = 8 << 20
_OPEN_FILES: Final = 256


class ShelfError(RuntimeError):
    """The folder cannot be opened."""


class Batch:
    """Changes that are written together, or not at all."""

    def __init__(self) -> None:
        self._batch: Any = WriteBatch(raw_mode=True)

    def put(self, key: bytes, value: bytes) -> None:
        """Set a key."""
        self._batch.put(key, value)

    def delete(self, key: bytes) -> None:
        """Take a key away; nothing happens where it is not."""
        self._batch.delete(key)

    def next_offset(self, topic: str, partition: int, offset: int) -> None:
        """Note how far a partition was read."""
        self._batch.put(_offset_key(topic, partition), _OFFSET.pack(offset))


class Shelf:
    """A RocksDB in a folder of its own; a context manager. Reads and writes take microseconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._db = _opened(folder)
        held = self._db.get(_FORMAT_KEY)
        if held not in (None, _FORMAT):
            self._db.close()
            shutil.rmtree(folder)
            self._db = _opened(folder)
        self._db.put(_FORMAT_KEY, _FORMAT)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, None where there is none."""
        found: bytes | None = self._db.get(key)
        return found

    def write(self, batch: Batch) -> None:
        """Make a batch of changes."""
        self._db.write(batch._batch)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys and values below a prefix in order of the keys, from the first key greater than `after`."""
        found: Any = self._db.iter()
        found.seek(max(prefix, after))
        while found.valid() and (key := found.key()).startswith(prefix):
            if key != after:
                yield key, found.value()
            found.next()

    def next_offset(self, topic: str, partition: int) -> int | None:
        """How far a partition was read, None where it was not."""
        packed = self._db.get(_offset_key(topic, partition))
        return None if packed is None else int(_OFFSET.unpack(packed)[0])

    def clear(self, *prefixes: bytes) -> None:
        """Take everything below these prefixes away."""
        for prefix in prefixes:
            self._db.delete_range(prefix, prefix[:-1] + bytes([prefix[-1] + 1]))

    def forget_offsets(self, topic: str) -> None:
        """As though the topic had not been read."""
        self.clear(_offset_key(topic, 0)[:-4])

    def close(self) -> None:
        """Close the folder."""
        with contextlib.suppress(Exception):
            self._db.close()

    def __enter__(self) -> "Shelf":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _offset_key(topic: str, partition: int) -> bytes:
    return b"@" + topic.encode() + b"\x00" + partition.to_bytes(4, "big")


def _opened(folder: Path) -> Any:
    table = BlockBasedOptions()
    table.set_block_cache(Cache(_CACHE_BYTES))
    table.set_bloom_filter(10, block_based=False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_level_compaction_dynamic_level_bytes(True)  # else old versions of rows stay for good
    options.set_max_bytes_for_level_base(4 * _WRITE_BUFFER_BYTES)
    options.set_max_open_files(_OPEN_FILES)
    options.set_max_total_wal_size(4 * _WRITE_BUFFER_BYTES)
    try:
        return Rdict(str(folder), options)
    except Exception as error:
        raise ShelfError(f"{folder} cannot be opened, is another gateway running? {error}") from error
