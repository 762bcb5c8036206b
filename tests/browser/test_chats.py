"""Chats on the page: texts, images, files, cards, mentions, unread counts, recalls."""

from __future__ import annotations

import asyncio
import io
import re

import pytest
from PIL import Image
from playwright.async_api import FilePayload, Page, Route, expect

from sandbox.world.model import Kind
from sandbox.world.world import ADMIN, SONG, WENLONG, XUANFENG, ZHIDUO
from tests.browser.conftest import Chat
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def png(width: int = 200) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, 120), "#8fbcd4").save(out, "PNG")
    return out.getvalue()


def room(chat: Chat, topic: str = "梁山") -> str:
    return chat.world.rooms.create(SONG, [XUANFENG, ZHIDUO], topic).id


async def say(page: Page, text: str) -> None:
    await page.get_by_label("输入消息").fill(text)
    await page.keyboard.press("Enter")


async def test_two_people_chat_in_two_tabs(chat: Chat) -> None:
    context = await chat.windows.context()
    song = await chat.open(SONG, XUANFENG, context)
    xuanfeng = await chat.open(XUANFENG, context=context)
    await say(song, "兄弟，今晚来聚义厅")
    line = xuanfeng.get_by_role("button", name="宋公明").filter(has_text="今晚来聚义厅")
    await expect(line.get_by_label("1 条未读")).to_be_visible()
    await expect(xuanfeng).to_have_title("(1) 黑旋风 · 微信沙箱")
    await line.click()
    await expect(xuanfeng.get_by_role("log")).to_contain_text("今晚来聚义厅")
    await expect(line.get_by_label("1 条未读")).to_have_count(0)
    await expect(xuanfeng).to_have_title("黑旋风 · 微信沙箱")
    await until(lambda: chat.world.chats.unread(XUANFENG, SONG) == 0, "it is read")
    await say(xuanfeng, "来了！")
    await expect(song.get_by_role("log")).to_contain_text("来了！")
    await until(lambda: chat.world.chats.unread(SONG, XUANFENG) == 0, "it is read, because its chat is open")
    await expect(song.get_by_role("article")).to_have_count(2)


async def test_texts_are_not_interpreted_as_html(chat: Chat) -> None:
    """Texts, names and file names are never interpreted as HTML."""
    nasty = "<img src=x onerror=\"document.title='坏'\"><b>粗</b> & <script>1</script>"
    await_room = room(chat, "<b>群</b>")
    chat.world.people.rename(XUANFENG, "<i>黑</i>")
    chat.world.chats.say(XUANFENG, await_room, nasty)
    chat.world.chats.send_data(XUANFENG, await_room, Kind.LINK, {"title": "点我", "url": "javascript:alert(1)"})
    page = await chat.open(SONG, await_room)
    await expect(page.get_by_role("log")).to_contain_text(nasty)
    await expect(page.get_by_role("heading", name="<b>群</b>")).to_be_visible()
    await expect(page.get_by_role("log")).to_contain_text("<i>黑</i>")
    await expect(page.get_by_role("log").locator("b, i, script, a")).to_have_count(0)
    await expect(page).to_have_title("宋公明 · 微信沙箱")


async def test_enter_sends_and_shift_enter_inserts_a_line(chat: Chat) -> None:
    page = await chat.open(SONG, XUANFENG)
    box = page.get_by_label("输入消息")
    await box.press("Enter")
    await box.press_sequentially("一行")
    await box.press("Shift+Enter")
    await box.press_sequentially("两行")
    await box.press("Enter")
    await expect(page.get_by_role("article")).to_have_count(1)
    assert [m.text for m in chat.world.chats.history(XUANFENG, SONG)] == ["一行\n两行"]
    await expect(box).to_have_value("")


async def test_draft_is_kept(chat: Chat) -> None:
    chat.world.chats.say(ZHIDUO, SONG, "在吗")
    page = await chat.open(SONG, XUANFENG)
    await page.get_by_label("输入消息").fill("还没写完")
    await page.get_by_role("button", name="智多星").first.click()
    await expect(page.get_by_label("输入消息")).to_have_value("")
    await page.go_back()
    await expect(page.get_by_label("输入消息")).to_have_value("还没写完")


