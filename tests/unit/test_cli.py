"""The command line's promises: help with an example everywhere, one line and the right status for errors."""

import os
import re
import subprocess
import sys
from pathlib import Path

import command_lines
import pytest

from streams.cli import main

COMMANDS = [path for path, _ in command_lines.leaves()]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but those of the test: an empty folder, no variables."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LOOKSTREAM_")]:
        monkeypatch.delenv(name)


def run(*arguments: str) -> int:
    """The exit status of a command, in this process."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_the_commands_are_these() -> None:
    wanted = ["up", "demo", "broker", "vectors", "worker", "follow", "look", "topology", "export-schemas"]
    assert {(name,) for name in (*wanted, "doctor")} <= set(COMMANDS)
    assert {("publish", "products"), ("publish", "interactions")} <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_it_does_and_gives_an_example(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*path, "--help") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Usage: lookstream {' '.join(path)}")
    examples = [line.strip() for line in said.partition("Example:")[2].splitlines() if line.strip()]
    assert examples, f"no example in the help of {path}"
    for line in examples:
        assert f"lookstream {' '.join(path)}" in line
        command_lines.check(line)


@pytest.mark.parametrize(
    "line",
    [
        "lookstream fly",
        "lookstream up --fly",
        "lookstream up and away",
        "LOOKSTREAM_FLY=1 lookstream up",
        "ls",
    ],
)
def test_a_wrong_line_in_a_document_would_be_seen(line: str) -> None:
    with pytest.raises(AssertionError):
        command_lines.check(line)


def test_no_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    said = capsys.readouterr()
    assert all(path[0] in said.out + said.err for path in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["worker", "barista"], "expected one of catalogue, shopper"),
        (["demo", "--photos", "nowhere"], "--photos: got 'nowhere', expected a folder"),
        (["follow"], "kafka: got nothing, expected --kafka host:port"),
        (["look", "nothing.jpg"], "nothing.jpg"),
        (["fly"], "No such command 'fly'"),
        (["up", "--fly"], "No such option: --fly"),
        (["publish", "products"], "Missing argument 'source'"),
    ],
)
def test_wrong_usage(arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert named in said.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("LOOKSTREAM_FLY", "1", "LOOKSTREAM_FLY: no such setting"),
        ("LOOKSTREAM_PARTITIONS", "many", "partitions: got 'many'"),
        ("LOOKSTREAM_LOG_LEVEL", "LOUD", "log_level: got 'LOUD'"),
        ("LOOKSTREAM_CONFIG", "none.toml", "LOOKSTREAM_CONFIG: got 'none.toml', expected a TOML file"),
    ],
)
def test_wrong_settings_are_one_line(
    variable: str,
    value: str,
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    assert run("doctor") == 2
    said = capsys.readouterr()
    assert said.out == ""
    [line] = said.err.splitlines()
    assert line.startswith("lookstream: ")
    assert named in line


def test_a_secret_does_not_belong_into_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "lookstream.toml").write_text('qdrant_api_key = "hush"\n')
    assert run("doctor") == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "qdrant_api_key is a secret, expected in LOOKSTREAM_QDRANT_API_KEY only" in line
    assert "hush" not in line


def test_as_a_process_it_shows_no_traceback(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOOKSTREAM_")}
    ran = subprocess.run(
        [sys.executable, "-m", "streams.cli", "worker", "shopper"],
        cwd=tmp_path,
        env={**environment, "LOOKSTREAM_PARTITIONS": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.fullmatch(r"lookstream: settings: partitions: got '0', .*\n", ran.stderr)
