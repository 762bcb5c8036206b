"""Fixtures: people at the sandbox's page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

import sandbox
from sandbox.world.world import World
from tests.browser_windows import Windows

ACCOUNT = "weimi1001"
BOT = f"wxid_{ACCOUNT}"


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

    async def open(self, person: str, chat: str = "", context: BrowserContext | None = None, **options: Any) -> Page:
        """Open the page as a person, with one of their chats."""
        query = f"/?as={person}" + (f"&chat={chat}" if chat else "")
        page = await self.windows.page(self.running.url + query, context, **options)
        await expect(page.get_by_role("navigation")).to_be_attached()
        await page.locator(".frame[data-live=open]").wait_for()
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def chat(windows: Windows) -> AsyncIterator[Chat]:
    chat = Chat(windows)
    await chat.start()
    yield chat
    await windows.close()  # before the sandbox, because its stop would cause errors
    await chat.running.stop()
