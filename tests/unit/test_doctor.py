"""The doctor: what it finds wrong, that it says how to mend it, tells no secret and changes nothing."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from models.weights import Checkpoint
from streams.commands import checks
from streams.commands.checks import CHECKS, Check
from streams.commands.doctor import doctor
from streams.settings import Settings
from vectorstore.lock import DirectoryLock
from vectorstore.qdrant import Collections

KEY = "the-right-key"
NOBODY = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def _no_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOOKSTREAM_") or name == "JAVA_HOME"]:
        monkeypatch.delenv(name)


@pytest.fixture
def look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, dict[str, Check]]]:
    """Make only these checks (all if none is named) with these settings; exit status and checks by name."""

    def run(*only: str, **given: Any) -> tuple[int, dict[str, Check]]:
        monkeypatch.setattr("streams.commands.doctor.CHECKS", {name: CHECKS[name] for name in only or CHECKS})
        status = doctor(Settings(**{"data_dir": tmp_path / "data", **given}), as_json=True)
        report = json.loads(capsys.readouterr().out)
        assert report["ok"] == (status == 0)
        return status, {check["name"]: Check(**check) for check in report["checks"]}

    return run


class Qdrant(BaseHTTPRequestHandler):
    """As much of a Qdrant server as is asked."""

    collections: tuple[str, ...] = ()

    def do_GET(self) -> None:
        if self.path == "/":
            answer, status = {"title": "qdrant", "version": "1.20.3"}, 200
        elif self.headers.get("api-key") != KEY:
            answer, status = {"status": {"error": "Must provide an API key"}}, 401
        else:
            names = [{"name": name} for name in self.collections]
            answer, status = {"result": {"collections": names}, "status": "ok", "time": 0.0}, 200
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def qdrant() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Qdrant)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_nothing_is_wrong_and_nothing_is_made(look: Callable[..., Any], tmp_path: Path) -> None:
    status, found = look()
    assert status == 0
    assert {name: check for name, check in found.items() if check.state == "fail"} == {}
    assert list(found) == list(CHECKS)
    assert list(tmp_path.iterdir()) == []


def test_no_secret_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secrets = [name for name, field in Settings.model_fields.items() if SecretStr in _types(field.annotation)]
    assert {"kafka_password", "qdrant_api_key"} <= set(secrets)
    given = {name: f"hush-{name}-{'x' * 40}" for name in secrets}
    settings = Settings(data_dir=tmp_path, maven_mirror="https://me:hush@mirror.example/maven", **given)  # type: ignore[arg-type]
    for as_json in (True, False):
        doctor(settings, as_json)
        said = capsys.readouterr()
        assert "hush" not in said.out + said.err
        assert "https://***@mirror.example/maven" in said.out


def _types(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", (annotation,))


def test_people_see_settings_versions_and_hints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(Settings(data_dir=tmp_path, media_root=tmp_path / "none"), as_json=False) == 1
    said = capsys.readouterr().out
    assert f"data_dir                 {tmp_path}" in said
    assert "qdrant-client 1." in said
    assert f"fail media root     {tmp_path}/none is no readable folder\n" in said
    assert "set LOOKSTREAM_MEDIA_ROOT" in said


def test_an_unreachable_kafka(look: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "ANSWER_S", 0.2)
    status, found = look("kafka", "java", "kafka jars", kafka=NOBODY)
    assert status == 1
    assert found["kafka"].state == "fail"
    assert NOBODY in found["kafka"].found
    assert "LOOKSTREAM_KAFKA" in found["kafka"].hint
    assert found["java"].found == found["kafka jars"].found == "not needed with an external Kafka"


def test_kafka_with_other_partitions(look: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "wait_for_kafka", lambda *_: None)
    monkeypatch.setattr(checks, "topic_partitions", lambda *_: {"interactions": 3})
    _, found = look("kafka", kafka=NOBODY)
    assert found["kafka"].found == "topic interactions has 3 partitions, expected 8"
    assert found["kafka"].hint == "set LOOKSTREAM_PARTITIONS=3"
    assert look("kafka", kafka=NOBODY, partitions=3)[1]["kafka"].state == "ok"


def test_a_qdrant_server(look: Callable[..., Any], qdrant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    status, found = look("vector store", qdrant=qdrant, qdrant_api_key=KEY)
    assert status == 0
    assert found["vector store"].found.startswith(f"Qdrant 1.20.3 at {qdrant}, lookstream-lite0")
    assert found["vector store"].found.endswith("is made at the first start")
    monkeypatch.setattr(Qdrant, "collections", (Collections("lite0-pca256-1", 256).garments,))
    _, found = look("vector store", qdrant=qdrant, qdrant_api_key=KEY)
    assert "is made" not in found["vector store"].found


def test_a_qdrant_server_that_refuses_or_is_not_there(look: Callable[..., Any], qdrant: str) -> None:
    status, found = look("vector store", qdrant=qdrant, qdrant_api_key="another-key")
    assert status == 1
    assert "401" in found["vector store"].found
    _, found = look("vector store", qdrant=f"http://{NOBODY}")
    assert "cannot reach" in found["vector store"].found
    assert "LOOKSTREAM_QDRANT" in found["vector store"].hint


@pytest.mark.parametrize("part", ["kafka", "vectors"])
def test_a_directory_with_an_owner(look: Callable[..., Any], tmp_path: Path, part: str) -> None:
    with DirectoryLock(tmp_path / "data" / part):
        _, found = look("data directory")
        assert f"in use: {part} by process {os.getpid()}" in found["data directory"].found
    _, found = look("data directory")
    assert found["data directory"].found.endswith(", free")


def test_a_data_directory_that_is_a_file(look: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    status, found = look("data directory")
    assert (status, found["data directory"].state) == (1, "fail")


def test_java(look: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert look("java")[1]["java"].state == "fail"
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    for said, state in (('openjdk version "11.0.2"', "fail"), ('openjdk version "21.0.1"', "ok")):
        java.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
        java.chmod(0o755)
        assert look("java")[1]["java"].state == state


def test_jars_that_are_not_there_yet(
    look: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "default_cache_dir", lambda: tmp_path / "none")
    status, found = look("kafka jars")
    assert status == 0
    assert (found["kafka jars"].state, found["kafka jars"].found[:7]) == ("warn", "0 of 45")


@pytest.mark.parametrize(("free", "state"), [(10**12, "ok"), (10**9, "warn"), (10**8, "fail")])
def test_disk(look: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert look("disk")[1]["disk"].state == state


def test_a_damaged_checkpoint(
    look: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"damaged")
    monkeypatch.setattr(checks, "lite0_projection", lambda: Checkpoint("mine", path, "0" * 64))
    status, found = look("checkpoints")
    assert status == 1
    assert found["checkpoints"].found.startswith("mine: SHA-256 is ")


def test_a_missing_package(look: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "requires", lambda _: ["no-such-thing>=1", 'nor-this>=1; extra == "dev"'])
    status, found = look("packages")
    assert status == 1
    assert found["packages"].found == "missing: no-such-thing"


def test_a_check_that_cannot_be_made_fails_alone(
    look: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Settings) -> Check:
        raise PermissionError("no entry")

    monkeypatch.setitem(CHECKS, "disk", broken)
    status, found = look("disk", "media root", "packages")
    assert status == 1
    assert found["disk"] == Check("disk", "fail", "PermissionError: no entry")
    assert [check.name for check in found.values() if check.state == "fail"] == ["disk"]
