"""The storefront for everybody: without a mouse, on a phone, in the dark, read aloud, without motion."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import Reader
from drawn_photos import Photos
from playwright.sync_api import Page, expect
from shopping import ANSWERED, card, enter, new_shopper, view, wall

pytestmark = [pytest.mark.browser, pytest.mark.broker]

Readers = Callable[..., Reader]
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def focused(page: Page, what: str) -> Any:
    """A property of what has the focus."""
    return page.evaluate(f"() => document.activeElement.{what}")


def focused_product(page: Page) -> str:
    found: str = page.evaluate("() => document.activeElement.closest('.card')?.dataset.product ?? ''")
    return found


def press_until(page: Page, key: str, selector: str) -> None:
    """Press a key until something has the focus; it may take as often as there are things before it."""
    for _ in range(40):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(
        f"{key} never reached {selector}; the focus is on {focused(page, 'outerHTML')[:200]}"
    )


def test_shopping_without_a_mouse(reader: Readers) -> None:
    page = enter(reader(**DESKTOP), new_shopper())
    page.keyboard.press("Tab")
    assert focused(page, "textContent") == "Skip to the recommendations"
    press_until(page, "Tab", "#masonry .shot")
    expect(page.locator(".keys")).to_be_visible()
    first = focused_product(page)
    page.keyboard.press("ArrowRight")
    second = focused_product(page)
    assert second != first
    page.keyboard.press("ArrowDown")
    assert focused_product(page) not in (first, second)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{card(page, focused_product(page))}.viewed")
    page.wait_for_selector(ANSWERED)
    page.wait_for_selector("#items .why b")
    page.keyboard.press("c")
    page.wait_for_selector(f"{card(page, focused_product(page))} .deed.cart[aria-pressed=true]")
    dismissed = focused_product(page)
    page.keyboard.press("x")
    page.wait_for_selector(card(page, dismissed), state="detached")
    assert focused_product(page) not in ("", dismissed)
    page.wait_for_selector(ANSWERED)
    press_until(page, "Tab", "#items .shot")
    page.keyboard.press("End")
    assert focused_product(page) == wall(page)[-1]
    page.keyboard.press("l")
    page.wait_for_selector("#look[data-phase=found] .find .card")
    press_until(page, "Tab", ".find .shot")
    page.keyboard.press("Escape")
    page.wait_for_selector("#look:not([open])", state="attached")
    assert focused_product(page) == wall(page)[-1]


def test_choosing_a_shopper_without_a_mouse(reader: Readers) -> None:
    page = enter(reader(**DESKTOP), "alice")
    press_until(page, "Tab", "#who-alice")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#wall-name")).to_have_text("Bella")
    press_until(page, "Tab", "#who-new")
    page.keyboard.press("Enter")
    expect(page.locator("#wall-name")).to_have_text("You")
    page.wait_for_selector("#items .card")
    assert "shopper=new-" in page.url


def test_shopping_on_a_phone(reader: Readers, photos: Photos) -> None:
    page = enter(reader(**PHONE, reduced_motion="no-preference"), new_shopper())
    expect(page.locator("#wall")).to_be_hidden()
    page.tap(f"{card(page, photos.drawn[7].product_id)} .shot")
    page.wait_for_selector(ANSWERED, state="attached")
    expect(page.locator(".notice")).to_have_text(re.compile(r"Your wall moved in \d+ ms"))
    expect(page.locator("#badge")).to_be_visible()
    page.tap(".notice button")
    expect(page.locator("#wall")).to_be_visible()
    expect(page.locator("#masonry")).to_be_hidden()
    page.wait_for_selector(f"#items .why:has-text('{photos.drawn[7].title}')")
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    page.tap("#tab-shop")
    expect(page.locator("#masonry")).to_be_visible()


def serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(
    reader: Readers, photos: Photos, device: dict[str, Any], scheme: str
) -> None:
    page = enter(reader(**device, color_scheme=scheme), new_shopper())
    on_phone = device is PHONE
    view(page, photos.drawn[0].product_id, photos.drawn[1].product_id)
    page.hover(card(page, photos.drawn[2].product_id))
    found = {}
    if on_phone:  # elsewhere both are seen at once
        found["shop"] = serious(page)
        page.tap("#tab-wall")
    page.wait_for_selector("#clusters .cluster")
    found["wall"] = serious(page)
    page.click("#tab-look" if on_phone else "#open-look")
    found["drop"] = serious(page)
    page.set_input_files("#look-file", photos.folder / f"{photos.drawn[1].product_id}.jpg")
    page.wait_for_selector(".find .card")
    found["look"] = serious(page)
    page.keyboard.press("Escape")
    page.click("#open-upload")
    page.click("#upload-send")
    page.wait_for_selector("#upload-problem:not(:empty)")
    found["upload"] = serious(page)
    assert {where: what for where, what in found.items() if what} == {}


def test_without_motion_nothing_moves(reader: Readers, photos: Photos) -> None:
    page = enter(reader(**DESKTOP), new_shopper())
    page.evaluate("() => { Element.prototype.animate = () => { throw new Error('it moves'); }; }")
    view(page, photos.drawn[0].product_id)
    page.wait_for_selector("#items .why b")
    assert page.evaluate("() => document.getAnimations().length") == 0


def test_every_photo_has_words(reader: Readers, photos: Photos) -> None:
    page = enter(reader(**DESKTOP), new_shopper())
    view(page, photos.drawn[0].product_id)
    page.wait_for_selector("#clusters .exemplar img")
    alone = "img:not([alt]), .shot img[alt=''], .exemplar img[alt='']"
    assert page.locator(alone).count() == 0
    assert page.locator("#masonry .shot img").first.get_attribute("alt")


def test_without_a_demo_the_catalogue_is_still_there(reader: Readers) -> None:
    somebody = reader(**DESKTOP)
    somebody.context.route("**/v1/demo", lambda route: route.fulfill(status=404, json={"status": 404}))
    page = somebody.open()
    page.wait_for_selector("#masonry .card")
    expect(page.locator("#nothing")).to_contain_text("does not run the demo")
    page.locator("#masonry .shot").first.click()
    expect(page.locator(".notice")).to_contain_text("Nobody shops here")
    somebody.forgive("status of 404")
