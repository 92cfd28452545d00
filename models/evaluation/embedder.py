"""Measures an embedder on photos: finding the same class, the same garment, the other half, the same colour.

In: class folders of single garments (gallery and queries) and, for the garment figures, street photos with a
mask of labels each. Out: `Measured`: the figures of `lookstream evaluate embedder` and the rows that they
were counted from. Raises ValueError for folders without photos and for photos that cannot be read,
DatasetError for masks or labels that are not in their format.

* same class: queries find gallery photos of their class (mAP, P@10); leave one out: queries among themselves.
* augmented: a garment's box, cut to 60-100 % of its area, flipped half of the time, up to 20 % brighter or
  darker, with more or less contrast and colour, finds the garment's own box among all boxes (recall@1).
* half: the left half of a garment's box finds its right half, flipped, among all right halves (recall@1).
* colour: Lab distance (mean colour of the photo's middle half) to the 5 nearest of the same class over that
  to all of the same class.
* street to shop: the first 5 single-garment photos for a garment's box are of its part.

Garments are the labels' boxes of `PARTS_COUNTED` that are at least `LEAST_SIDE_PX` wide and high.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.datasets.ccp import read_ccp
from models.datasets.class_folders import read_class_folders
from models.datasets.parts import part_of
from models.datasets.records import Skipped
from models.embedder_pictures import Box, Pixels
from models.evaluation import embedder_scores as scores
from models.evaluation.embedder_views import VIEWS, middle_colour, views
from models.photo import PhotoError, decode_photo
from models.vision import MAX_BATCH, Embedder, square_picture
from schemas.parts import Part

PARTS_COUNTED: Final = ("upper", "lower", "full_body", "footwear", "bag", "headwear")
LEAST_SIDE_PX: Final = 32.0
SEED: Final = 0
TIMED_PICTURES: Final = 30
Rows: TypeAlias = NDArray[np.float32]
Progress: TypeAlias = Callable[[Iterable[Pixels], str, int], Iterable[Pixels]]
"""Wraps the pictures that are embedded, with a title and their count."""


@dataclass(frozen=True, eq=False)
class Shop:
    """Photos of single garments: paths, class of each, embeddings (N, D) and colours (N, 3) in Lab."""

    paths: list[Path]
    labels: NDArray[np.str_]
    embeddings: Rows
    colours: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Worn:
    """A labelled garment in a street photo; the box is in pixels of the photo."""

    path: Path
    box: Box
    part: Part
    category: str


@dataclass(frozen=True, eq=False)
class Street:
    """Garments in street photos and the embeddings (N, D) of their four views."""

    worn: list[Worn]
    whole: Rows
    augmented: Rows
    left: Rows
    right: Rows


@dataclass(frozen=True, eq=False)
class Measured:
    """The figures by name, and what they were counted from; `street` is None where no masks were given."""

    figures: dict[str, object]
    gallery: Shop
    queries: Shop
    street: Street | None


@dataclass(frozen=True)
class StreetFolders:
    """Street photos `NNNN.jpg`, masks `NNNN.png` and the JSON list of the labels' names."""

    photos: Path
    masks: Path
    labels: Path


def measure(
    embedder: Embedder,
    gallery: Sequence[Path],
    queries: Path,
    street: StreetFolders | None,
    progress: Progress,
    skipped: Skipped,
) -> Measured:
    """Embed everything once, count, and time the embedder on single pictures."""
    shop = _shop(embedder, gallery, "gallery", progress, skipped)
    asking = _shop(embedder, [queries], "queries", progress, skipped)
    worn = None if street is None else _street(embedder, street, progress, skipped)
    ranks = scores.nearest(asking.embeddings, shop.embeddings)
    mean_ap, p10 = scores.same_class(ranks, shop.labels, asking.labels)
    figures: dict[str, object] = {
        "same_class_mAP": mean_ap,
        "same_class_P10": p10,
        "leave_one_out_mAP": scores.leave_one_out(asking.embeddings, asking.labels),
    }
    if worn is not None:
        figures["augmented_recall1"] = scores.recall1(worn.augmented, worn.whole)
        figures["half_recall1"] = scores.recall1(worn.left, worn.right)
    figures["colour_ratio"] = scores.colour_ratio(
        ranks, shop.labels, asking.labels, shop.colours, asking.colours
    )
    if worn is not None:
        figures["street_to_shop"] = _street_to_shop(worn, shop)
    figures["ms_per_crop"] = _ms_per_crop(embedder, asking.paths)
    figures["dim"] = embedder.dim
    figures["gallery_photos"], figures["query_photos"] = len(shop.paths), len(asking.paths)
    if worn is not None:
        figures["garments"] = len(worn.worn)
    return Measured(figures, shop, asking, worn)


