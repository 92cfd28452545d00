"""The jar cache: what is fetched, what is refused, what is left alone. Tiny jars from a local mirror."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streams.kafka import jars

CONTENT = {f"org/example/part{n}/1.0/part{n}-1.0.jar": f"jar {n}".encode() * 1000 for n in range(12)}
PINS = {path: hashlib.sha256(content).hexdigest() for path, content in CONTENT.items()}
FIRST = next(iter(PINS))


class Mirror:
    """A Maven repository over HTTP; `answers` may replace what is said to the n-th request for a path."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.answer: Callable[[str, int], tuple[int, bytes, int | None]] = lambda path, nth: (
            200,
            CONTENT[path],
            None,
        )
        mirror, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.removeprefix("/mirror/")
                with lock:
                    nth = mirror.requests.count(path)
                    mirror.requests.append(path)
                status, body, length = mirror.answer(path, nth)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) if length is None else length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 64  # the default of 5 makes the sixth connection wait a second

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/mirror"


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(jars, "RETRY_DELAYS_S", (0.0, 0.0))
    mirror = Mirror()
    thread = threading.Thread(target=mirror.server.serve_forever, args=(0.01,))
    thread.start()
    yield mirror
    mirror.server.shutdown()
    thread.join()
    mirror.server.server_close()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


EXPECTED = {jars.jar_name(path): content for path, content in CONTENT.items()}


def test_fetches_every_pinned_jar_and_nothing_else(mirror: Mirror, tmp_path: Path) -> None:
    folder = jars.fetch_jars(tmp_path / "cache", mirror=mirror.address, pins=PINS)
    assert files(folder) == EXPECTED
    assert sorted(mirror.requests) == sorted(PINS)


def test_cached_jars_are_not_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    jars.fetch_jars(tmp_path, mirror=mirror.address, pins=PINS)
    mirror.requests.clear()
    jars.fetch_jars(tmp_path, mirror=mirror.address, pins=PINS)
    assert mirror.requests == []


def test_a_tampered_jar_in_the_cache_is_replaced(mirror: Mirror, tmp_path: Path) -> None:
    jars.fetch_jars(tmp_path, mirror=mirror.address, pins=PINS)
    (tmp_path / jars.jar_name(FIRST)).write_bytes(b"not a jar")
    mirror.requests.clear()
    jars.fetch_jars(tmp_path, mirror=mirror.address, pins=PINS)
    assert mirror.requests == [FIRST]
    assert files(tmp_path) == EXPECTED


def test_a_jar_with_other_bytes_is_refused_and_not_kept(mirror: Mirror, tmp_path: Path) -> None:
    mirror.answer = lambda path, nth: (200, b"evil" if path == FIRST else CONTENT[path], None)
    with pytest.raises(jars.JarError) as caught:
        jars.fetch_jars(tmp_path, mirror=mirror.address, pins=PINS)
    name = jars.jar_name(FIRST)
    for part in (name, PINS[FIRST], hashlib.sha256(b"evil").hexdigest()):
        assert part in str(caught.value)
    assert not [file for file in files(tmp_path) if name in file]


def test_a_passing_failure_is_tried_again(mirror: Mirror, tmp_path: Path) -> None:
    mirror.answer = lambda path, nth: (503, b"", None) if nth == 0 else (200, CONTENT[path], None)
    assert files(jars.fetch_jars(tmp_path, mirror=mirror.address, pins=PINS)) == EXPECTED


def test_a_download_cut_short_is_tried_again(mirror: Mirror, tmp_path: Path) -> None:
    def cut_first(path: str, nth: int) -> tuple[int, bytes, int | None]:
        body = CONTENT[path]
        return (200, body[: len(body) // 2], len(body)) if nth == 0 else (200, body, None)

    mirror.answer = cut_first
    assert files(jars.fetch_jars(tmp_path, mirror=mirror.address, pins=PINS)) == EXPECTED


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (500, 3)])
def test_what_cannot_be_fetched_is_named(mirror: Mirror, tmp_path: Path, status: int, attempts: int) -> None:
    mirror.answer = lambda path, nth: (status, b"", None)
    with pytest.raises(jars.JarError, match=rf"cannot fetch .*{jars.jar_name(FIRST)}.* {status} "):
        jars.fetch_jars(tmp_path, mirror=mirror.address, pins={FIRST: PINS[FIRST]})
    assert mirror.requests == [FIRST] * attempts
    assert files(tmp_path) == {}


@pytest.mark.parametrize("as_address", [True, False])
def test_a_folder_serves_as_mirror(tmp_path: Path, as_address: bool) -> None:
    folder = tmp_path / "a mirror"
    for path, content in CONTENT.items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(content)
    mirror = folder.as_uri() if as_address else str(folder)
    assert files(jars.fetch_jars(tmp_path / "cache", mirror=mirror, pins=PINS)) == EXPECTED


def test_a_folder_without_the_jar_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(jars.JarError, match=f"cannot fetch {jars.jar_name(FIRST)}: .* does not hold it"):
        jars.fetch_jars(tmp_path / "cache", mirror=str(tmp_path), pins=PINS)


def test_a_mirror_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(jars.JarError, match="ftp://example"):
        jars.fetch_jars(tmp_path, mirror="ftp://example.org/maven2", pins=PINS)


def test_a_password_in_the_mirrors_address_is_not_shown(mirror: Mirror, tmp_path: Path) -> None:
    address = mirror.address.replace("127.0.0.1", "user:hunter2@127.0.0.1")
    with pytest.raises(jars.JarError) as caught:
        jars.fetch_jars(tmp_path, mirror=address, pins=PINS)
    assert "hunter2" not in str(caught.value)


def test_the_shipped_manifest_pins_a_whole_broker() -> None:
    pins = jars.pinned_jars()
    assert len(pins) == 45
    assert len({jars.jar_name(path) for path in pins}) == 45  # they share one folder
    assert all(len(sha256) == 64 and int(sha256, 16) for sha256 in pins.values())
    assert f"org/apache/kafka/kafka_2.13/{jars.KAFKA_VERSION}/kafka_2.13-{jars.KAFKA_VERSION}.jar" in pins


def test_the_class_path_holds_the_pinned_jars_only(tmp_path: Path) -> None:
    (tmp_path / "planted.jar").write_bytes(b"")
    assert "planted" not in jars.class_path(tmp_path)
    assert len(jars.class_path(tmp_path).split(":")) == 45
