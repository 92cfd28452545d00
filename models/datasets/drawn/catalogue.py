"""The catalogue: products as an iterator, and written to a folder as photographs with their truth.

In: a seed and a count. Out: `DrawnProduct`s, the same for the same seed and index whatever the count;
files `drawn-0001.jpg` ... and `truth.jsonl`. `write_catalogue` raises OSError if the folder cannot be
written.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from models.datasets.drawn.photo import describe, paint
from models.datasets.drawn.scene import compose
from models.datasets.drawn.truth import DrawnProduct, from_json, to_json

TRUTH = "truth.jsonl"
JPEG_QUALITIES = (88, 80, 70)
JPEG_BYTES = 40_000
EDITION = 1  # raised when the same seed draws other pictures, so that written folders are drawn anew
Progress = Callable[[int, int], None]


def draw_catalogue(seed: int, count: int = 640) -> Iterator[DrawnProduct]:
    """The truth about the first `count` products of the catalogue `seed`; nothing is painted."""
    for index in range(count):
        yield describe(compose(seed, index))


def photo_name(product: DrawnProduct) -> str:
    """The name of the product's photograph in the catalogue's folder."""
    return f"{product.product_id}.jpg"


def read_truth(folder: Path) -> list[DrawnProduct]:
    """The products of a written catalogue. Raises OSError if there is none, ValueError if it is damaged."""
    lines = (folder / TRUTH).read_text(encoding="utf-8").splitlines()
    return [from_json(line) for line in lines]


def write_catalogue(
    folder: Path, seed: int, count: int = 640, progress: Progress | None = None
) -> list[DrawnProduct]:
    """Writes photographs and truth to `folder`, which is made if need be; whole files that fit stay.

    `progress` is called with (done, count) after each product. The truth comes last and by renaming,
    so that a folder with it is complete.
    """
    _prepare(folder, seed)
    products = []
    for index in range(count):
        scene = compose(seed, index)
        product = describe(scene)
        target = folder / photo_name(product)
        if not target.exists():
            part = target.with_suffix(".part")
            part.write_bytes(_jpeg(paint(scene)))
            part.replace(target)
        products.append(product)
        if progress is not None:
            progress(index + 1, count)
    part = folder / (TRUTH + ".part")
    part.write_text("".join(to_json(p) + "\n" for p in products), encoding="utf-8")
    part.replace(folder / TRUTH)
    return products


def _jpeg(photo: Image.Image) -> bytes:
    """The photograph as a file of at most `JPEG_BYTES`; the few richest prints are compressed more."""
    for quality in JPEG_QUALITIES:
        buffer = io.BytesIO()
        photo.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= JPEG_BYTES:
            break
    return buffer.getvalue()


def _prepare(folder: Path, seed: int) -> None:
    """Makes the folder; what another seed or edition left in it goes."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / f".drawn-{EDITION}-{seed}"
    if stamp.exists():
        return
    (folder / TRUTH).unlink(missing_ok=True)
    for old in (*folder.glob("drawn-*.jpg"), *folder.glob(".drawn-*")):
        old.unlink()
    stamp.touch()
