"""`lookstream train published`: fine-tune one of the published models on any data set that is read.

In: a data set in its published format, and what to start from. Out: a safetensors file and its name as a
vision on stdout. Returns 1 when entries of the data set were left out (each is named on stderr), else 0.
Fails with ValueError or DatasetError for what makes no sense, WeightsError for weights that cannot be had.
"""

import json
import sys
from pathlib import Path
from typing import Final

import torch

from models.datasets.formats import read
from models.datasets.records import LabelledPhoto, Skipped
from models.published.names import EMBEDDERS
from models.published.train_detector import DetectorSchedule, Start, train_detector
from models.published.train_embedder import EmbedderSchedule, train_embedder

TRAINED_DETECTORS: Final = ("faster-rcnn", "mask-rcnn")


def train_published(
    kind: str,
    data: tuple[str, Path, str | None],
    start: str,
    out: Path,
    *,
    schedule: DetectorSchedule | EmbedderSchedule,
    threads: int,
    as_json: bool,
) -> int:
    """Train `kind` on the data set (format, folder, split)."""
    torch.set_num_threads(threads)
    skipped = Skipped(lambda line: print(line, file=sys.stderr))
    photos: list[LabelledPhoto] = list(read(*data, skipped))
    if isinstance(schedule, DetectorSchedule):
        digest = train_detector(kind, photos, _start(start), schedule, out, skipped)
        name = f"{kind}:{out}#{digest[:16]}+resnet50"
    else:
        digest = train_embedder(kind, photos, _start(start), schedule, out, skipped)
        name = f"whole-photo+{kind}:{out}#{digest[:16]}"
    told = {"sha256": digest, "photos": len(photos), "skipped": skipped.count, "vision": name}
    if as_json:
        print(json.dumps(told))
    else:
        print("\n".join(f"{what}: {value}" for what, value in told.items()))
    return 1 if skipped.count else 0


def _start(start: str) -> Start:
    if start == "torchvision":
        return "torchvision"
    return "nothing" if start == "nothing" else Path(start)


def kinds() -> tuple[str, ...]:
    """What can be trained."""
    return (*TRAINED_DETECTORS, *EMBEDDERS)
