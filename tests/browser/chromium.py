"""Chromium for tests: found or skipped visibly, and watched for what no page of ours may do."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WITHIN_MS = 20_000
expect.set_options(timeout=WITHIN_MS)


def find_chromium() -> str:
    """The path of a Chromium; without one the test is skipped, or fails where one is required."""
    named = os.environ.get("LOOKSTREAM_TEST_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    if found and Path(found).exists():
        return found
    reason = f"no Chromium: {named or ', '.join(NAMES)} not found; LOOKSTREAM_TEST_CHROMIUM names one"
    if os.environ.get("LOOKSTREAM_TEST_BROWSER_REQUIRED") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def running_chromium() -> Iterator[Browser]:
    """A headless Chromium; its event loop ends with it, other tests run their own."""
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


class Reader:
    """Somebody with a browser of their own at one origin; what goes wrong in it is kept. Motion is spared."""

    def __init__(self, browser: Browser, origin: str, **like: object) -> None:
        self.origin = origin
        self.wrong: list[str] = []
        self.foreign: list[str] = []
        settings = {"reduced_motion": "reduce"} | like
        self.context: BrowserContext = browser.new_context(**settings)  # type: ignore[arg-type]
        self.context.set_default_timeout(WITHIN_MS)

    def open(self, path: str = "/") -> Page:
        """A new tab."""
        page = self.context.new_page()
        page.on("console", lambda said: self._said(said.type, said.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self._request(request.url))
        page.goto(self.origin + path)
        return page

    def _said(self, kind: str, text: str) -> None:
        if kind == "error":
            self.wrong.append(text)

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.foreign.append(url)

    def forgive(self, words: str) -> None:
        """Forget errors that a test brought about: those with these words in them."""
        self.wrong = [text for text in self.wrong if words not in text]

    def check(self) -> None:
        """Nothing went wrong, and nothing was asked of anybody else."""
        assert not self.wrong, self.wrong
        assert not self.foreign, self.foreign
