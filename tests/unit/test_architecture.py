"""Imports go one way: schemas <- models <- vectorstore <- streams; the taste is pure."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("schemas", "models", "vectorstore", "streams")
MODULES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    """The dotted names of everything that a module imports, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_is_something_to_look_at() -> None:
    assert all(any(path.is_relative_to(ROOT / layer) for path in MODULES) for layer in LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    layer = LAYERS.index(path.relative_to(ROOT).parts[0])
    above = set(LAYERS[layer + 1 :])
    assert not [name for name in imported(path) if name.partition(".")[0] in above]


@pytest.mark.parametrize("path", sorted((ROOT / "models/taste").glob("*.py")), ids=name_of)
def test_the_taste_imports_numpy_and_the_standard_library_only(path: Path) -> None:
    for name in imported(path):
        top = name.partition(".")[0]
        assert top == "numpy" or top in sys.stdlib_module_names or name.startswith("models.taste."), name


@pytest.mark.parametrize("path", sorted((ROOT / "models/taste").glob("*.py")), ids=name_of)
def test_the_taste_knows_no_clock_and_no_chance(path: Path) -> None:
    forbidden = {"time", "datetime", "random", "secrets", "os", "pathlib", "socket", "asyncio"}
    assert not forbidden & {name.partition(".")[0] for name in imported(path)}


def test_the_contract_knows_no_broker() -> None:
    brokers = {"faust", "kafka", "aiokafka", "qdrant_client", "torch"}
    for path in (ROOT / "schemas").rglob("*.py"):
        assert not brokers & {name.partition(".")[0] for name in imported(path)}, path


def test_agents_know_nothing_of_faust() -> None:
    for path in (ROOT / "streams/agents").rglob("*.py"):
        assert not {"faust", "mode", "aiokafka", "kafka"} & {n.partition(".")[0] for n in imported(path)}, (
            path
        )
