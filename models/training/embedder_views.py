"""What the embedder is trained with: garments of photos, and five views of each.

In: folders laid out as CCP, or class folders of single garments. Out: `Item`s, and their views as pictures:
the garment as it is, two changed pieces of it, and two halves, the right one flipped. Malformed entries are
told to `Skipped`. Raises ValueError for a photo that cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.datasets.ccp import read_ccp
from models.datasets.class_folders import read_class_folders
from models.datasets.records import Skipped
from models.detection.kinds import CATEGORIES, CATEGORY_NAMES
from models.embedder_net import KINDS
from models.embedder_pictures import Box, Pixels, cut, garment_picture
from models.evaluation.embedder import read_pixels
from models.vision import square_picture

VIEWS: Final = 5
PAIRS: Final = ((1, 2), (0, 1), (0, 2), (3, 4))
PAIR_SHARES: Final = (0.3, 0.1, 0.1, 0.5)
_DOUBTFUL: Final[dict[str, tuple[str, ...]]] = {
    "top": ("t-shirt", "longsleeve", "shirt"),
    "blouse": ("shirt", "longsleeve", "t-shirt"),
    "cardigan": ("longsleeve", "outwear"),
    "suit": ("dress", "outwear"),
    **dict.fromkeys(("sweater", "sweatshirt", "hoodie", "jumper"), ("longsleeve",)),
    **dict.fromkeys(("pants", "jeans", "leggings"), ("pants",)),
    **dict.fromkeys(("shorts", "skirt", "t-shirt", "shirt", "longsleeve"), ()),
}
_OF_DETECTOR_KIND: Final = {
    "outer": "outwear", "full_body": "dress", "footwear": "shoes", "bag": "bag", "headwear": "hat",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """A garment: its photo, box (None: the whole photo), the kinds that it may be, and its category or -1."""

    path: Path
    box: Box | None
    kinds: tuple[int, ...]
    category: int


def read_items(root: Path, skipped: Skipped) -> list[Item]:
    """The garments of a folder in the layout of CCP or of class folders, photo by photo."""
    if (root / "labels.json").is_file():
        photos = read_ccp(root / "photos", root / "masks", root / "labels.json", skipped)
    else:
        photos = read_class_folders(root, None, skipped)
    return [
        Item(photo.path, garment.box_xyxy, kinds_of(garment.category), category_of(garment.category))
        for photo in photos
        for garment in photo.garments
        if garment.part != "accessory"
    ]


def kinds_of(category: str) -> tuple[int, ...]:
    """The kinds that a category may be; all of them where it is not known, which teaches nothing."""
    names = _DOUBTFUL.get(category, ())
    if not names and category in KINDS:
        names = (category,)
    if not names:
        kind = next((kind for kind, known in CATEGORIES.items() if category in known), "")
        names = (_OF_DETECTOR_KIND[kind],) if kind in _OF_DETECTOR_KIND else KINDS
    return tuple(KINDS.index(name) for name in names)


def category_of(category: str) -> int:
    """The number of a category within `CATEGORY_NAMES`, -1 where it has none."""
    return CATEGORY_NAMES.index(category) if category in CATEGORY_NAMES else -1


def item_views(items: Sequence[Item], side_px: int, seed: int) -> Iterator[Pixels]:
    """Yield the views of every item in turn, each (side_px, side_px, 3); the same seed, the same views."""
    random, path, pixels = np.random.default_rng(seed), None, None
    for item in items:
        if pixels is None or item.path != path:
            path, pixels = item.path, read_pixels(item.path)
        yield from _views(pixels, item.box, side_px, random)


def _views(pixels: Pixels, box: Box | None, side: int, random: np.random.Generator) -> Iterator[Pixels]:
    whole = box or (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
    # Whole photos are seen with their proportions, boxes squeezed; some of either the other way.
    yield _seen(pixels, whole, side, squeezed=box is not None)
    for _ in range(2):
        squeezed = (box is not None) == (random.random() < 0.75)
        picture = _seen(pixels, _piece(whole, 0.5, random), side, squeezed=squeezed)
        yield _relit(picture[:, ::-1] if random.random() < 0.5 else picture, random)
    left, top, right, bottom = _piece(whole, 0.85, random)
    middle = left + (right - left) * random.uniform(0.46, 0.54)
    squeezed, flipped = box is not None or random.random() < 0.5, random.random() < 0.5
    for half, turned in (((left, top, middle, bottom), flipped), ((middle, top, right, bottom), not flipped)):
        picture = _relit(_seen(pixels, half, side, squeezed=squeezed), random)
        yield picture[:, ::-1] if turned else picture


def _seen(pixels: Pixels, box: Box, side: int, *, squeezed: bool) -> Pixels:
    return garment_picture(pixels, box, side) if squeezed else square_picture(cut(pixels, box), side)


def _piece(box: Box, least: float, random: np.random.Generator) -> Box:
    """A box of `least` to all of the area, a little longer or wider, and a little beyond at times."""
    left, top, right, bottom = box
    side, stretch = np.sqrt(random.uniform(least, 1.0)), np.exp(random.uniform(-0.2, 0.2))
    width = float(min(1.1, side * stretch + 0.05)) * (right - left)
    height = float(min(1.1, side / stretch + 0.05)) * (bottom - top)
    left += random.uniform() * (right - left - width)
    top += random.uniform() * (bottom - top - height)
    return left, top, left + width, top + height


def _relit(picture: Pixels, random: np.random.Generator) -> Pixels:
    """Brighter or darker, tinted, with more or less colour and contrast."""
    values = picture.astype(np.float32) * random.uniform(0.8, 1.2)
    values = values * random.uniform(0.94, 1.06, 3).astype(np.float32)
    grey = values.mean(axis=2, keepdims=True)
    values = grey + (values - grey) * random.uniform(0.75, 1.25)
    values = values.mean() + (values - values.mean()) * random.uniform(0.8, 1.2)
    return np.asarray(np.clip(values, 0, 255), dtype=np.uint8)
