"""What changes while a page of the console is being loaded is shown."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.browser_windows import Windows
from tests.console.browser import shop
from tests.console.conftest import login_link
from tests.stories.conftest import BotEnvironment
from tests.waiting import until

__all__ = ["shop"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_change_before_the_event_stream_is_open(windows: Windows, shop: BotEnvironment) -> None:
    context = await windows.context()
    may_open = asyncio.Event()

    async def hold(route: Route) -> None:
        await may_open.wait()
        await route.continue_()

    await context.route("**/console/api/events*", hold)
    page = await windows.page(shop.url + await login_link(shop, "店长"), context)
    await page.evaluate("location.hash = '#/tickets'")
    await expect(page.get_by_text("黑旋风").first).to_be_visible()
    shop.say("智多星", "人工")
    await until(lambda: len(list(shop.bot.container.tickets)) == 2, "the ticket is open")
    await expect(page.get_by_text("智多星")).to_have_count(0)
    may_open.set()
    await expect(page.get_by_text("智多星").first).to_be_visible()
