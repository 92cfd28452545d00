"""`lookstream train embedder` and `lookstream evaluate embedder`.

In: folders of photos. Out: a checkpoint and a learning curve; figures as a table or JSON on stdout,
embeddings (npz) and a contact sheet (PNG) where asked for. Malformed entries are named on stderr, skipped and
counted. Returns 0. Fails with ValueError for folders or options that make no sense, DatasetError for a data
set that is not in its format.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from models.datasets.records import Skipped
from models.embedder import GarmentEmbedder
from models.embedder_pictures import Pixels
from models.evaluation.embedder import Measured, StreetFolders, measure
from models.evaluation.embedder_sheet import contact_sheet
from models.lite0 import Lite0Embedder
from models.training.embedder import Options, Trainer
from models.training.embedder_views import read_items
from models.vision import Embedder


def train(data: list[Path], out: Path, options: Options, *, threads: int, as_json: bool) -> int:
    """Train on the garments of the folders `data`."""
    torch.set_num_threads(threads)
    skipped = _skipped()
    items = [item for root in data for item in read_items(root, skipped)]
    checkpoint = Trainer(items, options, out).run()
    told: dict[str, Any] = {
        "checkpoint": str(checkpoint),
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "garments": len(items),
        "skipped": skipped.count,
        "steps": options.steps,
        "loss": options.loss,
    }
    print(json.dumps(told) if as_json else "\n".join(f"{name}: {value}" for name, value in told.items()))
    return 0


def evaluate(
    gallery: list[Path],
    queries: Path,
    street: StreetFolders | None,
    *,
    embedder: str,
    checkpoint: Path | None,
    embeddings: Path | None,
    sheet: Path | None,
    threads: int,
    as_json: bool,
) -> int:
    """Measure the embedder of that name, or `checkpoint` of a training, and print the figures."""
    torch.set_num_threads(threads)
    chosen = _embedder(embedder, checkpoint)
    measured = measure(chosen, gallery, queries, street, _progress, _skipped())
    if embeddings is not None:
        _write(measured, embeddings)
    if sheet is not None:
        contact_sheet(measured).save(sheet, format="PNG")
    if as_json:
        print(json.dumps({"embedder": chosen.name, **measured.figures}))
    else:
        _print(chosen.name, measured)
    return 0


def _embedder(name: str, checkpoint: Path | None) -> Embedder:
    if checkpoint is not None:
        return GarmentEmbedder(safetensors.torch.load_file(checkpoint))
    known: dict[str, type[GarmentEmbedder] | type[Lite0Embedder]] = {
        made.name: made for made in (GarmentEmbedder, Lite0Embedder)
    }
    if name not in known:
        raise ValueError(f"--embedder: got {name!r}, expected one of {', '.join(known)}")
    return known[name]()


def _write(measured: Measured, file: Path) -> None:
    """Paths and embeddings of all photos, and of the garments in street photos with their boxes."""
    shops = (measured.gallery, measured.queries)
    arrays: dict[str, Any] = {
        "paths": np.array([str(path) for shop in shops for path in shop.paths]),
        "embeddings": np.concatenate([shop.embeddings for shop in shops]),
    }
    if measured.street is not None:
        street = measured.street
        arrays["garment_paths"] = np.array([str(garment.path) for garment in street.worn])
        arrays["garment_boxes_xyxy"] = np.array([garment.box for garment in street.worn])
        arrays["garment_categories"] = np.array([garment.category for garment in street.worn])
        for view in ("whole", "augmented", "left", "right"):
            arrays[f"garment_{view}"] = getattr(street, view)
    with file.open("wb") as out:
        np.savez(out, **arrays)


def _print(name: str, measured: Measured) -> None:
    console = Console(highlight=False)
    table = Table("figure", "value", title=name, title_justify="left")
    for figure, value in measured.figures.items():
        if not isinstance(value, dict):
            table.add_row(figure, f"{value:.3f}" if isinstance(value, float) else str(value))
    console.print(table)
    parts = measured.figures.get("street_to_shop")
    if isinstance(parts, dict):
        table = Table("worn", "of the same part in the first 5", "garments")
        for category, row in parts.items():
            table.add_row(category, f"{row['agreement5']:.3f}", str(row["queries"]))
        console.print(table)


def _progress(pictures: Iterable[Pixels], title: str, count: int) -> Iterable[Pixels]:
    return tqdm(pictures, title, count, disable=None)


def _skipped() -> Skipped:
    return Skipped(tell=lambda line: print(f"skipped: {line}", file=sys.stderr))
