"""Command lines of documents and help texts, compared with the command line there is; nothing is run."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer

from streams.cli import app
from streams.settings import Settings

ROOT_COMMAND: Any = typer.main.get_command(app)
NOT_SETTINGS = {"LOOKSTREAM_CONFIG", "LOOKSTREAM_TEST_QDRANT"}


def leaves(command: Any = ROOT_COMMAND, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that can be run, with the words that name it."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    if command.invoke_without_command:
        yield path, command
    for name, child in command.commands.items():
        yield from leaves(child, (*path, name))


def check(line: str) -> None:
    """AssertionError naming what in a line such as `A=b lookstream up --data-dir x | jq .` does not exist."""
    words = shlex.split(line.split(" | ")[0].removesuffix("&").strip(), comments=True)
    while words and (match := re.fullmatch(r"([A-Z_]+)=.*", words[0])):
        check_variable(match[1])
        words = words[1:]
    assert words[:1] == ["lookstream"], f"not a lookstream command: {line!r}"
    command, words = ROOT_COMMAND, words[1:]
    while hasattr(command, "commands") and words and words[0] != "--help":
        if command.invoke_without_command and words[0].startswith("--"):
            break
        assert words[0] in command.commands, f"no such command: {words[0]!r} in {line!r}"
        command, words = command.commands[words[0]], words[1:]
    if words == ["--help"]:
        return
    try:
        _, rest, _ = command.make_parser(command.context_class(command)).parse_args(list(words))
    except Exception as error:
        raise AssertionError(f"{line!r}: {error}") from None
    assert not rest, f"{line!r}: too many words: {rest}"


def check_variable(name: str) -> None:
    """AssertionError where a LOOKSTREAM_ variable is no setting."""
    if name.startswith("LOOKSTREAM_") and name not in NOT_SETTINGS:
        assert name.removeprefix("LOOKSTREAM_").lower() in Settings.model_fields, f"no such setting: {name}"
