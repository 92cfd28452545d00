"""What the browser tests do in the storefront, in the shopper's words."""

from __future__ import annotations

from uuid import uuid4

from chromium import Reader
from playwright.sync_api import Page

ANSWERED = "#pulse:not(.waiting)"
LIVE = "#line[data-state=live]"


def new_shopper() -> str:
    """An id that the storefront takes for a new shopper's."""
    return f"new-{uuid4().hex[:10]}"


def enter(reader: Reader, user_id: str) -> Page:
    """Open the storefront as a shopper, and wait until its wall and its catalogue are there."""
    page = reader.open(f"/?shopper={user_id}")
    page.wait_for_selector(LIVE, state="attached")  # on a phone the wall is behind a tab
    page.wait_for_selector("#items .card", state="attached")
    page.wait_for_selector("#masonry .card")
    return page


def card(page: Page, product_id: str, where: str = "#masonry") -> str:
    """The selector of a product's card."""
    return f'{where} [data-product="{product_id}"]'


def view(page: Page, *product_ids: str) -> None:
    """Click on products in the catalogue, one after the other, each until a set answers it."""
    for product_id in product_ids:
        page.click(f"{card(page, product_id)} .shot")
        page.wait_for_selector(f"{card(page, product_id)}.viewed")
        page.wait_for_selector(ANSWERED, state="attached")


def wall(page: Page) -> list[str]:
    """Ids of the products on the wall, in order."""
    ids: list[str] = page.eval_on_selector_all("#items .card", "cards => cards.map(c => c.dataset.product)")
    return ids


def reasons(page: Page) -> set[str]:
    """Titles of the products that the wall gives as reasons."""
    return set(page.locator("#items .why b").all_inner_texts())


def loaded(page: Page, selector: str) -> None:
    """Wait until a picture is there."""
    page.wait_for_function("s => document.querySelector(s)?.naturalWidth > 0", arg=selector)
