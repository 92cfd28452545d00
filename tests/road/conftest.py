"""One running shop for the whole road, stocked with drawn photographs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from drawn_photos import Photos
from running_shop import RunningShop


@pytest.fixture(scope="session")
def empty_shop(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """`lookstream up` on an empty data directory; photos are below its media root."""
    with RunningShop(tmp_path_factory.mktemp("shop"), photos.folder) as shop:
        yield shop


@pytest.fixture(scope="session")
def shop(empty_shop: RunningShop, photos: Photos) -> RunningShop:
    """The same once all drawn products are searchable."""
    empty_shop.upload(*map(photos.upload, photos.drawn))
    return empty_shop
