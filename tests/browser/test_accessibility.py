"""The page by keyboard, on a phone, in dark mode, and over reconnects."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.async_api import Page, expect

from sandbox.world.world import SONG, XUANFENG, ZHIDUO
from tests.browser.conftest import BOT, Chat
from tests.browser_windows import CLOSE_AND_CLICK, PHONE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FOCUS = """() => { const node = document.activeElement, style = getComputedStyle(node);
    return [node.getAttribute("aria-label") || node.textContent.trim().slice(0, 12), style.outlineStyle]; }"""


async def test_keyboard_reaches_everything(chat: Chat) -> None:
    """Tab reaches every element in order with a visible focus ring; Enter activates, Esc closes and restores the
    focus.
    """
    chat.world.chats.say(XUANFENG, SONG, "哥哥")
    page = await chat.open(SONG)
    focused = []
    for _ in range(8):
        await page.keyboard.press("Tab")
        name, outline = await page.evaluate(FOCUS)
        assert outline != "none", name
        focused.append(name)
    assert focused[0] == "我是宋公明，换一个身份"
    assert [name[:2] for name in focused[1:6]] == ["微信", "通讯", "沙箱", "机器", "搜索"]
    await page.get_by_role("button", name="黑旋风").press("Enter")
    await expect(page.get_by_label("输入消息")).to_be_focused()
    opener = page.get_by_role("button", name="名片")
    await opener.press("Enter")
    await expect(page.get_by_label("搜索朋友")).to_be_focused()
    for _ in range(12):  # a dialog traps the focus
        await page.keyboard.press("Tab")
        inside = "() => document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        assert await page.evaluate(inside)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(opener).to_be_focused()
    add_button = page.get_by_role("button", name="添加朋友或发起群聊")
    await add_button.press("Enter")
    await expect(page.get_by_label("微信号、微信 id 或二维码内容")).to_be_focused()
    await page.keyboard.type("likui01")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="发消息")).to_be_focused()
    await page.keyboard.press("Escape")  # the second of two dialogs
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(add_button).to_be_focused()
    await add_button.press("Enter")
    await page.get_by_role("button", name="关闭").press("Enter")
    await expect(add_button).to_be_focused()
    await page.get_by_role("button", name="聊天详情").press("Enter")
    drawer = page.get_by_role("complementary", name="聊天详情")
    await drawer.get_by_role("button").first.focus()
    await page.keyboard.press("Escape")
    await expect(drawer).to_have_count(0)


async def test_dialog_opened_before_the_close_event_of_another(chat: Chat) -> None:
    """Escape closes a dialog at once, but its event comes later."""
    page = await chat.open(SONG)
    add_button = page.get_by_role("button", name="添加朋友或发起群聊")
    await add_button.click()
    await expect(page.get_by_role("dialog", name="添加")).to_be_visible()
    await add_button.evaluate(CLOSE_AND_CLICK)
    await expect(page.get_by_role("dialog", name="添加")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(add_button).to_be_focused()


async def test_new_messages_are_announced_to_screen_readers(chat: Chat) -> None:
    page = await chat.open(SONG, XUANFENG)
    log = page.get_by_role("log", name="聊天记录")
    await expect(log).to_have_attribute("aria-live", "polite")
    chat.world.chats.say(XUANFENG, SONG, "新的")
    await expect(log.get_by_role("article", name="黑旋风说")).to_contain_text("新的")
    unnamed = "() => [...document.querySelectorAll('button, input, textarea, select, a')].filter(n => !n.hidden && " + (
        "!(n.ariaLabel || n.textContent.trim() || n.labels?.[0]?.textContent.trim())).map(n => n.outerHTML)"
    )
    assert await page.evaluate(unnamed) == []


async def check_width(page: Page, name: str) -> None:
    width = await page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= PHONE["width"], name


async def test_phone_layout_shows_one_pane(chat: Chat) -> None:
    """On a phone one pane is shown at a time, with a way back."""
    group = chat.world.rooms.create(SONG, [XUANFENG, ZHIDUO, BOT], "很长很长的一个群名" * 5).id
    chat.world.chats.say(XUANFENG, group, "https://example.com/" + "x" * 300)
    page = await chat.windows.page(chat.running.url, size=PHONE, has_touch=True, is_mobile=True)
    await check_width(page, "start page")
    await page.get_by_role("button", name="宋公明").tap()
    await page.locator(".frame[data-live=open]").wait_for()
    line = page.get_by_role("button", name="很长很长的一个群名").first
    await expect(line).to_be_visible()
    await check_width(page, "list")
    await line.tap()
    await expect(page.get_by_role("log")).to_be_in_viewport()
    await expect(page.get_by_role("navigation")).to_be_hidden()
    await check_width(page, "chat")
    await page.get_by_label("输入消息").fill("我在路上")
    await page.get_by_role("button", name="发送", exact=True).tap()
    await expect(page.get_by_role("article")).to_have_count(2)
    await page.get_by_role("button", name="表情").tap()
    await page.get_by_role("button", name="👍").tap()
    await expect(page.get_by_label("输入消息")).to_have_value("👍")
    await check_width(page, "emoji")
    await page.get_by_role("button", name="聊天详情").tap()
    await expect(page.get_by_role("switch", name="群聊邀请确认")).to_be_in_viewport()
    await check_width(page, "details")
    await page.get_by_role("button", name="返回聊天").tap()
    await page.get_by_role("button", name="返回", exact=True).tap()
    await expect(line).to_be_visible()
    await page.get_by_role("button", name="通讯录").tap()
    await expect(page.get_by_role("list", name="朋友")).to_be_visible()
    await check_width(page, "contacts")
    await page.get_by_role("button", name="沙箱", exact=True).tap()
    await expect(page.get_by_role("switch", name="丢失")).to_be_visible()
    await check_width(page, "tools")
    await page.get_by_role("button", name="机器人", exact=True).tap()
    await expect(page.get_by_role("list", name="经过")).to_be_visible()
    await check_width(page, "trace")
    await page.get_by_role("button", name="关闭").tap()
    await expect(page.get_by_role("switch", name="丢失")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_contrast_in_light_and_dark_mode(chat: Chat, scheme: str) -> None:
    """Every text colour has a contrast of at least 4.5 in light and dark mode."""
    chat.world.chats.say(XUANFENG, SONG, "看 https://example.com")
    chat.world.chats.say(SONG, XUANFENG, "好")
    page = await chat.open(SONG, XUANFENG, color_scheme=scheme)
    await expect(page.get_by_role("article")).to_have_count(2)
    picture = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    ground = picture.getpixel((800, 300))
    assert isinstance(ground, tuple)
    assert (sum(ground) < 150) == (scheme == "dark")
    variable = "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()"
    pairs = [("ink", "ground"), ("ink", "paper"), ("ink", "list"), ("mine-ink", "mine"), ("soft", "ground")]
    pairs += [("soft", "list"), ("soft", "paper"), ("link", "paper"), ("green-ink", "green-fill"), ("rail-ink", "rail")]
    pairs += [("red", "list"), ("red", "ground"), ("green", "list"), ("green", "list-hover"), ("green", "paper")]
    for ink, paper in pairs:
        colours = [await page.evaluate(variable, f"--{name}") for name in (ink, paper)]
        assert contrast(*colours) >= 4.5, (ink, paper, *colours)


def contrast(first: str, second: str) -> float:
    """Return the WCAG contrast of two colours, #rgb or #rrggbb."""

    def light(colour: str) -> float:
        digits = colour.lstrip("#")
        digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(first), light(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


async def test_page_reconnects_after_sandbox_restart(chat: Chat) -> None:
    """Messages sent during the interruption are shown once; new ones are delivered."""
    page = await chat.open(SONG, XUANFENG)
    chat.world.chats.say(XUANFENG, SONG, "之前")
    await expect(page.get_by_role("log")).to_contain_text("之前")
    chat.windows.refused = "ERR_"
    await chat.running.stop()
    await expect(page.get_by_role("alert").filter(has_text="正在重新连接")).to_be_visible()
    chat.world.chats.say(XUANFENG, SONG, "之间")
    chat.world.chats.say(ZHIDUO, SONG, "别处")
    await chat.start()
    await expect(page.get_by_role("log")).to_contain_text("之间")
    await expect(page.get_by_role("alert").filter(has_text="正在重新连接")).to_have_count(0)
    await expect(page.get_by_role("button", name="智多星").get_by_label("1 条未读")).to_be_visible()
    await expect(page.get_by_role("article")).to_have_count(2)
    await page.get_by_label("输入消息").fill("之后")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("article")).to_have_count(3)
    assert [m.text for m in chat.world.chats.history(XUANFENG, SONG)] == ["之前", "之间", "之后"]


