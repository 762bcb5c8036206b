"""Fields for times: a year of five digits, which browsers accept and JavaScript cannot read."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, expect

from tests.browser_windows import Windows
from tests.console.browser import go, open_console, shop
from tests.stories.conftest import BotEnvironment

__all__ = ["shop"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FIVE_DIGITS = "20266-01-01T00:00"


async def enter(field: Locator, value: str) -> None:
    """Enter a value that Playwright takes for malformed."""
    script = "(field, value) => { field.value = value; field.dispatchEvent(new Event('input', { bubbles: true })); }"
    await field.evaluate(script, value)


async def test_records_since_a_year_of_five_digits(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    await go(page, "records")
    since, none = page.get_by_label("起始时间"), page.get_by_text("没有找到。")
    await since.fill("9999-01-01T00:00")
    await expect(none).to_be_visible()
    await enter(since, FIVE_DIGITS)
    await expect(none).to_have_count(0)
    await expect(page.get_by_role("region", name="操作")).to_be_visible()


async def test_year_has_four_digits_when_it_is_typed(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    await go(page, "records")
    since = page.get_by_label("起始时间")
    await since.fill("2025-01-01T00:00")
    await since.focus()
    await page.keyboard.type("0101202667")
    await expect(since).to_have_value("2026-01-01T06:07")


async def test_broadcast_cannot_be_more_than_a_year_ahead(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    await go(page, "outreach")
    await page.get_by_role("button", name="新的群发").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("内容").fill("明天打烊")
    at, preview = dialog.get_by_label("什么时候"), dialog.get_by_role("button", name="预览")
    for year in (FIVE_DIGITS, "9999-01-01T00:00"):
        await enter(at, year)
        await expect(dialog.get_by_text("只能预约一年以内的时间。")).to_be_visible()
        await expect(preview).to_be_disabled()
    await at.fill("")
    await expect(preview).to_be_enabled()
