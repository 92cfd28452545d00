"""The road on real photographs, when they are there: a shopper who views shorts is recommended shorts."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest
from drawn_photos import Photos
from running_shop import RunningShop, somebody

REAL_PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "clothing" / "train"

pytestmark = [
    pytest.mark.broker,
    pytest.mark.photos,
    pytest.mark.skipif(not REAL_PHOTOS.is_dir(), reason="the photographs of ../shared/data are not there"),
]


def chosen() -> dict[str, Path]:
    """202 photos by product id: 40 of shorts, the others of all other kinds."""
    random = Random(3)
    found: dict[str, Path] = {}
    kinds = sorted(folder for folder in REAL_PHOTOS.iterdir() if folder.is_dir())
    for kind in kinds:
        files = sorted(kind.glob("*.jpg"))
        for path in random.sample(files, 40 if kind.name == "shorts" else 160 // (len(kinds) - 1) + 1):
            found[f"{kind.name}-{path.stem[:40]}"] = path
    return found


def test_twelve_views_of_shorts_bring_shorts(shop: RunningShop, photos: Photos) -> None:
    products = chosen()
    for product_id, path in products.items():
        target = photos.folder / "real" / f"{product_id}.jpg"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    shop.upload(*({"id": pid, "image_link": f"real/{pid}.jpg"} for pid in products), timeout_s=90.0)
    assert not any(shop.observer.dead_of(product_id) for product_id in products)
    user = somebody("likes-shorts")
    shorts = [product_id for product_id in products if product_id.startswith("shorts-")]
    for product_id in shorts[:12]:
        answer = shop.answered("product.viewed", user, product_id)
    first = [item.product_id for item in answer.items[:12]]
    assert not set(shorts[:12]) & set(first)
    assert len([product_id for product_id in first if product_id.startswith("shorts-")]) >= 6, first
