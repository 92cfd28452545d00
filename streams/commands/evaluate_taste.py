"""`lookstream evaluate taste`: simulated shoppers through lookstream and through simpler systems.

In: settings (the vision, the data directory that keeps embeddings), a folder of photos in class folders,
drawn products, or both. Out: tables or JSON on stdout, with `out` a figure (PNG). Returns 0. Fails with
ValueError for a folder without photos, a damaged photo, or too few tastes that can be told apart.
"""

import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from models.evaluation.taste.catalogue import Catalogue
from models.evaluation.taste.figure import figure
from models.evaluation.taste.photos import Embeddings, drawn_catalogue, photo_catalogue
from models.evaluation.taste.replay import Report, replay
from models.vision import open_vision
from models.visions import describe
from streams.settings import Settings

_SHOWN = (
    ("precision12", "P@12"),
    ("precision24", "P@24"),
    ("balanced24", "balanced@24"),
    ("both12", "both in 12"),
    ("half_events", "events to half"),
    ("overtaken_events", "to overtake"),
    ("good_sets", "sets ≥ 70 %"),
    ("diversity", "diversity"),
    ("novelty_bits", "novelty, bits"),
    ("fresh_reached", "fresh reached"),
)


def evaluate_taste(
    settings: Settings,
    *,
    photos: Path | None,
    drawn: bool,
    as_json: bool = False,
    out: Path | None = None,
    shoppers: int = 200,
    seed: int = 0,
) -> int:
    """Replay `shoppers` of every scenario on each catalogue and print what came of it."""
    if photos is None and not drawn:
        raise ValueError("--photos: got nothing, expected a folder of photos in class folders, or --drawn")
    if photos is not None and not photos.is_dir():
        raise ValueError(f"--photos: got {str(photos)!r}, expected a folder")
    if shoppers < 2:
        raise ValueError(f"--shoppers: got {shoppers}, expected at least 2")
    reports = {
        catalogue.name: (catalogue, replay(catalogue, shoppers, seed, _progress))
        for catalogue in _catalogues(settings, photos, drawn)
    }
    report = _joined([report for _, report in reports.values()])
    if out is not None:
        figure(report.rows).save(out, format="PNG")
    if as_json:
        print(json.dumps({"machine": machine(), "rows": report.rows, "ratios": report.ratios}))
        return 0
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 170)
    console.print(f"{machine()}; embedder {describe(settings.vision).embedder}; seed {seed}")
    for catalogue, of_it in reports.values():
        _print(console, catalogue, of_it)
    if out is not None:
        console.print(f"Figure: {out}")
    return 0


def machine() -> str:
    """What this runs on, in words."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux
        pass
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _catalogues(settings: Settings, photos: Path | None, drawn: bool) -> list[Catalogue]:
    known, kept = describe(settings.vision), settings.data_dir / "evaluation"
    embeddings = Embeddings(
        kept / f"{known.detector}-{known.embedder}.npz",
        lambda: open_vision(settings.vision, threads=settings.vision_threads),
        _progress,
    )
    found = [photo_catalogue(photos, embeddings)] if photos is not None else []
    return found + ([drawn_catalogue(kept / "drawn", embeddings)] if drawn else [])


def _joined(reports: Sequence[Report]) -> Report:
    return Report(
        [row for report in reports for row in report.rows],
        [row for report in reports for row in report.ratios],
        tuple(taste for report in reports for taste in report.told),
        tuple(taste for report in reports for taste in report.untold),
    )


def _print(console: Console, catalogue: Catalogue, report: Report) -> None:
    told = ", ".join(f"{taste} {catalogue.share(taste):.0%}" for taste in report.told)
    console.print(f"\n[bold]{catalogue.name}[/bold]: {len(catalogue)} products; tastes: {told}")
    if report.untold:
        console.print(f"[dim]left out, no centroid tells them: {', '.join(report.untold)}[/dim]")
    for scenario in dict.fromkeys(row["scenario"] for row in report.rows):
        rows = [row for row in report.rows if row["scenario"] == scenario]
        shown = [(key, title) for key, title in _SHOWN if any(key in row for row in rows)]
        table = Table(title=f"{scenario} · {rows[0]['shoppers']} shoppers", title_justify="left")
        for title in ("system", *(title for _, title in shown), "p50 ms", "p99 ms"):
            table.add_column(title, justify="left" if title == "system" else "right")
        for row in rows:
            cells = [_cell(row, key) for key, _ in shown]
            table.add_row(row["system"], *cells, f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}")
        console.print(table)
    table = Table(title="lookstream against the published centroid, the same shoppers", title_justify="left")
    for title in ("measure", "value", "against", "ratio", "95 %"):
        table.add_column(title, justify="left" if title == "measure" else "right")
    for row in report.ratios:
        low, high = row["interval"]
        table.add_row(
            row["measure"],
            f"{row['value']:.3f}",
            f"{row['against']:.3f}",
            f"{row['ratio']:.2f}",
            f"{low:.2f}–{high:.2f}",
        )
    console.print(table)


def _cell(row: dict[str, Any], key: str) -> str:
    if key not in row:
        return ""
    digits = 1 if key in ("half_events", "overtaken_events", "novelty_bits") else 2
    mean = f"{row[key]:.{digits}f}"
    if key not in row["intervals"]:
        return mean
    low, high = row["intervals"][key]
    return f"{mean} ({low:.{digits}f}–{high:.{digits}f})"


def _progress(what: str, done: int, count: int) -> None:
    if sys.stderr.isatty():
        print(
            f"\r{what}: {done} of {count}\x1b[K",
            end="\n" if done == count else "",
            file=sys.stderr,
            flush=True,
        )
