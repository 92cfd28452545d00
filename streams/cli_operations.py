"""The commands for who runs the shop: replay, dead letters, erasure, reindexing.

In: arguments. Out: what the commands print, and their exit codes, as `streams.cli` says.
"""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli_options import DataDir, Json, Kafka, client_settings, example
from streams.settings import SettingsError

replay = typer.Typer(rich_markup_mode=None)
letters = typer.Typer(no_args_is_help=True, help="What could not be processed.", rich_markup_mode=None)

Partition = Annotated[int, typer.Argument(min=0, help="A partition of `dead-letters`.")]
Offset = Annotated[int, typer.Argument(min=0, help="An offset there.")]


def add_operations(app: typer.Typer) -> None:
    """Put these commands into the command line."""
    app.add_typer(replay, name="replay")
    app.add_typer(letters, name="dead-letters")
    app.command("erase", epilog=example("lookstream erase alice"))(erase)
    app.command("reindex", epilog=example("lookstream reindex", "lookstream reindex --json"))(reindex)


@replay.callback(
    invoke_without_command=True,
    epilog=example(
        "lookstream replay record --out ./monday",
        "lookstream replay --from ./monday --settings longer.toml --settings shorter.toml",
        "lookstream replay --from ./monday --user alice --at 17",
    ),
)
def replay_command(
    context: typer.Context,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="A recording, made by `replay record`.")
    ] = None,
    settings: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="TOML with [taste] and [ranking] to compare; may be repeated."),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Say what this shopper's set was made of.")] = None,
    at: Annotated[
        int | None,
        typer.Option(min=1, metavar="REVISION", help="Which of the user's sets. Default: the last."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Play a recorded shop again, with other settings, or say why a shopper was shown a set."""
    if context.invoked_subcommand is not None:
        return
    from streams.commands.replay import replay as play

    if source is None:
        raise SettingsError("--from: got nothing, expected a folder that `lookstream replay record` made")
    if at is not None and user is None:
        raise SettingsError("--at: got a revision without a shopper, expected --user with it")
    raise typer.Exit(play(source, settings or [], user=user, at=at, as_json=as_json))


@replay.command("record", epilog=example("lookstream replay record --out ./monday"))
def replay_record_command(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder that it is written into.")],
    kafka: Kafka = None,
    data_dir: DataDir = None,
) -> None:
    """Record a running shop: its topics and its garments. It holds personal data as they do."""
    from streams.commands.replay import record

    raise typer.Exit(record(client_settings(data_dir, kafka), out))


@letters.command("list", epilog=example("lookstream dead-letters list --limit 5"))
def list_command(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = 50,
    kafka: Kafka = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List the newest dead letters, the newest first."""
    from streams.commands.dead_letters import list_letters

    raise typer.Exit(list_letters(client_settings(data_dir, kafka), limit=limit, as_json=as_json))


@letters.command("show", epilog=example("lookstream dead-letters show 3 17"))
def show_command(
    partition: Partition, offset: Offset, kafka: Kafka = None, data_dir: DataDir = None, as_json: Json = False
) -> None:
    """Show a dead letter: its reason, headers and value."""
    from streams.commands.dead_letters import show_letter

    raise typer.Exit(show_letter(client_settings(data_dir, kafka), partition, offset, as_json=as_json))


@letters.command(
    "replay", epilog=example("lookstream dead-letters replay 3 17 18", "lookstream dead-letters replay --all")
)
def replay_letters_command(
    partition: Annotated[int | None, typer.Argument(min=0, help="A partition of `dead-letters`.")] = None,
    offsets: Annotated[list[int] | None, typer.Argument(min=0, metavar="[OFFSET]...")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that there are.")] = False,
    kafka: Kafka = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Send dead letters back to where they came from, as they were. Doing it again is harmless."""
    from streams.commands.dead_letters import replay_letters

    if everything == bool(offsets) or (everything and partition is not None):
        raise SettingsError("dead-letters replay: expected a partition and its offsets, or --all")
    places = None if everything or partition is None else [(partition, offset) for offset in offsets or ()]
    raise typer.Exit(replay_letters(client_settings(data_dir, kafka), places, as_json=as_json))


def erase(
    user: Annotated[str, typer.Argument(help="The user id.")],
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.0, metavar="SECONDS", help="How long to wait for it.")
    ] = 30.0,
    kafka: Kafka = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Erase all that is kept of a user, and wait until that is confirmed (exit code 1: not yet)."""
    from streams.commands.erase import erase as erase_user

    raise typer.Exit(erase_user(client_settings(data_dir, kafka), user, timeout_s=timeout_s, as_json=as_json))


def reindex(kafka: Kafka = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Embed every product anew with the model in force. Safe at any time; nothing newer is overtaken."""
    from streams.commands.reindex import reindex as reindex_products

    raise typer.Exit(reindex_products(client_settings(data_dir, kafka), as_json=as_json))
