"""What a table of shoppers takes: bytes on disk, seconds to open, milliseconds per event.

In: how many shoppers of which kind. Out: a table, or with --json `{"machine": …, "rows": […]}`. The rows
lie in RocksDB as the shopper app keeps them (Faust's own store with the app's options), spread over its
partitions; they are opened again in a process of their own, as a worker does whose changelog holds nothing
newer. A state is one of 40 of its kind, built by the pure core; each is stored many times over, in blocks of
its own.

Run it with `python -m benchmarks.taste_table` in an environment that has lookstream.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from models.taste.contributions import TasteSettings
from models.taste.shopper import Act, GarmentSeen, Position, Shopper, acted, at, merged
from models.taste.state import pack, unpack

DIM, KINDS, DIFFERENT = 512, ("usual", "busy", "fullest"), 40
_NOW_S = 1.8e9
_BOUGHT = {"usual": 4, "busy": 60, "fullest": 1000}
_DISMISSED = {"usual": 2, "busy": 30, "fullest": 1000}
_VIEWED = {"usual": 25, "busy": 300, "fullest": 500}
_ALIASES = {"usual": 1, "busy": 3, "fullest": 60}


def shopper(kind: str, seed: int) -> Shopper:
    """A shopper who did as much as their kind does, with two garments a product (one for the fullest)."""
    rng, made, settings = np.random.default_rng(seed), Shopper("embedder-1", gender="female"), TasteSettings()
    for action, count in (("purchased", _BOUGHT[kind]), ("dismissed", _DISMISSED[kind])):
        for n in range(count):
            act = Act(n, f"product.{action}", f"sku-{seed:03d}-{n:05d}", _NOW_S - rng.uniform(0, 3e8))
            made = acted(made, act, (), settings)
    for n in range(_VIEWED[kind]):
        act = Act(int(rng.integers(2**62)), "product.viewed", f"sku-{seed:03d}-{n:05d}", _NOW_S + 60 * n)
        boxes = range(1 if kind == "fullest" else 2)
        found = [GarmentSeen(str(uuid5(NAMESPACE_URL, f"{n}/{box}")), "upper", unit(rng)) for box in boxes]
        made = at(acted(made, act, found, settings), Position("interactions", 3, n), act.event_key)
    for n in range(_ALIASES[kind]):
        made = merged(made, Shopper("embedder-1"), str(uuid5(NAMESPACE_URL, f"alias-{n}")), settings)
    return made


def unit(rng: np.random.Generator) -> np.ndarray:
    """A random unit embedding (DIM,)."""
    drawn = rng.normal(size=DIM).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def opened(directory: Path) -> Any:
    """The `tastes` table of a shopper app, its RocksDB store not opened yet."""
    from streams.apps import faust_app, table
    from streams.settings import Settings

    app = faust_app("shopper", Settings(data_dir=directory), "127.0.0.1:1")
    return table(app, "tastes")


def fill(directory: Path, kind: str, shoppers: int) -> dict[str, Any]:
    """Write the shoppers, each once more as after an event, and say what it took."""
    held = [shopper(kind, seed) for seed in range(DIFFERENT)]
    states = [*map(pack, held)]
    tastes = opened(directory)
    partitions = tastes.partitions
    started = time.perf_counter()
    for round_ in range(2):
        for n in range(shoppers):
            db = tastes.data._db_for_partition(n % partitions)
            db.put(f"user-{n:07d}".encode(), states[(n + round_) % DIFFERENT])
    for partition in range(partitions):
        tastes.data._db_for_partition(partition).put(tastes.data.offset_key, b"123456")
    seconds = time.perf_counter() - started
    written_gb = round(_disk_bytes(directory) / 1e9, 3)
    for partition in range(partitions):
        _settled(tastes.data._db_for_partition(partition))
    return {
        "bytes_per_state": round(statistics.mean(map(len, states))),
        "contributions": statistics.mean(len(one.taste.contributions) for one in held),
        "pack_ms": _median_ms(lambda n: pack(held[n])),
        "unpack_ms": _median_ms(lambda n: unpack(states[n])),
        "writes_per_s": round(2 * shoppers / seconds),
        "disk_gb_while_writing": written_gb,
    }


def _settled(db: Any, within_s: float = 60.0) -> None:
    """Wait until RocksDB has merged what it wants to: it goes on for a while after a burst of writes."""
    db.flush()
    deadline_s = time.monotonic() + within_s
    names = ("estimate-pending-compaction-bytes", "num-running-compactions", "compaction-pending")
    while any(db.property_int_value(f"rocksdb.{name}") for name in names) and time.monotonic() < deadline_s:
        time.sleep(0.05)


def _median_ms(step: Callable[[int], Any]) -> float:
    taken = []
    for n in [*range(DIFFERENT)] * 5:
        started = time.perf_counter()
        step(n)
        taken.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(taken), 3)


def open_and_read(directory: Path, shoppers: int) -> dict[str, Any]:
    """Open every partition as a worker does, read the offsets and rows of a thousand shoppers."""
    tastes = opened(directory)
    partitions = tastes.partitions
    started = time.perf_counter()
    for partition in range(partitions):
        assert tastes.data._db_for_partition(partition).get(tastes.data.offset_key) == b"123456"
    opened_s = time.perf_counter() - started
    taken = []
    for n in np.random.default_rng(0).integers(shoppers, size=1000):
        began = time.perf_counter()
        unpack(tastes.data._db_for_partition(int(n) % partitions).get(f"user-{n:07d}".encode()))
        taken.append(1000 * (time.perf_counter() - began))
    p50, p99 = np.percentile(taken, [50, 99])
    return {"open_s": round(opened_s, 2), "read_p50_ms": round(p50, 3), "read_p99_ms": round(p99, 3)}


def measure(kind: str, shoppers: int, where: Path | None) -> dict[str, Any]:
    """One row: fill in one process, open in another."""
    with tempfile.TemporaryDirectory(dir=where) as name:
        row = {"system": "lookstream", "scenario": f"{kind}, {shoppers} shoppers, {DIM} dimensions"}
        row |= _in_a_process("fill", name, kind, shoppers)
        row["disk_gb"] = round(_disk_bytes(Path(name)) / 1e9, 3)
        started = time.perf_counter()
        row |= _in_a_process("open", name, kind, shoppers)
        row["start_with_imports_s"] = round(time.perf_counter() - started, 2)
        return row


def _in_a_process(step: str, directory: str, kind: str, shoppers: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.taste_table", f"--{step}", directory]
    command += ["--kind", kind, "--shoppers", str(shoppers)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return dict(json.loads(done.stdout))


def _disk_bytes(directory: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shoppers", type=int, default=100_000)
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--dir", type=Path, help="where the table lies meanwhile; 4 GB for the fullest")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.fill or given.open:
        step = fill(given.fill, given.kind[0], given.shoppers) if given.fill else None
        print(json.dumps(step or open_and_read(given.open, given.shoppers)))
        return
    rows = [measure(kind, given.shoppers, given.dir) for kind in given.kind or KINDS]
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    machine = f"{system}, Python {platform.python_version()}"
    if given.json:
        print(json.dumps({"machine": machine, "rows": rows}))
        return
    print(machine)
    for row in rows:
        print(row.pop("scenario"))
        print("  " + ", ".join(f"{name} {value}" for name, value in row.items() if name != "system"))


if __name__ == "__main__":
    main()
