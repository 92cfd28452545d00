"""How RocksDB lays a table out on disk. Faust passes on few of its options; the rest are set here.

In: a Faust table. Out: the same, whose files hold less of what has been overwritten. RocksDB's levels begin
at 256 MB by default: a partition of less keeps two versions of every row, in one level each, for good.
"""

from typing import Any

from faust.stores.rocksdb import RocksDBOptions, Store


class TidyOptions(RocksDBOptions):
    """Faust's options, with levels sized from the last one, which holds nine tenths of everything."""

    def as_options(self) -> Any:
        """Options for rocksdict."""
        options = super().as_options()
        options.set_level_compaction_dynamic_level_bytes(True)
        options.set_max_bytes_for_level_base(4 * self.write_buffer_size)
        options.set_target_file_size_base(self.write_buffer_size)
        return options


def tidied(table: Any) -> Any:
    """The table, with these options where its store is RocksDB (tests keep tables in memory)."""
    store = table.data
    if isinstance(store, Store):
        store.rocksdb_options = TidyOptions(**(store.options or {}), use_rocksdict=store.use_rocksdict)
    return table
