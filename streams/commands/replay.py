"""`lookstream replay`: a recorded shop played again, to compare settings and to say why a set was as it was.

In: `replay record` a running shop; `replay` a recording, with settings from TOML files: tables `[taste]` and
`[ranking]`, names as in TasteSettings and RankingSettings, what is missing as recorded. Out: one row per
settings, or with a user what one set was made of. Exit codes: 0 done, 1 no such set. Raises RecordingError,
SettingsError and, while recording, KafkaUnreachable, TopicMissing and the vector store's errors.
"""

import json
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from models.taste.contributions import TasteSettings
from models.taste.ranking import RankingSettings
from streams.replay.compare import compare
from streams.replay.explain import as_text, explain
from streams.replay.player import ReplaySettings, recorded_settings
from streams.replay.recording import load, save
from streams.settings import Settings, SettingsError

T = TypeVar("T", TasteSettings, RankingSettings)


def record(settings: Settings, out: Path) -> int:
    """Record the running shop into the folder `out`; returns 0."""
    from streams.replay.dump import record_shop

    recording = record_shop(settings)
    save(recording, out)
    print(
        f"{len(recording.records)} records and {len(recording.garments)} garments in {out}", file=sys.stderr
    )
    return 0


def replay(
    source: Path,
    settings_files: Sequence[Path] = (),
    *,
    user: str | None = None,
    at: int | None = None,
    as_json: bool = False,
) -> int:
    """Play the recording in `source` as recorded and with each settings file; returns an exit code.

    With `user`, say what that shopper's set of revision `at` (None: the last) was made of instead.
    """
    recording = load(source)
    known = recorded_settings(recording.shop)
    settings = [known, *(read_settings(file, known) for file in settings_files)]
    if user is None:
        rows = compare(recording, settings)
        print(json.dumps({"recording": str(source), "rows": rows}) if as_json else _table(rows))
        return 0
    try:
        explained = [explain(recording, one, user, at) for one in settings]
    except LookupError as error:
        print(f"lookstream: {error.args[0]}", file=sys.stderr)
        return 1
    print(json.dumps({"rows": explained}) if as_json else "\n\n".join(map(as_text, explained)))
    return 0


def read_settings(file: Path, known: ReplaySettings) -> ReplaySettings:
    """The settings in a TOML file, what it does not say as in `known`; raises SettingsError."""
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file}: {error}") from None
    if unknown := sorted(said.keys() - {"taste", "ranking"}):
        raise SettingsError(f"{file}: got {unknown[0]!r}, expected the tables [taste] and [ranking]")
    return ReplaySettings(
        file.stem,
        _with(known.taste, said.get("taste", {}), f"{file}: taste"),
        _with(known.ranking, said.get("ranking", {}), f"{file}: ranking"),
    )


def _with(known: T, said: Any, where: str) -> T:
    names: list[str] = [field.name for field in fields(known)]
    if not isinstance(said, dict) or said.keys() - {*names}:
        raise SettingsError(f"{where}: got {said!r:.80}, expected some of {', '.join(names)}")
    try:
        return TypeAdapter(type(known)).validate_python(asdict(known) | said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SettingsError(f"{where}.{place}: got {str(first['input'])[:60]!r}, {first['msg']}") from None


def _table(rows: Sequence[dict[str, Any]]) -> str:
    names = list(rows[0])
    lines = [[str(row[name]) if row[name] is not None else "-" for name in names] for row in rows]
    widths = [max(len(line[n]) for line in [names, *lines]) for n in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [names, *lines]
    )
