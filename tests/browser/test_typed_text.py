"""What somebody types on the page survives changes by others, and no notice covers the page."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, Route, expect

from sandbox.world.world import SONG, XUANFENG, ZHIDUO
from tests.browser.conftest import Chat
from tests.browser_windows import DESKTOP, PHONE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SCREENSHOTS = os.environ.get("WXBOT_SCREENSHOTS", "")


async def tools(chat: Chat) -> Page:
    page = await chat.open(SONG)
    await page.get_by_role("button", name="沙箱", exact=True).click()
    return page


async def change(field: Locator, text: str) -> None:
    await field.fill(text)
    await field.press("Tab")
    await expect(field).to_have_value(text)


async def test_fields_of_a_group_keep_what_is_typed(chat: Chat) -> None:
    """Others change the same field; what was typed is saved when the field is left."""
    group = chat.world.rooms.create(SONG, [XUANFENG, ZHIDUO], "梁山").id
    page, other = await chat.open(SONG, group), await chat.open(SONG, group)
    for tab in (page, other):
        await tab.get_by_role("button", name="聊天详情").click()
    for label in ("群聊名称", "群公告", "我在本群的昵称"):
        field = page.get_by_label(label)
        await field.fill("写到一半")
        await change(other.get_by_label(label), "别人改的")
        await refresh(chat, group, page)
        await expect(field).to_have_value("写到一半")
        await field.press("Tab")
        await refresh(chat, group, other)
        await expect(other.get_by_label(label)).to_have_value("写到一半")
        await change(other.get_by_label(label), "又改了")
        await refresh(chat, group, page)
        await expect(field).to_have_value("又改了")  # it follows again


async def refresh(chat: Chat, group: str, page: Page) -> None:
    """Make the page load the group again, and wait until it has."""
    room = chat.world.state.rooms[group]
    chat.world.rooms.set_confirm(SONG, group, not room.confirm)
    await expect(page.get_by_role("switch", name="群聊邀请确认")).to_be_checked(checked=room.confirm)


async def test_text_typed_while_a_field_is_saved_is_kept(chat: Chat) -> None:
    group = chat.world.rooms.create(SONG, [XUANFENG, ZHIDUO], "梁山").id
    page = await chat.open(SONG, group)
    await page.get_by_role("button", name="聊天详情").click()
    answered = asyncio.Event()

    async def hold(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await page.route("**/rooms/**", hold)
    field = page.get_by_label("群公告")
    await field.fill("第一句")
    async with page.expect_request("**/rooms/**"):
        await field.press("Tab")
    await field.fill("第一句，第二句")
    async with page.expect_response("**/rooms/**"):
        answered.set()
    await refresh(chat, group, page)
    await expect(field).to_have_value("第一句，第二句")
    assert chat.world.state.rooms[group].announcement == "第一句"


async def test_remark_keeps_what_is_typed(chat: Chat) -> None:
    page, other = await chat.open(SONG, XUANFENG), await chat.open(SONG, XUANFENG)
    for tab in (page, other):
        await tab.get_by_role("button", name="聊天详情").click()
        await tab.locator(".drawer .members button").first.click()
    field = page.get_by_label("备注")
    await field.fill("写到一半")
    await change(other.get_by_label("备注"), "别人改的")
    chat.world.people.rename(XUANFENG, "黑旋风李逵")  # the friends are loaded again
    await expect(page.get_by_role("dialog")).to_contain_text("昵称：黑旋风李逵")
    await expect(page.get_by_role("dialog").get_by_role("strong")).to_have_text("别人改的")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("写到一半")
    await field.press("Tab")
    await expect(page.get_by_role("dialog").get_by_role("strong")).to_have_text("写到一半")


async def test_limits_keep_what_is_typed(chat: Chat) -> None:
    page, other = await tools(chat), await tools(chat)
    await other.get_by_role("switch", name="操作过于频繁").check()
    labels = ("每分钟", "这么多人起要对方确认", "群人数上限", "这么多人起不能扫码进群")
    for number, label in enumerate(labels):
        field, other_field = (tab.get_by_role("spinbutton", name=label) for tab in (page, other))
        await field.fill("77")
        await change(other_field, "55")
        await other.get_by_role("switch", name="慢").click()  # arrives after the change
        await expect(page.get_by_role("switch", name="慢")).to_be_checked(checked=number % 2 == 0)
        await expect(field).to_have_value("77")
        await field.press("Tab")
        await expect(other_field).to_have_value("77")
    await page.get_by_role("switch", name="操作过于频繁").uncheck()
    await expect(other.get_by_role("switch", name="操作过于频繁")).not_to_be_checked()
    await expect(page.get_by_role("spinbutton", name="每分钟")).to_have_value("77")


async def test_searches_and_forms_keep_what_is_typed(chat: Chat) -> None:
    """The lists behind them are loaded again at every event, and after a lost connection."""
    page = await chat.open(SONG, XUANFENG)
    fields = [page.get_by_label("输入消息"), page.get_by_label("搜索", exact=True)]
    for field in fields:
        await field.fill("黑")
    chat.windows.refused = "ERR_"
    await chat.running.stop()
    await page.get_by_role("alert").filter(has_text="正在重新连接").wait_for()
    chat.world.chats.say(XUANFENG, SONG, "回来了")
    await chat.start()
    await expect(page.get_by_role("log")).to_contain_text("回来了")
    for field in fields:
        await expect(field).to_have_value("黑")
    await page.get_by_role("button", name="添加朋友或发起群聊").click()
    await page.get_by_role("button", name="发起群聊", exact=True).click()
    await page.get_by_label("群聊名称（可不填）").fill("聚义厅")
    await page.get_by_label("搜索朋友").fill("黑")
    chat.world.people.rename(XUANFENG, "黑旋风李逵")
    await expect(page.get_by_role("dialog")).to_contain_text("黑旋风李逵")
    await expect(page.get_by_label("群聊名称（可不填）")).to_have_value("聚义厅")
    await expect(page.get_by_label("搜索朋友")).to_have_value("黑")


@pytest.mark.parametrize(("name", "size"), [("desktop", DESKTOP), ("phone", PHONE)])
async def test_notice_of_a_lost_connection_covers_nothing(chat: Chat, name: str, size: dict[str, int]) -> None:
    group = chat.world.rooms.create(SONG, [XUANFENG, ZHIDUO], "梁山").id
    page = await chat.windows.page(f"{chat.running.url}/?as={SONG}&chat={group}", size=size)
    await page.locator(".frame[data-live=open]").wait_for()
    chat.windows.refused = "ERR_"
    await chat.running.stop()
    notice = page.get_by_role("alert").filter(has_text="正在重新连接")
    await notice.wait_for()
    await _is_above(page, notice, ".chat-head", f"lost-{name}")
    await page.get_by_role("button", name="聊天详情").click()
    await _is_above(page, notice, ".drawer", f"lost-{name}-details")
    bottom = await page.evaluate("document.querySelector('.composer').getBoundingClientRect().bottom")
    assert bottom <= size["height"]
    await chat.start()
    await expect(notice).to_have_count(0)


async def _is_above(page: Page, notice: Locator, below: str, name: str) -> None:
    if SCREENSHOTS:
        await page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")
    above, box = await notice.bounding_box(), await page.locator(below).bounding_box()
    assert above is not None and box is not None
    assert box["y"] >= above["y"] + above["height"] > 0
    assert above["y"] == 0