def embed(embedder: Embedder, pictures: Iterable[Pixels]) -> Rows:
    """Return unit embeddings (N, D) of pictures (side, side, 3), in batches."""
    rows, waiting = [], iter(pictures)
    while batch := [picture for _, picture in zip(range(MAX_BATCH), waiting, strict=False)]:
        rows.append(embedder.embed(np.stack(batch)))
    return np.concatenate(rows)


def read_pixels(path: Path) -> Pixels:
    """Return the photo's pixels (H, W, 3). Raises ValueError, naming it, when it is no photo."""
    try:
        return decode_photo(path.read_bytes()).pixels
    except PhotoError as error:
        raise ValueError(f"{path}: {error}") from error


def _shop(
    embedder: Embedder, folders: Sequence[Path], title: str, progress: Progress, skipped: Skipped
) -> Shop:
    photos = [photo for folder in folders for photo in read_class_folders(folder, None, skipped)]
    if not photos:
        raise ValueError(f"{title}: got no photos in {', '.join(map(str, folders))}, expected class folders")
    colours: list[NDArray[np.float64]] = []

    def pictures() -> Iterator[Pixels]:
        for photo in photos:
            pixels = read_pixels(photo.path)
            colours.append(middle_colour(pixels))
            yield square_picture(pixels, embedder.side_px)

    embeddings = embed(embedder, progress(pictures(), title, len(photos)))
    labels = np.array([photo.garments[0].category for photo in photos])
    return Shop([photo.path for photo in photos], labels, embeddings, np.stack(colours))


def _street(embedder: Embedder, folders: StreetFolders, progress: Progress, skipped: Skipped) -> Street:
    worn = list(worn_garments(folders, skipped))
    if not worn:
        raise ValueError(f"{folders.photos}: got no labelled garments, expected some")
    random = np.random.default_rng(SEED)

    def pictures() -> Iterator[Pixels]:
        path, pixels = None, None
        for garment in worn:
            if pixels is None or garment.path != path:
                path, pixels = garment.path, read_pixels(garment.path)
            yield from views(pixels, garment.box, embedder.side_px, random)

    rows = embed(embedder, progress(pictures(), f"garments, {VIEWS} views each", VIEWS * len(worn)))
    by_view = rows.reshape(len(worn), VIEWS, -1).swapaxes(0, 1)
    return Street(worn, *by_view)


def worn_garments(folders: StreetFolders, skipped: Skipped) -> Iterator[Worn]:
    """Yield the garments that are counted, photo by photo."""
    for photo in read_ccp(folders.photos, folders.masks, folders.labels, skipped):
        for garment in photo.garments:
            box, part = garment.box_xyxy, garment.part
            if box is None or part is None or part not in PARTS_COUNTED:
                continue
            if min(box[2] - box[0], box[3] - box[1]) >= LEAST_SIDE_PX:
                yield Worn(photo.path, box, part, garment.category)


def _street_to_shop(street: Street, shop: Shop) -> dict[str, dict[str, float | int]]:
    return scores.agreement(
        scores.nearest(street.whole, shop.embeddings),
        np.array([part_of(label) or "" for label in shop.labels]),
        np.array([garment.part for garment in street.worn]),
        np.array([garment.category for garment in street.worn]),
    )


def _ms_per_crop(embedder: Embedder, paths: Sequence[Path]) -> float:
    """Return the median time in milliseconds of one picture alone; the first ones warm up."""
    pictures = [
        np.stack([square_picture(read_pixels(path), embedder.side_px)]) for path in paths[:TIMED_PICTURES]
    ]
    times = []
    for picture in [*pictures[:3], *pictures]:
        start = time.perf_counter()
        embedder.embed(picture)
        times.append(time.perf_counter() - start)
    return float(np.median(times[3:])) * 1000
