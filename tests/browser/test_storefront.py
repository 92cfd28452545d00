"""The storefront in a real browser, before a real shop."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from chromium import Reader
from drawn_photos import Photos
from playwright.sync_api import Page, expect
from running_shop import RunningShop, child_with, until
from shopping import ANSWERED, LIVE, card, enter, loaded, new_shopper, reasons, view, wall

pytestmark = [pytest.mark.browser, pytest.mark.broker]

CCP = Path(__file__).parents[3] / "shared" / "data" / "ccp" / "photos"
STOCKED = 60
Readers = Callable[..., Reader]


def florals(photos: Photos) -> list[int]:
    """Numbers of the drawn products with flowers."""
    return [n for n, product in enumerate(photos.drawn) if product.sold_garment.pattern == "floral"]


def titles(photos: Photos, *product_ids: str) -> set[str]:
    return {product.title for product in photos.drawn if product.product_id in product_ids}


def test_clicks_change_the_wall(reader: Readers, photos: Photos) -> None:
    page = enter(reader(reduced_motion="no-preference"), new_shopper())
    before = wall(page)
    viewed = photos.drawn[florals(photos)[0]]
    view(page, viewed.product_id)
    page.wait_for_selector(f"#items .why:has-text('{viewed.title}')")
    assert wall(page) != before
    assert viewed.product_id not in wall(page)
    assert re.fullmatch(r"\d+ ms", page.inner_text("#pulse-click"))
    assert re.fullmatch(r"\d+ ms", page.inner_text("#pulse-stream"))
    loaded(page, "#items .why img")
    page.wait_for_selector("#clusters .exemplar img")
    assert "%" in page.inner_text("#clusters .cluster")
    expect(page.locator("#spoken")).to_contain_text("new recommendations")


def test_what_a_shopper_has_done_with_a_product_is_shown(reader: Readers, photos: Photos) -> None:
    page = enter(reader(), new_shopper())
    cart, bought, dismissed = (photos.drawn[n].product_id for n in (3, 4, 5))
    for product_id, deed in ((cart, "cart"), (bought, "buy"), (dismissed, "dismiss")):
        page.hover(card(page, product_id))
        page.click(f"{card(page, product_id)} .deed.{deed}")
        page.wait_for_selector(ANSWERED)
    page.wait_for_selector(f"{card(page, cart)} .tag[data-state='In the cart']")
    page.wait_for_selector(f"{card(page, bought)} .tag[data-state='Bought']")
    page.wait_for_selector(card(page, dismissed), state="detached")
    assert {bought, dismissed}.isdisjoint(wall(page))
    page.hover(card(page, cart))
    page.click(f"{card(page, cart)} .deed.cart")
    page.wait_for_selector(f"{card(page, cart)} .deed.cart[aria-pressed=false]")
    page.wait_for_selector(ANSWERED)


def test_two_tabs_with_two_shoppers_stay_apart(reader: Readers, photos: Photos) -> None:
    somebody = reader()
    flowers = [photos.drawn[n].product_id for n in florals(photos) if n < STOCKED][:3]
    others = [p.product_id for p in photos.drawn[:STOCKED] if p.sold_garment.pattern == "solid"][:3]
    alice, bella = enter(somebody, "alice"), enter(somebody, "bella")
    view(bella, *flowers)
    view(alice, *others)
    bella.wait_for_selector("#items .why b")
    assert reasons(bella) <= titles(photos, *flowers)
    assert reasons(alice) <= titles(photos, *others)
    assert alice.inner_text("#wall-name") == "Alice"
    alice.click("label:has(#who-bella)")
    expect(alice.locator("#wall-name")).to_have_text("Bella")
    alice.wait_for_selector("#items .why b")
    until("Bella's wall in the other tab", lambda: reasons(alice) <= titles(photos, *flowers))
    alice.reload()
    alice.wait_for_selector("#items .card")
    assert alice.inner_text("#wall-name") == "Bella"


def test_the_wall_is_back_after_the_gateway_was_killed(
    reader: Readers, storefront: RunningShop, photos: Photos
) -> None:
    somebody = reader()
    page = enter(somebody, new_shopper())
    view(page, photos.drawn[0].product_id)
    before = child_with(storefront.process.pid, "streams.cli", "gateway")
    assert before is not None
    os.kill(before, signal.SIGKILL)
    page.wait_for_selector("#line[data-state=lost]")
    page.wait_for_selector(LIVE, timeout=40_000)
    view(page, photos.drawn[1].product_id)
    page.wait_for_selector(f"#items .why:has-text('{photos.drawn[1].title}')")
    somebody.forgive("net::ERR_")


def look_at(page: Page, photo: Path) -> None:
    """Give the storefront a photo and wait for what it finds in it."""
    page.click("#open-look")
    page.set_input_files("#look-file", photo)
    page.wait_for_selector("#look[data-phase=found] .find .card")
    loaded(page, ".stage-photo")
    boxes = page.locator("#stage .choose")
    assert boxes.count() == page.locator(".find").count() > 0
    photo_box = page.locator(".stage-photo").bounding_box()
    assert photo_box is not None
    for number in range(boxes.count()):
        box = boxes.nth(number).bounding_box()
        assert box is not None
        assert box["width"] > 2 < box["height"]
        assert (
            photo_box["x"] - 1
            <= box["x"]
            <= box["x"] + box["width"]
            <= photo_box["x"] + photo_box["width"] + 1
        )


def test_buy_that_look(reader: Readers, photos: Photos) -> None:
    page = enter(reader(), new_shopper())
    street = next(p for p in photos.drawn if "urban" in p.styles)
    look_at(page, photos.folder / f"{street.product_id}.jpg")
    assert re.search(r"\d+ garments? in \d+ ms", page.inner_text("#look-note"))
    page.locator("#stage .choose").first.click(position={"x": 4, "y": 4})  # another may lie over its middle
    page.wait_for_selector(".find.lit")
    found = page.locator(".find .card").first
    product_id = found.get_attribute("data-product")
    title = found.locator(".title").inner_text()
    found.locator(".shot").click()
    expect(page.locator("#look-title")).to_have_text(title)
    page.wait_for_selector("#look[data-phase=found] .find .card")
    page.click("#look-back")
    expect(page.locator("#look-title")).to_have_text("Buy that look")
    page.keyboard.press("Escape")
    page.wait_for_selector("#look:not([open])", state="attached")
    page.wait_for_selector(f"#items .why:has-text('{title}')")
    assert product_id not in wall(page)


DROP = """async (address) => {
  const photo = await (await fetch(address)).blob();
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([photo], "street.jpg", { type: photo.type }));
  const happen = (kind) =>
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  happen("dragenter");
  const seen = !document.querySelector("#curtain").hidden;
  happen("drop");
  return seen && document.querySelector("#curtain").hidden;
}"""


def test_a_photo_may_be_dropped_anywhere(reader: Readers, photos: Photos) -> None:
    page = enter(reader(), new_shopper())
    assert page.evaluate(DROP, page.locator("#masonry img").first.get_attribute("src"))
    page.wait_for_selector("#look[data-phase=found] .find .card")


def test_buy_the_look_of_a_real_photo(reader: Readers) -> None:
    if not CCP.is_dir():
        pytest.skip(f"no photographs in {CCP}")
    page = enter(reader(), new_shopper())
    look_at(page, sorted(CCP.iterdir())[0])


def test_a_file_that_is_no_photo_is_refused_in_words(reader: Readers, tmp_path: Path) -> None:
    somebody = reader()
    page = enter(somebody, new_shopper())
    (tmp_path / "notes.jpg").write_text("no photo")
    (tmp_path / "notes.txt").write_text("no photo")
    for name in ("notes.txt", "notes.jpg"):
        page.click("#open-look")
        page.set_input_files("#look-file", tmp_path / name)
        expect(page.locator("#look-note")).to_have_text(re.compile(".{13,}"))
        assert page.get_attribute("#look", "data-phase") == "empty"
        page.keyboard.press("Escape")
    somebody.forgive("status of 4")


def test_an_upload_appears_on_the_right_wall(reader: Readers, photos: Photos) -> None:
    bella = enter(reader(), new_shopper())
    numbers = florals(photos)
    view(bella, *(photos.drawn[n].product_id for n in numbers if n < STOCKED))
    new = next(photos.drawn[n] for n in numbers if n >= STOCKED)
    bella.click("#open-upload")
    bella.click("#upload-send")
    assert bella.inner_text("#upload-problem") == "It needs a photo."
    bella.set_input_files("#upload-file", photos.folder / f"{new.product_id}.jpg")
    bella.fill("#upload-name", "Meadow in May")
    bella.fill("#upload-price", "49.90")
    bella.click("#upload-send")
    bella.wait_for_selector("#masonry .card:has-text('Meadow in May')")
    bella.wait_for_selector("#items .card:has-text('Meadow in May')")
    loaded(bella, "#items .card[data-product^=upload] img")
    assert "€49.90" in bella.inner_text("#items .card[data-product^=upload]")


def test_what_sells_out_vanishes(reader: Readers, storefront: RunningShop, photos: Photos) -> None:
    page = enter(reader(), new_shopper())
    view(page, photos.drawn[2].product_id)
    gone, removed = wall(page)[:2]
    storefront.products.updated({"id": gone, "availability": "out_of_stock"})
    page.wait_for_selector(card(page, gone, "#items"), state="detached")
    storefront.products.removed(removed)
    page.wait_for_selector(card(page, removed, "#items"), state="detached")
    page.wait_for_selector(card(page, removed), state="detached")
    storefront.products.updated({"id": gone, "availability": "in_stock"})
