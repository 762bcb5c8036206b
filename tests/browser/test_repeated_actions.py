"""Actions on the sandbox's page that follow each other quickly: none is lost, repeated or overtaken."""

from __future__ import annotations

import pytest
from playwright.async_api import FilePayload, Page, expect

from sandbox.world.world import SONG, XUANFENG, ZHIDUO
from tests.browser.conftest import Chat
from tests.browser.held import FRAMES_AFTER_ONE_SECOND, earlier_answers, hold_request
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def say(page: Page, text: str) -> None:
    await page.get_by_label("输入消息").fill(text)
    await page.get_by_label("输入消息").press("Enter")


async def test_messages_are_sent_in_order(chat: Chat) -> None:
    page = await chat.open(SONG, XUANFENG)
    held = await hold_request(page, "POST", "**/messages")
    await say(page, "一")
    await held.arrived()
    await say(page, "二")
    await earlier_answers(page)
    assert len(held.bodies) == 1
    await held.release()
    await expect(page.get_by_role("article")).to_have_text(["一", "二"])
    assert [message.text for message in chat.world.chats.history(XUANFENG, SONG)] == ["一", "二"]


async def test_two_faults_are_switched_on_quickly(chat: Chat) -> None:
    """The second change is made from what the first one results in."""
    page = await chat.open(SONG)
    await page.get_by_role("button", name="沙箱", exact=True).click()
    held = await hold_request(page, "PUT", "**/api/faults")
    await page.get_by_role("switch", name="慢").check()
    await held.arrived()
    await page.get_by_role("switch", name="重复").check()
    await earlier_answers(page)
    await held.release()
    await until(lambda: (fault := chat.world.faults.events.get("*")) and fault.late and fault.twice, "both are on")
    for name in ("慢", "重复"):
        await expect(page.get_by_role("switch", name=name)).to_be_checked()


async def test_switch_that_is_pressed_twice_quickly(chat: Chat) -> None:
    """It does not show the answer to the first change."""
    page = await chat.open(SONG)
    await page.get_by_role("button", name="沙箱", exact=True).click()
    first = await hold_request(page, "PUT", "**/api/faults")
    slow = page.get_by_role("switch", name="慢")
    await slow.check()
    await first.arrived()
    await slow.uncheck()
    second = await hold_request(page, "PUT", "**/api/faults")
    await first.release()
    await second.arrived()
    await expect(page.get_by_role("button", name="一切恢复正常")).to_be_visible()
    await expect(slow).not_to_be_checked()
    await second.release()
    await expect(page.get_by_role("button", name="一切恢复正常")).to_have_count(0)
    await expect(slow).not_to_be_checked()


async def test_double_click_creates_one_group(chat: Chat) -> None:
    page = await chat.open(SONG)
    held = await hold_request(page, "POST", "**/rooms")
    await page.get_by_role("button", name="添加朋友或发起群聊").click()
    await page.get_by_role("button", name="发起群聊", exact=True).click()
    for name in ("黑旋风", "智多星"):
        await page.get_by_role("dialog").get_by_text(name).click()
    await page.get_by_role("button", name="完成（2）").dblclick()
    await held.arrived()
    await earlier_answers(page)
    assert len(held.bodies) == 1
    await held.release()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert len(chat.world.state.rooms) == 1


async def test_double_click_creates_one_person(chat: Chat) -> None:
    page = await chat.windows.page(chat.running.url)
    held = await hold_request(page, "POST", "**/api/people")
    await page.get_by_label("昵称").fill("浪里白条")
    await page.get_by_role("button", name="进入微信").dblclick()
    await held.arrived()
    await earlier_answers(page)
    assert len(held.bodies) == 1
    await held.release()
    await expect(page).to_have_title("浪里白条 · 微信沙箱")


