"""Fixtures: a browser, people at the sandbox's page, and checks that pages log no errors and load nothing external."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

import sandbox
from sandbox.world.world import World
from tests.waiting import SECONDS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ACCOUNT = "weimi1001"
BOT = f"wxid_{ACCOUNT}"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
MILLISECONDS = SECONDS * 1000  # timeout of page actions
OURS = ("127.0.0.1", "")  # hosts a page may contact; data: and blob: URLs have none


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium on this machine")
        pytest.skip("no Chromium on this machine")
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
        page.on("console", lambda m: self._record_error(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self._record_error(f"{error.name}: {error.message}"))
        page.on(
            "request", lambda r: self._record_error(r.url) if (urlsplit(r.url).hostname or "") not in OURS else None
        )
        await page.goto(url)
        return page

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


class Chat:
    """A sandbox without a bot, and its page."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.world = World.default([ACCOUNT], seed=1)
        self.running: sandbox.Sandbox
        self.port = 0

    async def start(self) -> None:
        """Start the sandbox; later calls use the same port."""
        self.running = await sandbox.start([ACCOUNT], port=self.port, world=self.world)
        self.port = int(self.running.url.rpartition(":")[2])

    async def open(self, who: str, chat: str = "", context: BrowserContext | None = None, **options: Any) -> Page:
        """Open the page as a person, with one of their chats."""
        query = f"/?as={who}" + (f"&chat={chat}" if chat else "")
        page = await self.windows.page(self.running.url + query, context, **options)
        await expect(page.get_by_role("navigation")).to_be_attached()
        await page.locator(".frame[data-live=open]").wait_for()
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def chat(windows: Windows) -> AsyncIterator[Chat]:
    chat = Chat(windows)
    await chat.start()
    yield chat
    await windows.close()  # before the sandbox, whose end would cause errors
    await chat.running.stop()
