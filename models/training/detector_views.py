"""Training pictures: random views of photos, so that a thousand photos do not get learnt by heart.

In: `Source`s and a seeded random generator. Out: `View`s of the size asked for: a photo scaled, shifted,
mirrored and recoloured, garments recoloured one by one, bags hung on strangers, four photos in one. The same
seed gives the same views. Nothing fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.detection.kinds import KINDS
from models.training.detector_sources import UNKNOWN, Source

GREY: Final = 127
_BAG: Final = KINDS.index("bag")
_LEAST_VISIBLE: Final = 0.35  # share of a box that must be left
_LEAST_PX: Final = 4.0
_GREY_AXIS: Final = np.full((3, 3), 1 / 3, np.float32)


@dataclass(frozen=True, eq=False)
class View:
    """A picture (H, W, 3) uint8 with its G garments, as `Source` has them, in its own pixels.

    `weights` (G,) says how much each box counts; `regions` (H, W) is UNKNOWN where nobody labelled.
    """

    pixels: NDArray[np.uint8]
    boxes_xyxy: NDArray[np.float32]
    kinds: NDArray[np.int64]
    categories: NDArray[np.int64]
    weights: NDArray[np.float32]
    regions: NDArray[np.uint8]


class Views:
    """An endless supply of views of street photos (with masks, where they have any) and single garments."""

    def __init__(self, street: Sequence[Source], single: Sequence[Source], *, single_share: float) -> None:
        self._street, self._single = street, single
        self._single_share = single_share if single and street else float(not street)
        self._bags = [
            source for source in street if source.regions is not None and (source.kinds == _BAG).any()
        ]

    def view(self, ordinal: int, size: tuple[int, int], random: np.random.Generator) -> View:
        """A view (height, width); of street photos that number `ordinal` has its turn."""
        if random.random() < self._single_share:
            chosen = self._single
            first = chosen[int(random.integers(len(chosen)))]
            together = random.random() < 0.4
        else:
            chosen = self._street
            first = chosen[ordinal % len(chosen)]
            together = random.random() < 0.08
        if together:
            others = [chosen[int(random.integers(len(chosen)))] for _ in range(3)]
            view = _mosaic([first, *others], size, random)
        else:
            view = _single_view(first, size, random)
            if chosen is self._street and self._bags and random.random() < 0.2:
                view = _with_bag(view, self._bags[int(random.integers(len(self._bags)))], random)
        if random.random() < 0.5:
            view = _garments_recoloured(view, random)
        return replace(view, pixels=_recoloured(view.pixels, random))


def placed(
    source: Source, size: tuple[int, int], scale_xy: tuple[float, float], at: tuple[float, float]
) -> View:
    """The photo scaled, its upper left corner at `at` (x, y), on a grey canvas (height, width)."""
    height, width = size
    (sx, sy), (left, top) = scale_xy, at
    rows, columns = source.pixels.shape[:2]
    x1, y1 = max(0, round(left)), max(0, round(top))
    x2, y2 = (
        min(width, max(x1 + 1, round(left + columns * sx))),
        min(height, max(y1 + 1, round(top + rows * sy))),
    )
    part = (
        min(max((x1 - left) / sx, 0), columns - 1), min(max((y1 - top) / sy, 0), rows - 1),
        min((x2 - left) / sx, columns), min((y2 - top) / sy, rows),
    )  # fmt: skip
    pixels = np.full((height, width, 3), GREY, np.uint8)
    photo = Image.fromarray(source.pixels)
    pixels[y1:y2, x1:x2] = np.asarray(photo.resize((x2 - x1, y2 - y1), Image.Resampling.BILINEAR, box=part))
    regions = np.full((height, width), UNKNOWN, np.uint8)
    if source.regions is not None:
        regions[:] = 0
        mask = Image.fromarray(source.regions)
        regions[y1:y2, x1:x2] = np.asarray(
            mask.resize((x2 - x1, y2 - y1), Image.Resampling.NEAREST, box=part)
        )
    boxes = source.boxes_xyxy * np.array((sx, sy, sx, sy), np.float32)
    boxes = boxes + np.array((left, top, left, top), np.float32)
    weights = np.full(len(boxes), source.weight, np.float32)
    return _cut(View(pixels, boxes, source.kinds, source.categories, weights, regions))


def _cut(view: View) -> View:
    """Boxes cut at the picture's edge; without those of which too little is left."""
    height, width = view.pixels.shape[:2]
    limits = np.array((width, height, width, height), np.float32)
    inside = np.clip(view.boxes_xyxy, 0, limits)
    kept = (_areas(inside) >= _LEAST_VISIBLE * _areas(view.boxes_xyxy)) & (
        (inside[:, 2:] - inside[:, :2]).min(axis=1, initial=np.inf) >= _LEAST_PX
    )
    return View(
        view.pixels, inside[kept], view.kinds[kept], view.categories[kept], view.weights[kept], view.regions
    )


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)


def _single_view(
    source: Source, size: tuple[int, int], random: np.random.Generator, *, closest: float = 2.0
) -> View:
    height, width = size
    rows, columns = source.pixels.shape[:2]
    zoom = np.exp(random.uniform(np.log(0.7), np.log(1.25)))
    if random.random() < 0.25:
        zoom = np.exp(random.uniform(np.log(1.25), np.log(closest)))
    scale = min(height / rows, width / columns) * zoom
    aspect = np.exp(random.uniform(-0.08, 0.08))
    sx, sy = scale * aspect, scale / aspect
    at = (_offset(width - columns * sx, random), _offset(height - rows * sy, random))
    view = placed(source, size, (sx, sy), at)
    return _mirrored(view) if random.random() < 0.5 else view