async def test_pictures_and_files_are_sent(chat: Chat) -> None:
    page = await chat.open(SONG, XUANFENG)
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="图片").click()
    await (await chooser.value).set_files(FilePayload(name="山水.png", mimeType="image/png", buffer=png()))
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="文件").click()
    await (await chooser.value).set_files(
        [
            FilePayload(name="价目表.pdf", mimeType="application/pdf", buffer=b"%PDF" * 300),
            FilePayload(name="不要了.txt", mimeType="text/plain", buffer=b"x"),
        ]
    )
    await page.get_by_role("button", name="不发送不要了.txt").click()
    await page.get_by_role("button", name="发送", exact=True).click()
    picture = page.get_by_role("button", name="看大图：山水.png")
    await expect(picture).to_be_visible()
    await expect(picture.locator("img")).to_have_js_property("naturalWidth", 200)
    await picture.click()
    await expect(page.get_by_role("dialog").get_by_role("img", name="山水.png")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="价目表.pdf").click()
    assert (await (await download.value).path()).read_bytes() == b"%PDF" * 300
    sent = [(m.kind, m.filename) for m in chat.world.chats.history(XUANFENG, SONG)]
    assert sent == [(Kind.IMAGE, "山水.png"), (Kind.FILE, "价目表.pdf")]


async def test_text_typed_during_upload_is_kept(chat: Chat) -> None:
    """A second Enter sends nothing twice; if the file is rejected, its text returns to the composer."""
    page = await chat.open(SONG, XUANFENG)
    calls: asyncio.Queue[Route] = asyncio.Queue()
    await page.route("**/messages", calls.put)
    await attach_and_write(page, "图.txt", b"x")
    upload = await calls.get()
    await page.keyboard.press("Enter")
    await page.keyboard.type("还有")
    await upload.continue_()
    await (await calls.get()).continue_()
    await expect(page.get_by_role("article")).to_have_count(2)
    await expect(page.get_by_label("输入消息")).to_have_value("还有")
    chat.windows.refused = "status of 400"
    await attach_and_write(page, "空.txt", b"")
    upload = await calls.get()
    await page.keyboard.type("还有")
    await upload.continue_()
    await expect(page.get_by_label("输入消息")).to_have_value("看空.txt\n还有")
    await expect(page.get_by_role("button", name="不发送空.txt")).to_be_visible()
    assert [m.filename or m.text for m in chat.world.chats.history(XUANFENG, SONG)] == ["图.txt", "看图.txt"]


async def attach_and_write(page: Page, name: str, data: bytes) -> None:
    """Attach a file with a text and press Enter."""
    file = FilePayload(name=name, mimeType="text/plain", buffer=data)
    await page.locator("input[type=file]").last.set_input_files(file)
    await page.get_by_label("输入消息").fill(f"看{name}")
    await page.keyboard.press("Enter")


async def test_mention_is_picked_by_keyboard(chat: Chat) -> None:
    group = room(chat)
    page = await chat.open(SONG, group)
    other = await chat.open(ZHIDUO)
    box = page.get_by_label("输入消息")
    await box.press_sequentially("请 @")
    options = page.get_by_role("option")
    await expect(options).to_have_text(["黑旋风", "智多星"])
    await box.press("ArrowDown")
    await expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    await expect(box).to_have_attribute("aria-activedescendant", str(await options.nth(1).get_attribute("id")))
    await box.press("Enter")
    await expect(options).to_have_count(0)
    await expect(box).not_to_have_attribute("aria-activedescendant", re.compile(""))
    await box.press_sequentially("看一下")
    await box.press("Enter")
    await expect(other.get_by_role("button", name="梁山")).to_contain_text("[有人@我]")
    message = chat.world.chats.history(ZHIDUO, group)[-1]
    assert (message.text, message.mentions) == ("请 @智多星\u2005看一下", [ZHIDUO])


