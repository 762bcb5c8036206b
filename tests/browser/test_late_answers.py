"""Answers that arrive late or in another order on the sandbox's page, and what happens meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from sandbox.world.world import SONG, XUANFENG, ZHIDUO
from tests.browser.conftest import ACCOUNT, BOT, Chat
from tests.browser.held import earlier_answers, hold_answer, hold_request
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
CHATS = f"**/api/people/{SONG}/chats"
TOKEN = "NTkxNjkwNzE4RDY2"


def rename_groups(answer: Any) -> None:
    """Mark an answer with the list of chats, so that the page shows when it has used it."""
    for line in answer["chats"]:
        if line["room"]:
            line["name"] = "迟到的列表"


async def test_message_that_arrives_while_its_chat_is_loaded(chat: Chat) -> None:
    chat.world.chats.say(XUANFENG, SONG, "早来的")
    page = await chat.open(SONG)
    held = await hold_answer(page, f"{CHATS}/{XUANFENG}/messages*")
    line = page.get_by_role("button", name="黑旋风").first
    await line.click()
    await held.arrived()
    chat.world.chats.say(XUANFENG, SONG, "刚来的")
    await expect(line).to_contain_text("刚来的")
    await held.release()
    await expect(page.get_by_role("article")).to_have_text(["早来的", "刚来的"])


async def test_list_that_is_older_than_reading_a_chat(chat: Chat) -> None:
    """The answer still counts the messages as unread."""
    chat.world.rooms.create(SONG, [XUANFENG, ZHIDUO], "梁山")
    chat.world.chats.say(XUANFENG, SONG, "哥哥")
    page = await chat.open(SONG)
    line = page.locator(".line").filter(has_text="哥哥")
    await expect(line.get_by_label("1 条未读")).to_be_visible()
    held = await hold_answer(page, CHATS)
    chat.world.people.rename(ZHIDUO, "吴用")  # the page loads the list
    await held.arrived()
    await line.click()
    await expect(line.get_by_label("1 条未读")).to_have_count(0)
    await held.release(rename_groups)
    await expect(page.locator(".line").filter(has_text="迟到的列表")).to_be_visible()
    await expect(line.get_by_label("1 条未读")).to_have_count(0)


async def test_list_that_is_older_than_a_new_chat(chat: Chat) -> None:
    chat.world.rooms.create(SONG, [XUANFENG, ZHIDUO], "梁山")
    page = await chat.open(SONG)
    held = await hold_answer(page, CHATS)
    chat.world.people.rename(ZHIDUO, "吴用")  # the page loads the list
    await held.arrived()
    chat.world.chats.say(XUANFENG, SONG, "第一句话")
    line = page.locator(".line").filter(has_text="第一句话")
    await expect(line).to_be_visible()
    await held.release(rename_groups)
    await expect(page.locator(".line").filter(has_text="迟到的列表")).to_be_visible()
    await expect(line).to_be_visible()


async def test_list_that_is_older_than_a_removal_from_a_group(chat: Chat) -> None:
    left = chat.world.rooms.create(XUANFENG, [SONG, ZHIDUO], "二龙山").id
    chat.world.rooms.create(SONG, [XUANFENG, ZHIDUO], "梁山")
    page = await chat.open(SONG)
    held = await hold_answer(page, CHATS)
    chat.world.people.rename(ZHIDUO, "吴用")  # the page loads the list
    await held.arrived()
    chat.world.rooms.remove(XUANFENG, left, SONG)
    lines = page.locator(".line")
    await expect(lines.filter(has_text="二龙山")).to_have_count(0)
    await held.release(rename_groups)
    await expect(lines.filter(has_text="迟到的列表")).to_have_count(1)


async def test_settings_that_are_answered_in_another_order(chat: Chat) -> None:
    page = await chat.open(SONG)
    await page.get_by_role("button", name="沙箱", exact=True).click()
    held = await hold_answer(page, "**/api/state")
    chat.world.feed.emit_all({"type": "switches"})
    await held.arrived()
    slow = page.get_by_role("switch", name="慢")
    await slow.check()
    await until(lambda: len(held.bodies) == 3, "the settings are loaded after the change and after its event")
    await earlier_answers(page)
    await expect(page.get_by_role("button", name="一切恢复正常")).to_be_visible()
    await held.release()
    await earlier_answers(page)
    await expect(slow).to_be_checked()
    await expect(page.get_by_role("button", name="一切恢复正常")).to_be_visible()


async def test_details_that_are_older_than_a_removal_from_the_group(chat: Chat) -> None:
    group = chat.world.rooms.create(XUANFENG, [SONG, ZHIDUO], "梁山").id
    page = await chat.open(SONG, group)
    held = await hold_answer(page, f"{CHATS}/*")
    chat.world.rooms.set_confirm(XUANFENG, group, True)  # the page loads the details
    await held.arrived()
    chat.world.rooms.remove(XUANFENG, group, SONG)
    await expect(page.get_by_text("你已不在这个群聊里")).to_be_visible()
    await held.release()
    await earlier_answers(page)
    await expect(page.get_by_text("你已不在这个群聊里")).to_be_visible()
    await expect(page.get_by_label("输入消息")).to_have_count(0)


async def test_chat_that_is_opened_while_the_page_is_loaded(chat: Chat) -> None:
    chat.world.chats.say(ZHIDUO, SONG, "在吗")
    context = await chat.windows.context()
    held = await hold_request(context, "GET", f"**/api/people/{SONG}/friends")
    page = await chat.windows.page(f"{chat.running.url}/?as={SONG}&chat={XUANFENG}", context)
    await page.get_by_role("button", name="智多星").first.click()
    await expect(page.get_by_role("article")).to_contain_text("在吗")
    await held.release()
    await page.locator(".frame[data-live=open]").wait_for()
    await expect(page.get_by_role("article")).to_contain_text("在吗")


async def test_history_of_a_chat_that_a_token_was_sent_to(chat: Chat) -> None:
    """The token is sent before the chat is opened."""
    chat.world.chats.say(BOT, SONG, "您好")
    chat.world.chats.say(XUANFENG, SONG, TOKEN)
    page = await chat.open(SONG, XUANFENG)
    await page.get_by_role("button", name=f"发给{ACCOUNT}").click()
    await expect(page.get_by_role("heading", name=ACCOUNT)).to_be_visible()
    await expect(page.get_by_role("article")).to_contain_text(["您好", TOKEN])


async def test_dialog_that_is_opened_before_an_answer_to_another(chat: Chat) -> None:
    page = await chat.open(SONG, XUANFENG)
    held = await hold_request(page, "DELETE", "**/friends/*")
    await page.get_by_role("button", name="聊天详情").click()
    await page.get_by_role("complementary").get_by_role("button", name="黑旋风").click()
    await page.get_by_role("button", name="删除联系人").click()
    await held.arrived()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="添加朋友或发起群聊").click()
    dialog = page.get_by_role("dialog", name="添加")
    await expect(dialog).to_be_visible()
    await held.release()
    await expect(page.get_by_text("黑旋风 还不是你的朋友")).to_be_visible()
    await earlier_answers(page)
    await expect(dialog).to_be_visible()


async def test_chat_that_is_opened_before_an_answer_to_leaving_a_group(chat: Chat) -> None:
    chat.world.chats.say(ZHIDUO, SONG, "在吗")
    group = chat.world.rooms.create(XUANFENG, [SONG, ZHIDUO], "梁山").id
    page = await chat.open(SONG, group)
    held = await hold_request(page, "POST", "**/leave")
    await page.get_by_role("button", name="聊天详情").click()
    await page.get_by_role("button", name="退出群聊").click()
    await page.get_by_role("dialog").get_by_role("button", name="退出群聊").click()
    await held.arrived()
    await page.get_by_role("button", name="智多星").first.click()
    await expect(page.get_by_role("article")).to_contain_text("在吗")
    await held.release()
    await earlier_answers(page)
    await expect(page.get_by_role("heading", name="智多星")).to_be_visible()


async def test_first_request_that_fails_is_repeated(chat: Chat) -> None:
    context = await chat.windows.context()
    chat.windows.refused = "ERR_"
    await context.route("**/api/state", lambda route: route.abort(), times=1)
    page = await chat.windows.page(f"{chat.running.url}/?as={SONG}", context)
    await page.locator(".frame[data-live=open]").wait_for()
    await expect(page).to_have_title("宋公明 · 微信沙箱")
