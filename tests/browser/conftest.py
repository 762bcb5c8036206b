"""One browser for all tests here, people at the sandbox's page, and what no page may do: complain, or go elsewhere."""

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
PATIENCE = 15_000  # milliseconds a person at the page waits; far more than anything takes on an idle machine
OURS = ("127.0.0.1", "")  # hosts a page may ask; data: and blob: have none


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium on this machine")
        pytest.skip("no Chromium on this machine")
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        await browser.close()


class Windows:
    """Browser windows, and everything their pages complained of or asked of somebody else."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.complaints: list[str] = []
        self.refused = ""  # what a story is about to be refused: the browser's own word about it is no complaint
        self._stack = AsyncExitStack()

    async def context(self, *, size: dict[str, int] | None = None, **more: Any) -> BrowserContext:
        """A window of its own: no cookies, no cache, no clipboard shared with another."""
        options = {"viewport": size or DESKTOP, "locale": "zh-CN", "timezone_id": "Asia/Shanghai", **more}
        context = await self.browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        self._stack.push_async_callback(context.close)
        return context

    async def page(self, url: str, context: BrowserContext | None = None, **options: Any) -> Page:
        """A watched page at a url, in a new window unless one is given."""
        page = await (context or await self.context(**options)).new_page()
        page.on("console", lambda m: self._complain(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self._complain(f"{error.name}: {error.message}"))
        page.on("request", lambda r: self._complain(r.url) if (urlsplit(r.url).hostname or "") not in OURS else None)
        await page.goto(url)
        return page

    def _complain(self, text: str) -> None:
        if not (self.refused and self.refused in text):
            self.complaints.append(text)

    async def close(self) -> None:
        """Close all of them; no page may have complained. Twice does nothing."""
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
        """Serve the world; again on the same port."""
        self.running = await sandbox.start([ACCOUNT], port=self.port, world=self.world)
        self.port = int(self.running.url.rpartition(":")[2])

    async def open(self, who: str, chat: str = "", context: BrowserContext | None = None, **options: Any) -> Page:
        """The page as one person, with one of their chats open; ready to be used."""
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
    await windows.close()  # before the sandbox, whose end they would complain of
    await chat.running.stop()