async def test_dismissed_mention_is_not_sent(chat: Chat) -> None:
    """Esc closes the picker; a removed mention is not sent."""
    group = room(chat)
    page = await chat.open(SONG, group)
    box = page.get_by_label("输入消息")
    await box.press_sequentially("@黑")
    await expect(page.get_by_role("option")).to_have_text(["黑旋风"])
    await box.press("Escape")
    await expect(page.get_by_role("option")).to_have_count(0)
    await box.fill("@")
    await page.get_by_role("option", name="黑旋风").click()
    await expect(box).to_have_value("@黑旋风\u2005")
    await box.fill("邮箱 a@b.cn")
    await box.press("Enter")
    await expect(page.get_by_role("article")).to_have_count(1)
    message = chat.world.chats.history(ZHIDUO, group)[-1]
    assert (message.text, message.mentions) == ("邮箱 a@b.cn", [])


async def test_emoji_is_picked_by_keyboard(chat: Chat) -> None:
    page = await chat.open(SONG, XUANFENG)
    await page.get_by_role("button", name="表情").press("Enter")
    await expect(page.get_by_role("button", name="😀")).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("输入消息")).to_have_value("😄")
    await expect(page.get_by_label("输入消息")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="😀")).to_have_count(0)


async def test_contact_card_is_sent(chat: Chat) -> None:
    page = await chat.open(SONG, XUANFENG)
    await page.get_by_role("button", name="名片").click()
    dialog = page.get_by_role("dialog", name="发送名片")
    await dialog.get_by_text("九纹龙").click()
    await dialog.get_by_role("button", name="发送").click()
    await page.get_by_role("article").get_by_role("button", name="九纹龙 个人名片").click()
    await expect(page.get_by_role("dialog", name="资料")).to_contain_text("微信号：shijin09")
    assert chat.world.chats.history(XUANFENG, SONG)[-1].data["contact_id"] == WENLONG


async def test_message_is_recalled(chat: Chat) -> None:
    page = await chat.open(SONG, XUANFENG)
    other = await chat.open(XUANFENG, SONG)
    await say(page, "说错了")
    await page.get_by_role("log").get_by_text("说错了").hover()
    await page.get_by_role("button", name="更多操作").click()
    await page.get_by_role("button", name="撤回").click()
    await expect(page.get_by_role("log")).to_contain_text("你撤回了一条消息")
    await expect(other.get_by_role("log")).to_contain_text("“宋公明”撤回了一条消息")
    await expect(other.get_by_role("log")).not_to_contain_text("说错了")


async def test_rejected_message_shows_its_error(chat: Chat) -> None:
    """The recipient has deleted the sender: the text stays in the composer, the error is shown in the chat."""
    chat.world.people.forget(XUANFENG, SONG)
    chat.windows.refused = "status of 400"
    page = await chat.open(SONG, XUANFENG)
    await say(page, "还在吗")
    await expect(page.get_by_role("log")).to_contain_text("对方开启了朋友验证")
    await expect(page.get_by_role("alert").filter(has_text="朋友验证")).to_be_visible()
    await expect(page.get_by_label("输入消息")).to_have_value("还在吗")
    await expect(page.get_by_role("article")).to_have_count(0)


async def test_long_history_loads_on_scroll(chat: Chat) -> None:
    """The end is shown first, older messages load on scrolling up, new ones do not scroll down."""
    for number in range(120):
        chat.world.chats.say(XUANFENG, SONG, f"第 {number} 句")
    page = await chat.open(SONG, XUANFENG)
    log = page.get_by_role("log")
    await expect(log.get_by_text("第 119 句", exact=True)).to_be_in_viewport()
    await expect(page.get_by_role("article")).to_have_count(50)
    await log.evaluate("node => { node.scrollTop = 0; }")
    await expect(log.get_by_text("第 20 句", exact=True)).to_be_attached()
    await until(lambda: log.evaluate("node => node.scrollTop > 100"), "what was being read stays in place")
    chat.world.chats.say(XUANFENG, SONG, "新的一句")
    news = page.get_by_role("button", name="1 条新消息")
    await news.click()
    await expect(log.get_by_text("新的一句", exact=True)).to_be_in_viewport()
    await expect(news).to_have_count(0)


async def test_chat_of_others_is_not_visible(chat: Chat) -> None:
    page = await chat.open(ADMIN)
    chat.world.chats.say(SONG, XUANFENG, "别告诉店长")
    chat.world.chats.say(SONG, ADMIN, "店长好")
    await expect(page.get_by_role("button", name="宋公明").filter(has_text="店长好")).to_be_visible()
    await expect(page.locator("body")).not_to_contain_text("别告诉店长")