def _offset(room: float, random: np.random.Generator) -> float:
    """Where the photo begins: anywhere in the room it leaves, or cut anywhere where it has none."""
    return float(random.uniform(min(0.0, room), max(0.0, room)))


def _mirrored(view: View) -> View:
    width = view.pixels.shape[1]
    boxes = view.boxes_xyxy.copy()
    boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    return replace(
        view,
        pixels=np.ascontiguousarray(view.pixels[:, ::-1]),
        regions=np.ascontiguousarray(view.regions[:, ::-1]),
        boxes_xyxy=boxes,
    )


def _mosaic(four: Sequence[Source], size: tuple[int, int], random: np.random.Generator) -> View:
    half = (size[0] // 2, size[1] // 2)
    views = [_single_view(source, half, random, closest=1.4) for source in four]
    shifts = [(0, 0), (half[1], 0), (0, half[0]), (half[1], half[0])]
    boxes = [view.boxes_xyxy + np.array(2 * at, np.float32) for view, at in zip(views, shifts, strict=True)]

    def tiled(parts: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        return np.concatenate([np.concatenate(parts[:2], axis=1), np.concatenate(parts[2:], axis=1)])

    return View(
        tiled([view.pixels for view in views]),
        np.concatenate(boxes),
        np.concatenate([view.kinds for view in views]),
        np.concatenate([view.categories for view in views]),
        np.concatenate([view.weights for view in views]),
        tiled([view.regions for view in views]),
    )


def _with_bag(view: View, donor: Source, random: np.random.Generator) -> View:
    """The view with a bag of another photo somewhere on or beside the person, as large as it was there."""
    assert donor.regions is not None
    height, width = view.pixels.shape[:2]
    number = int(random.choice(np.flatnonzero(donor.kinds == _BAG)))
    x1, y1, x2, y2 = (int(side) for side in donor.boxes_xyxy[number])
    scale = height / donor.pixels.shape[0] * random.uniform(0.7, 1.3)
    shape = (max(4, round((x2 - x1) * scale)), max(4, round((y2 - y1) * scale)))
    if shape[0] >= width or shape[1] >= height:
        return view
    left, top = int(random.integers(width - shape[0])), int(random.uniform(0.25, 0.8) * (height - shape[1]))
    picture = Image.fromarray(donor.pixels[y1:y2, x1:x2]).resize(shape, Image.Resampling.BILINEAR)
    mask = Image.fromarray(donor.regions[y1:y2, x1:x2]).resize(shape, Image.Resampling.NEAREST)
    of_bag = np.asarray(mask) == 1 + _BAG
    pixels, regions = view.pixels.copy(), view.regions.copy()
    there = (slice(top, top + shape[1]), slice(left, left + shape[0]))
    pixels[there][of_bag] = np.asarray(picture)[of_bag]
    regions[there][of_bag] = 1 + _BAG
    box = np.array([[left, top, left + shape[0], top + shape[1]]], np.float32)
    return View(
        pixels,
        np.concatenate([view.boxes_xyxy, box]),
        np.append(view.kinds, _BAG),
        np.append(view.categories, donor.categories[number]),
        np.append(view.weights, np.float32(1.0)),
        regions,
    )


def _colours(random: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """A matrix (3, 4): hue turned, saturation, brightness and contrast changed."""
    turn = random.normal(0.0, 0.35 * strength)
    cos, sin = np.cos(turn), np.sin(turn) / np.sqrt(3)
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32)
    hue = cos * np.eye(3, dtype=np.float32) + sin * across + (1 - cos) * _GREY_AXIS
    saturation = float(np.clip(1 + random.normal(0.0, 0.35 * strength), 0.0, 2.0))
    grey = np.tile(np.array([0.299, 0.587, 0.114], np.float32), (3, 1))
    mixed = (saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * grey) @ hue
    contrast = np.exp(random.normal(0.0, 0.22 * strength))
    brightness = GREY * (1 - contrast) + random.normal(0.0, 24.0 * strength)
    return np.concatenate([contrast * mixed, np.full((3, 1), brightness)], axis=1).astype(np.float32)


def _recoloured(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    if random.random() < 0.2:
        return pixels
    colours = _colours(random, 0.7)
    changed = pixels.reshape(-1, 3).astype(np.float32) @ colours[:, :3].T + colours[:, 3]
    return np.asarray(np.clip(changed, 0, 255).astype(np.uint8).reshape(pixels.shape))


def _garments_recoloured(view: View, random: np.random.Generator) -> View:
    """Some garments in other colours: what a thing is does not depend on them."""
    pixels = view.pixels.copy()
    for kind in np.unique(view.kinds):
        of_kind = view.regions == 1 + kind
        if random.random() < 0.4 and of_kind.any():
            colours = _colours(random, 1.6)
            changed = pixels[of_kind].astype(np.float32) @ colours[:, :3].T + colours[:, 3]
            pixels[of_kind] = np.clip(changed, 0, 255).astype(np.uint8)
    return replace(view, pixels=pixels)
