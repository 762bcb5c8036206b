"""The sandbox's switches on the page: logins, faults, limits, and the trace."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from playwright.async_api import Page, expect

from sandbox.world.model import Refused
from sandbox.world.world import SONG, XUANFENG
from tests.browser.conftest import ACCOUNT, BOT, Chat
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def tools(chat: Chat) -> Page:
    page = await chat.open(SONG)
    await page.get_by_role("button", name="沙箱", exact=True).click()
    return page


async def test_assistant_logs_out_and_in(chat: Chat) -> None:
    page, other = await tools(chat), await tools(chat)
    await page.get_by_role("switch", name="登录").uncheck()
    await expect(other.get_by_role("switch", name="登录")).not_to_be_checked()
    assert not chat.world.accounts.get(ACCOUNT).online
    await other.get_by_role("switch", name="登录").check()
    await expect(page.get_by_role("switch", name="登录")).to_be_checked()
    assert chat.world.accounts.get(ACCOUNT).online


async def test_events_are_delayed_duplicated_and_dropped(chat: Chat) -> None:
    page, other = await tools(chat), await tools(chat)
    for name in ("慢", "重复", "丢失"):
        await page.get_by_role("switch", name=name).check()
        await expect(other.get_by_role("switch", name=name)).to_be_checked()
    assert asdict(chat.world.faults.events["*"]) == {"twice": 1.0, "late": 1.0, "late_ms": 3000.0, "lost": 0.5}
    await page.get_by_role("switch", name="重复").uncheck()
    await expect(other.get_by_role("switch", name="重复")).not_to_be_checked()
    assert chat.world.faults.events["*"].twice == 0
    await page.get_by_role("button", name="一切恢复正常").click()
    await expect(other.get_by_role("switch", name="慢")).not_to_be_checked()
    assert chat.world.faults.events == {}


async def test_rate_limit_is_enforced(chat: Chat) -> None:
    page = await tools(chat)
    await page.get_by_label("每分钟", exact=True).fill("2")
    await page.get_by_role("switch", name="操作过于频繁").check()
    await until(lambda: "message" in chat.world.limits.to_json(), "the limit is set")
    chat.world.limits.take(ACCOUNT, "message")
    chat.world.limits.take(ACCOUNT, "message")
    with pytest.raises(Refused, match="操作过于频繁"):
        chat.world.limits.take(ACCOUNT, "message")
    chat.windows.refused = "status of 400"
    times = page.get_by_label("每分钟", exact=True)
    for wrong in ("-3", ""):
        await times.fill(wrong)
        await times.press("Tab")
        if wrong:
            await expect(page.get_by_role("alert").filter(has_text="次数不能为负")).to_be_visible()
        await expect(times).to_have_value("2")
    await page.get_by_role("switch", name="操作过于频繁").uncheck()
    await until(lambda: "message" not in chat.world.limits.to_json(), "the limit is removed")
    chat.world.limits.take(ACCOUNT, "message")


@pytest.mark.parametrize(("shown", "effect"), [("失败", "fail"), ("不回应", "hang"), ("做了，但答复断了", "lose")])
async def test_calls_fail_hang_or_lose_their_response(chat: Chat, shown: str, effect: str) -> None:
    page = await tools(chat)
    await page.get_by_label("调用").select_option("建群")
    await page.get_by_label("结果").select_option(shown)
    await page.get_by_label("次数").fill("2")
    await page.get_by_role("button", name="加上").click()
    faults = page.get_by_role("list", name="现在的故障").get_by_role("listitem")
    await expect(faults).to_have_text([f"建群：{shown}还有 2 次"])
    fault = chat.world.faults.calls[0]
    assert (fault.method, fault.effect, fault.count) == ("RoomCreate", effect, 2)
    await page.get_by_role("button", name="一切恢复正常").click()
    await expect(faults).to_have_count(0)
    assert chat.world.faults.calls == []


async def test_group_limits_are_edited(chat: Chat) -> None:
    """A value is saved on blur; a rejected one is reset; a value being edited is not overwritten."""
    chat.windows.refused = "status of 400"
    page, other = await tools(chat), await tools(chat)
    limit = page.get_by_label("群人数上限")
    await limit.fill("5")
    await limit.press("Tab")
    await expect(other.get_by_label("群人数上限")).to_have_value("5")
    assert chat.world.rules.capacity == 5
    await limit.fill("2")
    await other.get_by_role("switch", name="慢").check()
    await expect(page.get_by_role("switch", name="慢")).to_be_checked()
    await expect(limit).to_have_value("2")
    await limit.press("Tab")
    await expect(page.get_by_role("alert").filter(has_text="至少为 3")).to_be_visible()
    await expect(limit).to_have_value("5")
    assert chat.world.rules.capacity == 5


async def test_trace_is_live(chat: Chat) -> None:
    page = await chat.open(SONG, BOT)
    chat.world.chats.say(SONG, BOT, "在它打开以前")
    await page.get_by_role("button", name="机器人").click()
    trace = page.get_by_role("list", name="经过").get_by_role("listitem")
    await expect(trace.filter(has_text="在它打开以前")).to_contain_text("听到消息")
    await expect(page.get_by_label("机器人听到和调用的")).to_contain_text("没有机器人连接")
    chat.world.faults.event("message", lost=1.0)
    leave = chat.world.accounts.subscribe(ACCOUNT, lambda event, payload, delay: None)
    await expect(page.get_by_label("机器人听到和调用的")).to_contain_text("已连接")
    chat.world.chats.say(SONG, BOT, "这句它听不到")
    await expect(trace.filter(has_text="这句它听不到")).to_contain_text("丢失")
    chat.world.trace.add(ACCOUNT, chat.world.clock(), "call", "Version", request={}, outcome="ok", ms=1.0)
    call = {"conversationId": BOT, "text": "您好"}
    chat.world.trace.add(ACCOUNT, chat.world.clock(), "call", "MessageSendText", request=call, outcome="ok", ms=2.0)
    await expect(trace.filter(has_text="发文字")).to_contain_text("您好")
    await expect(trace.filter(has_text="Version")).to_have_count(0)
    await page.get_by_label("也显示心跳和读取").check()
    await expect(trace.filter(has_text="Version")).to_have_count(1)
    await trace.filter(has_text="发文字").locator("summary").click()
    await expect(trace.locator("pre").filter(has_text='"text": "您好"')).to_be_visible()
    leave()
    await expect(page.get_by_label("机器人听到和调用的")).to_contain_text("没有机器人连接")


async def test_trace_hides_private_texts_of_others(chat: Chat) -> None:
    """The trace shows texts only of messages that the person can see."""
    page = await chat.open(SONG)
    await page.get_by_role("button", name="机器人").click()
    chat.world.chats.say(XUANFENG, BOT, "只对助手说")
    await expect(page.get_by_role("list", name="经过").get_by_role("listitem")).not_to_have_count(0)
    await expect(page.locator("body")).not_to_contain_text("只对助手说")
