"""A browser per module, and one running shop with a storefront for all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from chromium import Reader, find_chromium, running_chromium
from drawn_photos import Photos
from playwright.sync_api import Browser
from running_shop import RunningShop

SHOPPERS = (("alice", "Alice", "shorts"), ("bella", "Bella", "floral"), ("cathy", "Cathy", "urban"))
STOCKED = 60


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of each module, so that its event loop is gone when other tests run theirs."""
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def storefront(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """`lookstream up` as a demo, stocked with 60 drawn products."""
    find_chromium()
    folder = tmp_path_factory.mktemp("storefront")
    (folder / "demo").mkdir()
    shoppers = [{"user_id": user_id, "name": name, "likes": likes} for user_id, name, likes in SHOPPERS]
    (folder / "demo" / "shoppers.json").write_text(json.dumps(shoppers))
    with RunningShop(folder, photos.folder, gateway_demo="1") as shop:
        shop.upload(*map(photos.upload, photos.drawn[:STOCKED]))
        yield shop


@pytest.fixture
def reader(browser: Browser, storefront: RunningShop) -> Iterator[Callable[..., Reader]]:
    """Makes readers of the storefront; at the end none of them may have seen anything go wrong."""
    readers: list[Reader] = []

    def made(**like: object) -> Reader:
        readers.append(Reader(browser, storefront.ready["gateway"], **like))
        return readers[-1]

    yield made
    for one in readers:
        one.context.close()
    for one in readers:
        one.check()
