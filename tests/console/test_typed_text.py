"""What is typed on a ticket's page survives changes by others, and the time an answer takes to be sent."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.browser_windows import Windows
from tests.console.browser import go, open_console, shop
from tests.stories.conftest import BotEnvironment

__all__ = ["shop"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_fields_of_a_ticket_keep_what_is_typed(windows: Windows, shop: BotEnvironment) -> None:
    (_, page), (_, other) = await open_console(windows, shop), await open_console(windows, shop, "宋公明")
    ticket = next(iter(shop.bot.container.tickets)).id
    for one in (page, other):
        await go(one, f"tickets/{ticket}")
    await page.get_by_label("备注名").fill("写到一半")
    await page.get_by_label("回复", exact=True).fill("您好，")
    await other.get_by_label("备注名").fill("老客户")
    await other.get_by_role("button", name="保存备注名").click()
    await expect(other.get_by_role("button", name="保存备注名")).to_be_disabled()
    shop.say("黑旋风", "还在吗")
    await expect(page.get_by_role("log")).to_contain_text("还在吗")
    await expect(page.get_by_label("备注名 未保存")).to_have_value("写到一半")
    await expect(page.get_by_label("回复", exact=True)).to_have_value("您好，")
    await page.get_by_role("button", name="保存备注名").click()
    await expect(page.get_by_role("button", name="保存备注名")).to_be_disabled()
    await expect(page.get_by_label("备注名", exact=True)).to_have_value("写到一半")


async def test_text_typed_while_an_answer_is_sent_is_kept(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    await go(page, f"tickets/{next(iter(shop.bot.container.tickets)).id}")
    answered = asyncio.Event()

    async def hold(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await page.route("**/reply", hold)
    field = page.get_by_label("回复", exact=True)
    await field.fill("第一句")
    async with page.expect_request("**/reply"):
        await page.get_by_role("button", name="发送", exact=True).click()
    await field.press_sequentially("第二句")
    answered.set()
    await expect(page.get_by_role("log")).to_contain_text("第一句")
    await expect(field).to_have_value("第二句")
