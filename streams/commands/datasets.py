"""`lookstream datasets`: read a published data set, say what is in it, write it in another form.

In: a data set in its published format. Out: a table or JSON, COCO JSON, or class folders of pictures. Returns
1 when entries were left out (each is named on stderr, up to a limit, and counted), else 0. Fails with
DatasetError where the data set is not there, ValueError for an unknown format or split.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PIL import Image
from tqdm import tqdm

from models.datasets.coco_writer import Written, write_coco
from models.datasets.deepfashion2 import annotation_files, photo_size
from models.datasets.fashion_mnist import read_fashion_mnist
from models.datasets.formats import FORMATS, categories, read
from models.datasets.records import LabelledPhoto, MalformedEntryError, Skipped

FASHION_MNIST: Final = "fashion-mnist"
NAMES: Final = (*FORMATS, FASHION_MNIST)
_SHOWN: Final = 20


def inspect(name: str, root: Path, *, split: str | None, as_json: bool) -> int:
    """Print how many photos and garments of which category a data set has."""
    skipped = Skipped()
    if name == FASHION_MNIST:
        names = read_fashion_mnist(root, split, skipped).names()
        found: dict[str, Any] = {"photos": len(names), "garments": len(names), "categories": Counter(names)}
    else:
        found = _counted(_progress(name, root, split, read(name, root, split, skipped)))
    found["skipped"] = skipped.count
    if as_json:
        print(json.dumps(found))
    else:
        print(f"{found['photos']} photos, {found['garments']} garments, {skipped.count} entries left out")
        for category, count in Counter(found["categories"]).most_common():
            print(f"{count:8}  {category}")
    return _told(skipped)


def convert(name: str, root: Path, *, split: str | None, out: Path, as_json: bool) -> int:
    """Write a data set as COCO JSON, or FashionMNIST's pictures to class folders."""
    skipped = Skipped()
    if name == FASHION_MNIST:
        written = {"photos": _to_folders(root, split, out, skipped)}
    else:
        done = _to_coco(name, root, split, out, skipped)
        written = {"photos": done.photos, "garments": done.garments}
    told = _told(skipped)
    if as_json:
        print(json.dumps(written | {"skipped": skipped.count, "out": str(out)}))
    else:
        counts = ", ".join(f"{count} {what}" for what, count in written.items())
        print(f"{out}: {counts}; {skipped.count} entries left out")
    return told


def _to_coco(name: str, root: Path, split: str | None, out: Path, skipped: Skipped) -> Written:
    if name == "coco":
        raise ValueError("format: got 'coco', expected one that is not COCO JSON already")
    known = categories(name, root)
    if known is None:
        raise ValueError(f"format: got {name!r}, which has no boxes; expected one that has")
    folder = root / (split or "") / "image" if name == "deepfashion2" else root
    out.parent.mkdir(parents=True, exist_ok=True)
    photos = _progress(name, root, split, _sized(read(name, root, split, skipped), skipped))
    return write_coco(photos, known, folder, out, skipped)


def _sized(photos: Iterable[LabelledPhoto], skipped: Skipped) -> Iterator[LabelledPhoto]:
    """The photos with their sizes, read from their headers where the data set does not tell them."""
    for photo in photos:
        if photo.width is not None:
            yield photo
            continue
        try:
            width, height = photo_size(photo.path)
        except MalformedEntryError as error:
            skipped.add(photo.path, "photo", error)
            continue
        yield replace(photo, width=width, height=height)


def _to_folders(root: Path, split: str | None, out: Path, skipped: Skipped) -> int:
    pictures = read_fashion_mnist(root, split, skipped)
    rows = zip(pictures.pixels, pictures.names(), strict=True)
    for number, (pixels, name) in enumerate(
        tqdm(rows, "pictures", len(pictures.pixels), disable=None, file=sys.stderr)
    ):
        folder = out / name.replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number:05}.png")
    return len(pictures.pixels)


def _progress(
    name: str, root: Path, split: str | None, photos: Iterable[LabelledPhoto]
) -> Iterator[LabelledPhoto]:
    total = len(annotation_files(root, split)) if name == "deepfashion2" else None
    yield from tqdm(photos, "photos", total, disable=None, file=sys.stderr)


def _counted(photos: Iterable[LabelledPhoto]) -> dict[str, Any]:
    count, kinds = 0, Counter[str]()
    for photo in photos:
        count += 1
        kinds.update(garment.category for garment in photo.garments)
    return {"photos": count, "garments": kinds.total(), "categories": dict(kinds)}


def _told(skipped: Skipped) -> int:
    """Name what was left out on stderr; the exit code."""
    for line in skipped.lines[:_SHOWN]:
        print(line, file=sys.stderr)
    if skipped.count > _SHOWN:
        print(f"… and {skipped.count - _SHOWN} more:", file=sys.stderr)
        for file, count in Counter(skipped.counts).most_common(_SHOWN):
            print(f"{count:8}  {file}", file=sys.stderr)
    return 1 if skipped.count else 0
