"""Fixtures: the console in a real browser, with content on every page."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from tests.browser_windows import Windows
from tests.console.conftest import SETTINGS, login_link
from tests.stories.conftest import BotEnvironment
from tests.stories.service import known, staff_room

__all__ = ["shop"]

PAGES = ("overview", "tickets", "groups", "knowledge", "outreach", "connections", "records", "settings")
PHONE = {"width": 360, "height": 740}
SCREENSHOTS = os.environ.get("WXBOT_SCREENSHOTS", "")


@pytest_asyncio.fixture(loop_scope="session")
async def shop(tmp_path: Path, windows: Windows) -> AsyncIterator[BotEnvironment]:
    """A bot with groups, a ticket, an unanswered question, and an undeliverable webhook."""
    secret = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
    hooks = [{"name": "订单系统", "url": "http://127.0.0.1:9/hook", "secret": secret}]
    env = await BotEnvironment(tmp_path, **{**SETTINGS, "webhooks": hooks}).open()
    await known(env, staff_room(env))
    for code in ("shop-1", "shop-2", "shop-3"):
        await env.make_group(code)
    env.say("黑旋风", "你们周末营业吗")
    await env.receives("黑旋风", "抱歉")
    env.say("黑旋风", "人工")
    await env.receives("黑旋风", env.bot.config.texts.handoff[:4])
    yield env
    await windows.close()  # a page would log errors after the server has stopped
    await env.close()


async def open_console(
    windows: Windows, env: BotEnvironment, who: str = "店长", **options: Any
) -> tuple[BrowserContext, Page]:
    """Open the console after logging in by a link."""
    context = await windows.context(**options)
    page = await windows.page(env.url + await login_link(env, who), context)
    await page.locator("main[data-live=true]").wait_for()
    return context, page


async def go(page: Page, name: str) -> None:
    """Open a page of the console and wait for its data."""
    await page.evaluate("(to) => { location.hash = to; }", f"#/{name}")
    await page.locator("main h1, main h2").first.wait_for(state="attached")
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)


async def take_screenshot(page: Page, name: str) -> None:
    """Save a screenshot, if requested."""
    if SCREENSHOTS:
        await page.wait_for_timeout(300)
        await page.screenshot(path=f"{SCREENSHOTS}/{name}.png")