async def test_hidden_tabs_release_connections(chat: Chat) -> None:
    """With more tabs than connections, hidden tabs release theirs and reconnect when shown."""
    context = await chat.windows.context()
    pages = [await chat.open(SONG, XUANFENG, context)]
    hide = "hidden => { Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });" + (
        "document.dispatchEvent(new Event('visibilitychange')); }"
    )
    for _ in range(7):
        await pages[-1].evaluate(hide, True)
        pages.append(await chat.open(SONG, XUANFENG, context))
    chat.world.chats.say(XUANFENG, SONG, "大家都听到了吗")
    await expect(pages[-1].get_by_role("log")).to_contain_text("大家都听到了吗")
    await expect(pages[0].get_by_role("log")).to_contain_text("大家都听到了吗")
    await expect(pages[5].get_by_role("log")).not_to_contain_text("大家都听到了吗")
    await pages[-1].evaluate(hide, True)
    await pages[5].evaluate(hide, False)
    await expect(pages[5].get_by_role("log")).to_contain_text("大家都听到了吗")


async def test_open_tab_as_another_person(chat: Chat) -> None:
    page = await chat.open(SONG)
    await page.get_by_role("button", name="我是宋公明，换一个身份").click()
    async with page.context.expect_page() as opened:
        await page.get_by_role("dialog").get_by_role("link", name="智多星").click(modifiers=["ControlOrMeta"])
    other = await opened.value
    await expect(other).to_have_title("智多星 · 微信沙箱")
    await expect(page).to_have_title("宋公明 · 微信沙箱")


