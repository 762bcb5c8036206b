"""Dialogs: none is closed by an earlier one, what is typed is kept, and the focus goes back to where it was."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser_windows import CLOSE_AND_CLICK, Windows
from tests.console.browser import go, open_console, shop
from tests.stories.conftest import BotEnvironment

__all__ = ["shop"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def fill_question(page: Page) -> None:
    await page.get_by_role("button", name="添加问答").click()
    await page.get_by_label("问题，每行一种问法").fill("几点开门")
    await page.get_by_label("回答", exact=True).fill("九点")


async def test_slow_save_does_not_close_a_later_dialog(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    await go(page, "knowledge")
    may_end = asyncio.Event()

    async def hold(route: Route) -> None:
        await may_end.wait()
        await route.continue_()

    await page.route("**/console/api/question", hold)
    await fill_question(page)
    await page.get_by_role("button", name="保存", exact=True).click()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="放弃", exact=True).click()
    await page.get_by_role("button", name="添加快捷回复").click()
    name = page.get_by_label("名称，不含空格和 /")
    await name.fill("地址")
    may_end.set()
    await expect(page.get_by_role("button", name="问答 1", exact=True)).to_be_attached()
    await expect(page.get_by_text("已保存")).to_be_visible()
    await expect(name).to_have_value("地址")


async def test_dialog_opened_before_the_close_event_of_another(windows: Windows, shop: BotEnvironment) -> None:
    """Escape closes a dialog at once, but its event comes later."""
    _, page = await open_console(windows, shop)
    await go(page, "groups")
    button = page.get_by_role("button", name="所有群的屏蔽词")
    await button.click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await button.evaluate(CLOSE_AND_CLICK)
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.get_by_role("dialog").get_by_role("button", name="关闭").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(button).to_be_focused()


async def test_escape_pressed_again_and_again_keeps_what_was_typed(windows: Windows, shop: BotEnvironment) -> None:
    """A page cannot prevent that a second Escape closes a dialog."""
    _, page = await open_console(windows, shop)
    await go(page, "knowledge")
    await fill_question(page)
    question = page.get_by_role("dialog", name="放弃没有保存的内容？")
    for _ in range(3):
        await page.keyboard.press("Escape")
        await expect(question).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(question).to_have_count(0)
    await expect(page.get_by_label("回答", exact=True)).to_have_value("九点")
    await page.keyboard.press("Escape")
    await question.get_by_role("button", name="放弃").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_error_is_shown_and_announced_over_a_dialog(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    await go(page, "knowledge")
    windows.refused = "Failed to load resource"
    await page.route("**/console/api/question", lambda route: route.fulfill(status=503, body="{}"), times=1)
    await fill_question(page)
    save = page.get_by_role("button", name="保存", exact=True)
    await save.click()
    dialog = page.get_by_role("dialog", name="添加问答")
    await expect(dialog.get_by_role("status")).to_have_text("出错了（503）")  # what is outside of it is inert
    await save.click()
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_text("已保存")).to_be_visible()
    await expect(page.get_by_role("button", name="添加问答")).to_be_focused()


async def test_going_back_twice_from_unsaved_changes(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    number = next(iter(shop.bot.container.groups)).number
    for name in ("records", "groups", f"groups/{number}"):
        await go(page, name)
    await page.get_by_label("群名").fill("没有保存的名字")
    question = page.get_by_role("dialog", name="放弃没有保存的内容？")
    for expected in ("#/groups", "#/records"):
        await page.evaluate("history.back()")
        await page.wait_for_url(f"**/{expected}")
        await expect(question).to_be_visible()
    await question.get_by_role("button", name="取消").click()
    await expect(question).to_have_count(0)
    assert page.url.endswith(f"#/groups/{number}")
    await expect(page.get_by_label("群名 未保存")).to_have_value("没有保存的名字")
    await page.get_by_role("link", name="对接").click()
    await question.get_by_role("button", name="放弃").click()
    await expect(page.get_by_role("heading", name="对接")).to_be_visible()
    assert page.url.endswith("#/connections")


async def test_preview_of_a_broadcast_keeps_the_focus(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    await go(page, "outreach")
    create = page.get_by_role("button", name="新的群发")
    await create.click()
    await page.get_by_label("内容").fill("明天放假")
    await page.get_by_role("button", name="预览").click()
    await expect(page.get_by_role("button", name="返回修改")).to_be_focused()
    await page.get_by_role("button", name="确认发送").click()
    await expect(page.get_by_role("row").filter(has_text="明天放假")).to_be_visible()
    await expect(create).to_be_focused()


async def test_arrow_key_transfers_no_ticket_without_a_question(windows: Windows, shop: BotEnvironment) -> None:
    """In a closed list the arrow keys choose at once."""
    _, page = await open_console(windows, shop)
    ticket = next(iter(shop.bot.container.tickets))
    await go(page, f"tickets/{ticket.id}")
    await page.get_by_label("转给").focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("dialog")).to_contain_text("把这个工单转给")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_text("无人接待").first).to_be_visible()
    await page.get_by_label("转给").focus()
    await page.keyboard.press("ArrowDown")
    await page.get_by_role("button", name="转交", exact=True).click()
    await expect(page.get_by_text("已转交")).to_be_visible()
    await expect(page.get_by_text("无人接待")).to_have_count(0)
