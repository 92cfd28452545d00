"""The wheel: what it puts into somebody's environment, and what must be in it to run."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from streams.kafka.jars import KAFKA_VERSION

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {"schemas", "models", "vectorstore", "streams"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Built from a copy, so that nothing is left in the working tree."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                copy = source / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
    script = f"import setuptools.build_meta as b; b.build_wheel({str(out)!r})"
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=source, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    [built] = out.glob("*.whl")
    return ZipFile(built)


def test_the_top_level_names_are_ours(wheel: ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert top == {*PACKAGES, f"lookstream-{PROJECT['project']['version']}.dist-info"}


def test_every_module_is_in_it(wheel: ZipFile) -> None:
    written = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert written - set(wheel.namelist()) == set(), "a package is missing in pyproject.toml"


def test_data_files_are_in_it(wheel: ZipFile) -> None:
    names = set(wheel.namelist())
    checkpoints = {str(path.relative_to(ROOT)) for path in (ROOT / "models").rglob("*.safetensors")}
    assert checkpoints
    assert checkpoints <= names
    assert f"streams/kafka/jars-{KAFKA_VERSION}.json" in names
    pages = {str(p.relative_to(ROOT)) for p in (ROOT / "streams/gateway/pages").rglob("*") if p.is_file()}
    assert "streams/gateway/pages/shop/main.js" in pages
    assert pages <= names
    assert any(name.endswith("/LICENSE") for name in names)


def test_it_brings_the_command(wheel: ZipFile) -> None:
    [entry_points] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "lookstream = streams.cli:main" in wheel.read(entry_points).decode()


def test_every_dependency_is_locked() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    locked = {match.lower() for match in re.findall(r"^([\w.-]+)==", lock, re.M)}
    asked = {
        re.match(r"[\w.-]+", line)[0].lower()  # type: ignore[index]
        for line in PROJECT["project"]["dependencies"]
    }
    assert asked - locked == set(), "run `make lock`"


def test_the_locks_agree() -> None:
    def pins(name: str) -> dict[str, str]:
        lines = re.findall(r"^([\w.-]+)==(\S+)(.*)", (ROOT / name).read_text(), re.M)
        return {package + marker.rstrip(" \\"): version for package, version, marker in lines}

    run, develop = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: version for name, version in run.items() if develop.get(name) != version} == {}
