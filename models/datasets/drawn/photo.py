"""Boxes and pixels of a composed scene.

In: a `Scene`. Out: its `DrawnProduct` (no pixels painted) or its photograph, an RGB `PIL.Image`.
`draw_photo` raises ValueError for a product that is not of the catalogue with the given seed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from models.datasets.drawn.backdrop import SHADOW, backdrop, cast_shadow
from models.datasets.drawn.noise import Field, seeded
from models.datasets.drawn.paint import Canvas, Labels, labels
from models.datasets.drawn.plan import make_plan
from models.datasets.drawn.scene import Scene, compose
from models.datasets.drawn.truth import DrawnGarment, DrawnProduct

SEEN_PX = 60  # a garment of which less is seen is not in the truth


def describe(scene: Scene) -> DrawnProduct:
    """The truth about the scene: every garment that is seen, with the box of what is seen of it."""
    seen = labels(scene.pieces, scene.view)
    plan = scene.plan
    garments: list[DrawnGarment] = []
    sold = 0
    for owner, item in enumerate(scene.items):
        box = _box(seen, owner)
        if box is None:
            continue
        if item is plan.item:
            sold = len(garments)
        garments.append(DrawnGarment(item.part, item.category, item.colour, item.pattern, box))
    return DrawnProduct(
        product_id=product_id(plan.index),
        title=plan.title,
        price={"value": plan.price_eur, "currency": "EUR"},
        brand=plan.brand,
        gender=plan.gender,
        styles=("urban", "layered") if plan.urban else (),
        view="worn" if plan.worn else "flat",
        sold=sold,
        garments=tuple(garments),
    )


def product_id(index: int) -> str:
    """The id of product `index`: 'drawn-0001' is index 0."""
    return f"drawn-{index + 1:04d}"


def _box(seen: Labels, owner: int) -> tuple[int, int, int, int] | None:
    mask = seen == owner
    if int(mask.sum()) < SEEN_PX:
        return None
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def draw_photo(product: DrawnProduct, seed: int) -> Image.Image:
    """The product's photograph, RGB. Raises ValueError for a product of another catalogue."""
    digits = product.product_id.removeprefix("drawn-")
    index = int(digits) - 1 if digits.isdigit() else -1
    if index < 0 or make_plan(seed, index).title != product.title:
        raise ValueError(
            f"product {product.product_id!r} ({product.title!r}) is not of the drawn catalogue {seed}"
        )
    return paint(compose(seed, index))


def paint(scene: Scene) -> Image.Image:
    """The scene's photograph, RGB."""
    view = scene.view
    rng = seeded(scene.seed, "backdrop")
    ground = backdrop(scene.backdrop, (view.width, view.height), rng)
    outline = (labels_of_all(scene) >= 0).astype(np.float32)
    if scene.plan.worn:
        _floor_shadow(ground, scene)
    else:
        cast_shadow(ground, outline, (5, 8), 8.0, SHADOW)
        cast_shadow(ground, outline, (2, 3), 2.2, SHADOW * 0.7)
    canvas = Canvas(view, ground)
    canvas.paint(scene.pieces)
    planes = (np.clip(canvas.pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0)))


def labels_of_all(scene: Scene) -> Labels:
    """Where anything is drawn at all (>= 0), the figure's skin and hair included."""
    return labels([replace(p, owner=0) for p in scene.pieces], scene.view)


def _floor_shadow(ground: Field, scene: Scene) -> None:
    h, w = ground.shape[1:]
    feet = scene.view.y + 7.7 * scene.view.head_px
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    near = ((x - scene.view.x - 8) / 62) ** 2 + ((y - feet) / 8.5) ** 2
    far = ((x - scene.view.x - 26) / 92) ** 2 + ((y - feet + 2) / 15) ** 2
    dark = np.float32(0.34) * np.exp(-near * 1.3) + np.float32(0.16) * np.exp(-far)
    ground *= 1 - np.asarray(dark, np.float32)
