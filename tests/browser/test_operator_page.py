"""The operator's page in a real browser: figures, dead letters sent back, the map by keyboard, for all."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import Reader
from drawn_photos import Photos
from playwright.sync_api import Page, expect
from running_shop import RunningShop, somebody

from streams import topology

pytestmark = [pytest.mark.browser, pytest.mark.broker]

Readers = Callable[..., Reader]
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def opened(reader: Reader) -> Page:
    """The page once it shows everything."""
    page = reader.open("/operator")
    page.wait_for_selector("#map svg circle.part-whole", state="attached")
    expect(page.locator("#line")).to_have_attribute("data-state", "live")
    return page


def test_it_shows_how_the_shop_is_doing(reader: Readers, storefront: RunningShop, photos: Photos) -> None:
    storefront.answered("product.viewed", somebody(), photos.drawn[0].product_id)
    page = opened(reader(**DESKTOP))
    agents = page.locator("#agents tbody tr")
    expect(agents).to_have_count(len(topology.AGENTS))
    expect(agents.first).to_contain_text("index-garments")
    expect(page.locator("#agents .state.good")).to_have_count(len(topology.AGENTS))
    expect(page.locator("#flow li")).to_have_count(len(topology.TOPICS))
    expect(page.locator("#latency figure")).to_have_count(3)
    expect(page.locator("#stages figure")).to_have_count(6)
    label = page.locator("#latency svg").first.get_attribute("aria-label") or ""
    assert re.fullmatch(r"Event to recommendation: median .* of \d+", label)
    expect(page.locator("#model")).to_contain_text("embedder lite0")
    expect(page.locator("#tiles div", has_text="products").locator("dd")).not_to_have_text("0")
    expect(page.locator("#problems li")).to_have_count(0)


def test_every_chart_has_a_table_behind_it(reader: Readers) -> None:
    page = opened(reader(**DESKTOP))
    for summary in page.locator(".behind summary").all():
        summary.press("Enter")
    expect(page.locator("#flow-table tbody tr")).to_have_count(len(topology.TOPICS))
    expect(page.locator("#latency-table tbody tr")).to_have_count(9)
    dots = page.locator("#map g circle").count()
    expect(page.locator("#map-table tbody tr")).to_have_count(dots)


def test_a_dead_letter_is_sent_back(reader: Readers, storefront: RunningShop, photos: Photos) -> None:
    product_id, name = somebody("late"), f"late-{uuid4().hex}.jpg"
    storefront.products.uploaded({"id": product_id, "image_link": name}).result(30)
    storefront.observer.wait("its dead letter", lambda: storefront.observer.dead_of(product_id))
    page = opened(reader(**DESKTOP))
    letter = page.locator("#letters-list li", has_text=product_id)
    expect(letter).to_contain_text("UnusablePhotoError")
    letter.locator("summary").press("Enter")
    expect(letter.locator("pre")).to_contain_text(f'"id":"{product_id}"')
    (photos.folder / name).write_bytes(photos.bytes_of(0))
    letter.get_by_role("button", name="Replay").press("Enter")
    expect(letter.locator(".outcome.good")).to_contain_text("Replayed as product-events")
    expect(page.locator("#letters-said")).to_contain_text("Replayed as product-events")
    storefront.observer.wait("searchable", lambda: product_id in storefront.observer.indexed())


def test_what_is_in_a_letter_is_text(reader: Readers, storefront: RunningShop) -> None:
    key = "<img src=x onerror=alert(1)>"
    storefront.send("interactions", key, b"<script>alert(2)</script>")
    storefront.observer.wait("its dead letter", lambda: storefront.observer.dead_of(key))
    page = opened(reader(**DESKTOP))
    letter = page.locator("#letters-list li", has_text="onerror").first
    expect(letter.locator(".key")).to_have_text(key)
    assert letter.locator("pre").text_content() == "<script>alert(2)</script>"


def test_the_map_without_a_mouse(reader: Readers) -> None:
    page = opened(reader(**DESKTOP))
    chart = page.locator("#map svg")
    chart.focus()
    expect(page.locator(".peek")).to_be_visible()
    first = page.locator("#map [role=status]").text_content()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        chart.press(key)
    chart.press("ArrowRight")
    said = page.locator("#map [role=status]")
    expect(said).not_to_have_text("")
    picture = page.locator(".peek img")
    expect(picture).to_have_attribute("src", re.compile(r"^/media/.*\?w=160$"))
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("one => one.naturalWidth") > 0
    assert first
    chart.press("Escape")
    expect(page.locator(".peek")).to_be_hidden()
    page.get_by_label("Whole looks").press("Space")
    expect(page.locator("#map g circle.part-whole")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("like", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_is_for_everybody(reader: Readers, like: dict[str, object], scheme: str) -> None:
    page = opened(reader(**like, color_scheme=scheme, reduced_motion="reduce"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for summary in page.locator("details > summary").all():
        summary.press("Enter")
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert serious == [], [(one["id"], one["nodes"][0]["html"]) for one in serious]


def test_outside_the_demo_it_asks_for_a_token(reader: Readers, storefront: RunningShop) -> None:
    operator = reader(**DESKTOP)
    operator.context.route("**/v1/demo", lambda route: route.fulfill(status=404, json={"status": 404}))
    page = operator.open("/operator")
    field = page.get_by_label("Token")
    expect(field).to_be_focused()
    expect(page.locator("#board")).to_be_hidden()
    field.fill("no.such.token")
    field.press("Enter")
    expect(page.locator("#token-refused")).to_contain_text("not valid")
    printed = storefront.run("token", "--scope", "operate")
    assert printed.returncode == 0, printed.stderr
    field.fill(printed.stdout.strip())
    field.press("Enter")
    expect(page.locator("#board")).to_be_visible()
    page.reload()
    expect(page.locator("#board")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).length") == 0
    operator.forgive("Failed to load resource")
