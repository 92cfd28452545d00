"""export-schemas: the contract's documents, written or compared with what is there.

In: a folder, `docs` in the repository. Out: `schemas/<event type>.json` for every event type, `asyncapi.json`
for Kafka and `openapi.json` for the gateway. Fails with OSError where the folder cannot be written.
"""

import json
from importlib.metadata import version
from pathlib import Path

from schemas.asyncapi import asyncapi
from schemas.export import as_text, json_schemas
from streams import topology
from streams.gateway.app import openapi
from streams.settings import Settings


def documents() -> dict[Path, str]:
    """Every document by its path below the folder."""
    partitions = Settings.model_fields["partitions"].default
    found = {Path("schemas") / f"{name}.json": schema for name, schema in json_schemas().items()}
    found[Path("asyncapi.json")] = asyncapi(
        topology.TOPICS, topology.AGENTS, partitions, version("lookstream")
    )
    found[Path("openapi.json")] = openapi()
    return {path: as_text(document) for path, document in sorted(found.items())}


def export_schemas(out: Path, check: bool) -> int:
    """Write the documents below `out`, or only compare; prints what it did and gives the exit code.

    Schemas of event types that are no more are taken away; files of other origin are left alone.
    """
    wanted = documents()
    stale = [path for path in sorted((out / "schemas").glob("*.json")) if _is_stale(path, out, wanted)]
    if check:
        return _compare(out, wanted, stale)
    for path, text in wanted.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(text, encoding="utf-8")
    for path in stale:
        path.unlink()
    print(f"{len(wanted)} documents written to {out}" + (f", {len(stale)} removed" if stale else ""))
    return 0


def _compare(out: Path, wanted: dict[Path, str], stale: list[Path]) -> int:
    problems = [f"{path}: no such event type any more" for path in stale]
    for path, text in wanted.items():
        if not (out / path).is_file():
            problems.append(f"{out / path}: missing")
        elif (out / path).read_text(encoding="utf-8") != text:
            problems.append(f"{out / path}: differs from the code")
    for problem in problems:
        print(problem)
    print(
        f"{len(problems)} of {len(wanted)} documents differ" if problems else "all documents are up to date"
    )
    return 1 if problems else 0


def _is_stale(path: Path, out: Path, wanted: dict[Path, str]) -> bool:
    """Whether a file is a schema of ours that is not generated any more."""
    if path.relative_to(out) in wanted:
        return False
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(parsed, dict) and str(parsed.get("$id", "")).startswith("urn:lookstream:event:")
