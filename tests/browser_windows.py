"""Fixtures: one browser for the tests of a process, and windows that check that pages log no errors."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.waiting import SECONDS

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

# The headless shell comes first because it needs a third less CPU.
NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM: Final = next(filter(None, map(shutil.which, NAMES)), None)
PLAIN_HOST: Final = "plain.test"  # a name of this machine for which a browser wants https
SWITCHES: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
MILLISECONDS = SECONDS * 1000  # timeout of page actions
# Closes the open dialog as Escape does, and clicks before its event; ends after that.
CLOSE_AND_CLICK = """(button) => new Promise((resolve) => {
    const dialog = document.querySelector("dialog");
    dialog.addEventListener("close", () => setTimeout(resolve));
    dialog.close();
    button.click();
})"""
OURS = ("127.0.0.1", "")  # hosts a page may contact; data: and blob: URLs have none


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium on this machine")
        pytest.skip("no Chromium on this machine")
    from playwright.async_api import async_playwright, expect  # here, since few tests need them

    expect.set_options(timeout=MILLISECONDS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        await browser.close()


class Windows:
    """Browser windows, with the errors and external requests of their pages."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.complaints: list[str] = []
        self.refused = ""  # an expected error response, whose console message is ignored
        self._stack = AsyncExitStack()

    async def context(self, *, size: dict[str, int] | None = None, **more: Any) -> BrowserContext:
        """Open a window with its own cookies, cache and clipboard."""
        options = {"viewport": size or DESKTOP, "locale": "zh-CN", "timezone_id": "Asia/Shanghai", **more}
        context = await self.browser.new_context(**options)
        context.set_default_timeout(MILLISECONDS)
        self._stack.push_async_callback(context.close)
        return context

    async def page(self, url: str, context: BrowserContext | None = None, **options: Any) -> Page:
        """Open a monitored page, by default in a new window."""
        page = await (context or await self.context(**options)).new_page()
        page.on("console", self._record_warning)
        page.on("pageerror", lambda error: self._record_error(f"{error.name}: {error.message}"))
        page.on(
            "request", lambda r: self._record_error(r.url) if (urlsplit(r.url).hostname or "") not in OURS else None
        )
        await page.goto(url)
        return page

    def _record_warning(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._record_error(f"{message.text} {message.location['url']}")

    def _record_error(self, text: str) -> None:
        if not (self.refused and self.refused in text):
            self.complaints.append(text)

    async def close(self) -> None:
        """Close all windows and check that no page logged an error. Idempotent."""
        await self._stack.aclose()
        assert self.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def windows(browser: Browser) -> AsyncIterator[Windows]:
    windows = Windows(browser)
    yield windows
    await windows.close()