async def test_focus_returns_from_details_trace_and_menus(chat: Chat) -> None:
    chat.world.chats.say(XUANFENG, SONG, "哥哥")
    context = await chat.windows.context(permissions=["clipboard-read", "clipboard-write"])
    page = await chat.open(SONG, XUANFENG, context)
    for opener, region in (("聊天详情", "聊天详情"), ("机器人", "机器人听到和调用的")):
        button = page.get_by_role("button", name=opener)
        await button.press("Enter")
        inside = page.get_by_role("complementary", name=region)
        await inside.get_by_role("button").first.focus()
        await page.keyboard.press("Escape")
        await expect(inside).to_have_count(0)
        await expect(button).to_be_focused()
    menu = page.get_by_role("button", name="更多操作")
    await menu.press("Enter")
    await expect(page.get_by_role("button", name="复制")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="复制")).to_have_count(0)
    await expect(menu).to_be_focused()


async def test_tab_that_is_opened_in_the_background_is_live(chat: Chat) -> None:
    """Opened with Ctrl and a click, it shows its unread messages in its title."""
    context = await chat.windows.context()
    await context.add_init_script("Object.defineProperty(document, 'hidden', { get: () => true })")
    page = await chat.open(SONG, context=context)
    chat.world.chats.say(XUANFENG, SONG, "哥哥")
    await expect(page).to_have_title("(1) 宋公明 · 微信沙箱")
