"""The notices at the bottom of the window: they cover nothing that an agent needs."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser_windows import DESKTOP, Windows
from tests.console.browser import PHONE, go, open_console, shop
from tests.stories.conftest import BotEnvironment

__all__ = ["shop"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AWAY: Any = {
    "status": {"waiting": 1, "away": [{"account": "weimi1001", "since": "2026-01-01T00:00:00Z", "long": True}]}
}
COVERED = """(element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return document.elementFromPoint(left + width / 2, top + height / 2)?.closest(".notices") !== null;
}"""


async def open_while_away(windows: Windows, env: BotEnvironment, size: dict[str, int]) -> Page:
    """Open the console while an assistant has been offline for long."""
    _, page = await open_console(windows, env, size=size)
    await page.route("**/console/api/status", lambda route: route.fulfill(json=AWAY))
    await page.reload()
    await expect(page.get_by_text("weimi1001 已离线")).to_be_visible()
    return page


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_notices_do_not_cover_the_reply_form(
    windows: Windows, shop: BotEnvironment, size: dict[str, int]
) -> None:
    page = await open_while_away(windows, shop, size)
    ticket = min(ticket.id or 0 for ticket in shop.bot.container.tickets)
    await go(page, f"tickets/{ticket}")
    form = page.locator(".reply-form")
    await expect(form.get_by_label("快捷回复")).to_be_visible()
    for control in await form.locator("textarea, label, select, button").all():
        assert not await control.evaluate(COVERED), await control.inner_text()
    await expect(page.get_by_text("weimi1001 已离线")).to_be_in_viewport(ratio=1)
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")


async def test_menu_of_a_phone_covers_notices(windows: Windows, shop: BotEnvironment) -> None:
    page = await open_while_away(windows, shop, PHONE)
    await page.get_by_role("button", name="更多").click()
    for entry in await page.get_by_role("navigation").locator("a, button").all():
        assert not await entry.evaluate(COVERED), await entry.inner_text()


async def test_end_of_a_page_can_be_scrolled_above_notices(windows: Windows, shop: BotEnvironment) -> None:
    page = await open_while_away(windows, shop, PHONE)
    await go(page, "groups")
    last = page.get_by_role("region", name="群").locator("tr").last
    await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    notices, row = await page.locator(".notices").bounding_box(), await last.bounding_box()
    assert notices and row and row["y"] + row["height"] <= notices["y"]
