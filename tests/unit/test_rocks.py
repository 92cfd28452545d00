"""The table on disk: its options reach RocksDB, and what was written is there when it is opened again."""

from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streams.apps import faust_app, table
from streams.rocks import TidyOptions, tidied
from streams.settings import Settings


def opened(directory: Path) -> Any:
    settings = Settings(data_dir=directory, partitions=2)
    return table(faust_app("shopper", settings, "127.0.0.1:1"), "tastes").data


def test_rows_are_there_when_the_table_is_opened_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert isinstance(store.rocksdb_options, TidyOptions)
    assert store.rocksdb_options.block_cache_size == 16 << 20
    for partition in range(2):
        store._db_for_partition(partition).put(b"alice", b"state %d" % partition)
    store._dbs.clear()
    gc.collect()
    again = opened(tmp_path)
    assert [again._db_for_partition(p).get(b"alice") for p in range(2)] == [b"state 0", b"state 1"]


def test_a_table_of_other_options_is_opened_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("streams.apps.tidied", lambda made: made)
        store = opened(tmp_path)
        assert not isinstance(store.rocksdb_options, TidyOptions)
        store._db_for_partition(0).put(b"alice", b"state")
        store._dbs.clear()
        gc.collect()
    assert opened(tmp_path)._db_for_partition(0).get(b"alice") == b"state"


def test_a_table_in_memory_is_left_alone() -> None:
    made = SimpleNamespace(data={})
    assert tidied(made) is made
    assert made == SimpleNamespace(data={})
