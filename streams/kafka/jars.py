"""The pinned Apache Kafka jars: fetched once per machine, verified at every start.

In: a cache folder and, at choice, a mirror. Out: that folder holding every jar of `jars-4.4.0.json` with
exactly the pinned SHA-256. What can fail: no network and nothing cached, a mirror that lacks a jar or serves
other bytes (`JarError`, which names the jar and what was found and expected).
"""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import os
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs
from tqdm import tqdm

KAFKA_VERSION = "4.4.0"
DOWNLOAD_THREADS = 8
RETRY_DELAYS_S = (0.5, 1.0, 2.0)
TIMEOUT_S = 30.0
_CHUNK_BYTES = 1 << 20

_log = logging.getLogger(__name__)


class JarError(RuntimeError):
    """A Kafka jar could not be had, or is not the pinned one."""


class _PassingError(Exception):
    """A failure that another attempt may mend."""


def pinned_jars() -> dict[str, str]:
    """Repository path → SHA-256 (hex) of every jar the broker needs."""
    manifest = resources.files("streams.kafka").joinpath(f"jars-{KAFKA_VERSION}.json")
    pins: dict[str, str] = json.loads(manifest.read_text("utf-8"))
    return pins


def default_cache_dir() -> Path:
    """Where the jars lie unless told otherwise: one folder per user and Kafka version."""
    return platformdirs.user_cache_path("lookstream") / f"kafka-{KAFKA_VERSION}"


def jar_name(repository_path: str) -> str:
    """The file name of a jar in the cache folder."""
    return repository_path.rsplit("/", 1)[-1]


def class_path(folder: Path) -> str:
    """The Java class path of exactly the pinned jars in `folder`; another file lying there is not loaded."""
    return os.pathsep.join(str(folder / jar_name(path)) for path in pinned_jars())


def fetch_jars(
    cache_dir: Path,
    *,
    mirror: str | None = None,
    progress: bool = False,
    pins: Mapping[str, str] | None = None,
) -> Path:
    """Make `cache_dir` hold every pinned jar and return it.

    Jars already there are hashed; only what is missing or differs is downloaded. `mirror` replaces Maven
    Central's address: http(s)://…, file://… or a folder laid out like the repository. `progress` shows a bar
    on stderr when that is a terminal. `pins` replaces the shipped manifest.

    Raises JarError when a jar cannot be had or its bytes are not the pinned ones (they are not kept).
    """
    pins = pinned_jars() if pins is None else pins
    cache_dir.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(DOWNLOAD_THREADS) as pool:
        sound = pool.map(lambda pin: _is_sound(cache_dir / jar_name(pin[0]), pin[1]), pins.items())
        missing = [path for path, good in zip(pins, sound, strict=True) if not good]
        if missing:
            _fetch_all(pool, missing, pins, cache_dir, _base_address(mirror), progress)
    return cache_dir


def _fetch_all(
    pool: ThreadPoolExecutor,
    paths: list[str],
    pins: Mapping[str, str],
    cache_dir: Path,
    base: str,
    progress: bool,
) -> None:
    _log.info("fetching %d Kafka jars into %s", len(paths), cache_dir)
    context = ssl.create_default_context()  # honours SSL_CERT_FILE

    def fetch(path: str) -> None:
        _with_retries(
            path, lambda: _fetch_one(f"{base}/{path}", cache_dir, jar_name(path), pins[path], context)
        )

    # disable=None: tqdm itself stays silent where stderr is no terminal.
    with tqdm(total=len(paths), desc="Kafka jars", unit="jar", disable=None if progress else True) as bar:
        jobs = [pool.submit(fetch, path) for path in paths]
        try:
            for job in jobs:
                job.result()
                bar.update()
        except BaseException:
            for job in jobs:
                job.cancel()
            raise


def _base_address(mirror: str | None) -> str:
    if mirror is None:
        from jgo.constants import MAVEN_CENTRAL_URL  # here: the import takes 0.3 s, and rarely is it needed

        return str(MAVEN_CENTRAL_URL).rstrip("/")
    if "://" not in mirror:
        return Path(mirror).expanduser().absolute().as_uri()
    if urlsplit(mirror).scheme not in ("http", "https", "file"):
        raise JarError(
            f"the Maven mirror must be an http, https or file address or a folder, but is {mirror!r}"
        )
    return mirror.rstrip("/")


def _is_sound(jar: Path, sha256: str) -> bool:
    try:
        with jar.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def _with_retries(path: str, attempt: Callable[[], None]) -> None:
    for delay_s in (*RETRY_DELAYS_S, None):
        try:
            return attempt()
        except _PassingError as error:
            if delay_s is None:
                tries = len(RETRY_DELAYS_S) + 1
                raise JarError(f"cannot fetch {path} ({tries} attempts): {error}") from error
            time.sleep(delay_s)


def _fetch_one(url: str, cache_dir: Path, name: str, sha256: str, context: ssl.SSLContext) -> None:
    """Download to a temporary file beside the target, verify, rename: the target is never half-written."""
    handle, part = tempfile.mkstemp(dir=cache_dir, prefix=f".{name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            found = _download(url, file.write, context)
        if found != sha256:
            raise JarError(
                f"{name} is not the pinned jar: expected SHA-256 {sha256}, got {found}; nothing was kept"
            )
        Path(part).replace(cache_dir / name)
    finally:
        Path(part).unlink(missing_ok=True)


def _download(url: str, write: Callable[[bytes], object], context: ssl.SSLContext) -> str:
    """Stream `url` into `write` and return the SHA-256 (hex) of what came."""
    host = urlsplit(url).hostname or "the mirror folder"  # never the address: a mirror's may carry a password
    digest, got_bytes = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=context) as response:  # noqa: S310
            while chunk := response.read(_CHUNK_BYTES):
                write(chunk)
                digest.update(chunk)
                got_bytes += len(chunk)
            expected = response.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        failure = f"{host} answered {error.code} {error.reason}"
        error.close()
        if error.code < 500 and error.code not in (408, 429):
            raise JarError(f"cannot fetch {url.rsplit('/', 1)[-1]}: {failure}") from None
        raise _PassingError(failure) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, FileNotFoundError):
            raise JarError(f"cannot fetch {url.rsplit('/', 1)[-1]}: {host} does not hold it") from None
        raise _PassingError(f"{host}: {reason}") from error
    if expected is not None and int(expected) != got_bytes:
        raise _PassingError(f"{host}: {got_bytes} of {expected} bytes came")
    return digest.hexdigest()
