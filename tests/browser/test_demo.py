"""`lookstream demo`: the storefront's address comes first, and its shoppers shop."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Reader
from drawn_photos import Photos
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.browser, pytest.mark.broker]

FEW = 24


@pytest.fixture
def demo(photos: Photos, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The storefront's address, the first line that a demo of 24 photos says, and the demo."""
    for product in photos.drawn[:FEW]:
        folder = tmp_path / "photos" / product.sold_garment.category
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(photos.folder / f"{product.product_id}.jpg", folder)
    command = [
        sys.executable,
        "-m",
        "streams.cli",
        "demo",
        "--photos",
        str(tmp_path / "photos"),
        "--for",
        "600",
    ]
    own = {name: value for name, value in os.environ.items() if not name.startswith("LOOKSTREAM_")}
    with (tmp_path / "demo.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--data-dir", str(tmp_path / "data")],
            env=own,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        found = re.fullmatch(r"Storefront: (http://127\.0\.0\.1:\d+)\n", first)
        assert found, first + (tmp_path / "demo.log").read_text()
        yield found[1], process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def test_its_shoppers_can_be_watched(demo: tuple[str, subprocess.Popen[str]], browser: Browser) -> None:
    address, _ = demo
    [alice, bella, cathy] = get(f"{address}/v1/demo")["shoppers"]
    assert [one["name"] for one in (alice, bella, cathy)] == ["Alice", "Bella", "Cathy"]
    reader = Reader(browser, address)
    page = reader.open(f"/?shopper={bella['user_id']}")
    page.wait_for_selector("#masonry .card")  # also where the page was there before the first product
    expect(page.locator("#wall-name")).to_have_text("Bella")
    page.wait_for_selector("#items .why b")  # she shops, nobody clicks here
    assert page.inner_text("#pulse-click") == "–"
    reader.context.close()
    reader.check()
