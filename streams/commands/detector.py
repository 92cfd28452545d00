"""`lookstream train detector` and `lookstream evaluate detector`.

In: folders of photos with labels. Out: a checkpoint with its thresholds, a learning curve, figures as a table
or JSON on stdout. Malformed entries are named on stderr, skipped and counted. Returns 0. Fails with
DatasetError or ValueError for folders or options that make no sense, RuntimeError without the extra `train`.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from models.datasets.ccp import read_ccp
from models.datasets.class_folders import read_class_folders
from models.datasets.coco import read_coco
from models.datasets.records import DatasetError, LabelledPhoto, Skipped
from models.detection.kinds import KINDS
from models.detection.network import DetectorNet
from models.detector import Detector
from models.evaluation.detector import Report, judge, measure, predictions
from models.training.detector import Options, Trainer, half
from models.training.detector_sources import Source, sources, with_regions
from models.training.detector_thresholds import fit_thresholds
from streams.commands.detector_sheet import best_is_right, sheet


def train(
    data: list[Path],
    singles: list[Path],
    out: Path,
    options: Options,
    *,
    held_out: int,
    threads: int,
    as_json: bool,
) -> int:
    """Train on `data` but every `held_out`th photo, and on `singles`; choose thresholds on the former."""
    torch.set_num_threads(threads)
    skipped = _skipped()
    street: list[Source] = []
    kept_out: list[LabelledPhoto] = []
    for root in data:
        photos = list(_read(root, skipped))
        outside = set(range(held_out - 1, len(photos), held_out)) if held_out else set[int]()
        kept_out += [photos[number] for number in sorted(outside)]
        street += _decoded(root, [p for number, p in enumerate(photos) if number not in outside], skipped)
    single = list(
        chain.from_iterable(_decoded(root, list(_read(root, skipped)), skipped) for root in singles)
    )
    trainer = Trainer(street, single, options, out)
    checkpoint = trainer.run(lambda net: _measured(net, kept_out)) if kept_out else trainer.run()
    _settle_thresholds(checkpoint, kept_out)
    told: dict[str, Any] = {
        "checkpoint": str(checkpoint),
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "photos": len(street),
        "single_photos": len(single),
        "skipped": skipped.count,
        "epochs": trainer.epoch,
    }
    if kept_out:
        told["held_out"] = _evaluated(Detector(safetensors.torch.load_file(checkpoint)), kept_out)[
            1
        ].as_data()
    print(json.dumps(told) if as_json else "\n".join(f"{name}: {value}" for name, value in told.items()))
    return 0


def evaluate(
    photos: Path,
    masks: Path,
    labels: Path,
    *,
    singles: Path | None,
    checkpoint: Path | None,
    predictions_file: Path | None,
    sheet_file: Path | None,
    threads: int,
    as_json: bool,
) -> int:
    """Measure the shipped detector, or `checkpoint`, on photos with masks, and on single garments."""
    torch.set_num_threads(threads)
    skipped = _skipped()
    labelled = list(read_ccp(photos, masks, labels, skipped))
    detector = Detector(safetensors.torch.load_file(checkpoint) if checkpoint else None)
    judged, report = _evaluated(detector, labelled)
    if predictions_file is not None:
        predictions_file.write_text(json.dumps(judged), encoding="utf-8")
    single = list(read_class_folders(singles, None, skipped)) if singles else []
    told = report.as_data()
    if single:
        told["single_part"] = round(best_is_right(detector, single), 4)
    if sheet_file is not None:
        sheet(detector, labelled, single).save(sheet_file, format="PNG")
    if as_json:
        print(json.dumps(told))
        return 0
    _print(report, detector)
    if single:
        print(
            f"{told['single_part']:.1%} of {len(single)} single garments: the best detection has their part"
        )
    return 0


def _read(root: Path, skipped: Skipped) -> Iterator[LabelledPhoto]:
    """The photos of a folder in the layout of CCP or of class folders, or of a COCO file."""
    if root.is_file():
        return read_coco(root, root.parent, skipped)
    if (root / "labels.json").is_file():
        return read_ccp(root / "photos", root / "masks", root / "labels.json", skipped)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such file or folder")
    return read_class_folders(root, None, skipped)


def _decoded(root: Path, photos: list[LabelledPhoto], skipped: Skipped) -> Iterator[Source]:
    found = sources(tqdm(photos, f"reading {root.name}", disable=None), skipped)
    if (root / "labels.json").is_file():
        return with_regions(found, root / "masks", root / "labels.json", skipped)
    return found


def _measured(net: DetectorNet, photos: list[LabelledPhoto]) -> dict[str, float]:
    report = _evaluated(Detector(half(net.state_dict())), photos)[1]
    return {"mAP50": report.map50["mean"], "AR50": report.ar50["mean"]}


def _evaluated(detector: Detector, photos: list[LabelledPhoto]) -> tuple[list[dict[str, Any]], Report]:
    with tqdm(total=len(photos), desc="measuring", disable=None) as bar:
        judged, ms_per_photo = judge(detector, photos, lambda _: bar.update())
    return predictions(judged), measure(judged, ms_per_photo)


def _settle_thresholds(checkpoint: Path, photos: list[LabelledPhoto]) -> None:
    """Add the thresholds to the checkpoint; 0.5 each where there are no photos to choose them on."""
    tensors = safetensors.torch.load_file(checkpoint)
    tensors.pop("thresholds", None)
    thresholds = torch.full((len(KINDS),), 0.5)
    if photos:
        thresholds = torch.from_numpy(fit_thresholds(Detector(tensors), photos))
    about = {"thresholds": dict(zip(KINDS, (round(t, 3) for t in thresholds.tolist()), strict=True))}
    tensors["thresholds"] = thresholds
    safetensors.torch.save_file(tensors, checkpoint, metadata={"about": json.dumps(about)})


def _skipped() -> Skipped:
    return Skipped(tell=lambda line: print(f"skipped: {line}", file=sys.stderr))


def _print(report: Report, detector: Detector) -> None:
    console = Console(highlight=False)
    table = Table(title=f"{detector.name} · {report.photos} photos", title_justify="left")
    for title in ("part", "mAP50", "mAP50-95", "AR50", "precision", "recall"):
        table.add_column(title, justify="left" if title == "part" else "right")
    columns = (report.map50, report.map50_95, report.ar50, report.precision, report.recall)
    for part in report.map50:
        cells = (figures[part] for figures in columns)
        table.add_row(part, *("–" if value < 0 else f"{value:.3f}" for value in cells))
    console.print(table)
    console.print(f"{report.ms_per_photo:.1f} ms a photo, decoding included (median)")