async def test_double_click_sends_one_card(chat: Chat) -> None:
    page = await chat.open(SONG, XUANFENG)
    held = await hold_request(page, "POST", "**/messages")
    await page.get_by_role("button", name="名片").click()
    await page.get_by_role("dialog").get_by_text("九纹龙").click()
    await page.get_by_role("dialog").get_by_role("button", name="发送").dblclick()
    await held.arrived()
    await earlier_answers(page)
    await held.release()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await say(page, "就是他")  # sent after a second card
    await expect(page.get_by_role("article").last).to_have_text("就是他")
    assert len(chat.world.chats.history(XUANFENG, SONG)) == 2


async def test_refused_text_returns_after_another_chat_was_opened(chat: Chat) -> None:
    chat.world.people.forget(XUANFENG, SONG)
    chat.world.chats.say(ZHIDUO, SONG, "在吗")
    chat.windows.refused = "status of 400"
    page = await chat.open(SONG, XUANFENG)
    held = await hold_request(page, "POST", "**/messages")
    await say(page, "还在吗")
    await held.arrived()
    await page.get_by_role("button", name="智多星").first.click()
    await expect(page.get_by_role("article")).to_contain_text("在吗")
    await held.release()
    await expect(page.get_by_role("alert").filter(has_text="朋友验证")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_label("输入消息")).to_have_value("还在吗")


async def test_draft_that_is_typed_just_before_another_chat_is_opened(chat: Chat) -> None:
    chat.world.chats.say(ZHIDUO, SONG, "在吗")
    context = await chat.windows.context()
    await context.add_init_script(FRAMES_AFTER_ONE_SECOND)
    page = await chat.open(SONG, XUANFENG, context)
    await page.get_by_label("输入消息").fill("还没写完")
    await page.get_by_role("button", name="智多星").first.evaluate("button => button.click()")
    await expect(page.get_by_label("输入消息")).to_have_value("")
    await page.go_back()
    await expect(page.get_by_label("输入消息")).to_have_value("还没写完")


async def test_draft_keeps_its_mentions_and_files(chat: Chat) -> None:
    chat.world.chats.say(ZHIDUO, SONG, "在吗")
    group = chat.world.rooms.create(SONG, [XUANFENG, ZHIDUO], "梁山").id
    page = await chat.open(SONG, group)
    box = page.get_by_label("输入消息")
    await box.press_sequentially("@黑")
    await page.get_by_role("option", name="黑旋风").click()
    file = FilePayload(name="价目表.txt", mimeType="text/plain", buffer=b"x")
    await page.locator("input[type=file]").last.set_input_files(file)
    await expect(page.get_by_role("button", name="不发送价目表.txt")).to_be_visible()
    await page.locator(".line").filter(has_text="在吗").click()
    await expect(box).to_have_value("")
    await page.go_back()
    await expect(box).to_have_value("@黑旋风\u2005")
    await box.press("Enter")
    await expect(page.get_by_role("article")).to_have_count(2)
    sent = [(message.filename or message.text, message.mentions) for message in chat.world.chats.history(ZHIDUO, group)]
    assert sent[-2:] == [("价目表.txt", []), ("@黑旋风", [XUANFENG])]


async def test_first_mention_is_selected_when_the_list_changes(chat: Chat) -> None:
    """Also if Enter is pressed before the next frame."""
    other = chat.world.people.create("星星")
    chat.world.people.befriend(SONG, other.id)
    group = chat.world.rooms.create(SONG, [XUANFENG, ZHIDUO, other.id], "梁山").id
    context = await chat.windows.context()
    await context.add_init_script(FRAMES_AFTER_ONE_SECOND)
    page = await chat.open(SONG, group, context)
    box = page.get_by_label("输入消息")
    await box.press_sequentially("@")
    await expect(page.get_by_role("option")).to_have_text(["黑旋风", "智多星", "星星"])
    await box.press("ArrowDown")
    await expect(page.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    await page.keyboard.insert_text("星")
    await page.keyboard.press("Enter")
    await expect(box).to_have_value("@智多星\u2005")
