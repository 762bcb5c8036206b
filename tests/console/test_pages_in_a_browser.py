"""Every page of the console in a browser: both languages, light and dark mode, phone, keyboard."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from console.page_files import FOLDER, SHARED
from tests.browser_windows import Windows
from tests.console.browser import PAGES, PHONE, go, open_console, shop, take_screenshot
from tests.stories.conftest import BotEnvironment
from tests.waiting import until

__all__ = ["shop"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MAX_BYTES = 250_000  # of a page, gzipped


async def _check(page: Page, name: str) -> None:
    result = await Axe().run(page)
    serious = [
        violation for violation in result.response["violations"] if violation["impact"] in ("serious", "critical")
    ]
    told = [(violation["id"], [node["html"][:120] for node in violation["nodes"][:3]]) for violation in serious]
    assert told == [], name


@pytest.mark.parametrize(("language", "scheme"), [("zh", "light"), ("zh", "dark"), ("en", "light"), ("en", "dark")])
async def test_every_page_is_accessible(windows: Windows, shop: BotEnvironment, language: str, scheme: Any) -> None:
    _, page = await open_console(windows, shop, color_scheme=scheme)
    await page.evaluate("(language) => localStorage.setItem('wxbot-language', language)", language)
    await page.reload()
    number = next(iter(shop.bot.container.groups)).number
    ticket = next(iter(shop.bot.container.tickets)).id
    for name in (*PAGES, f"groups/{number}", f"tickets/{ticket}"):
        await go(page, name)
        await take_screenshot(page, f"{name.replace('/', '-')}-{language}-{scheme}")
        await _check(page, f"{name} {language} {scheme}")
        if language == "en":
            shown = await page.locator("nav, th, h2, main button, label > span").all_inner_texts()
            chinese = [text for text in shown if re.search("[一-鿿]", text) and "中文" not in text]
            assert [text for text in chinese if not re.search("黑旋风|店长|宋公明", text)] == [], name


async def test_every_page_fits_a_360_pixel_phone(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop, size=PHONE, is_mobile=True, has_touch=True)
    ticket = next(iter(shop.bot.container.tickets)).id
    for name in (*PAGES, f"tickets/{ticket}", f"groups/{next(iter(shop.bot.container.groups)).number}"):
        await go(page, name)
        await take_screenshot(page, f"{name.replace('/', '-')}-phone")
        wide = await page.evaluate(
            "(width) => document.documentElement.scrollWidth <= width ? [] : [...document.querySelectorAll('main *')]"
            ".filter((one) => one.getBoundingClientRect().right > width).map((one) => one.outerHTML.slice(0, 90))",
            PHONE["width"],
        )
        assert wide == [], name
        lefts = await page.evaluate(
            "() => [...document.querySelectorAll('.table tbody td:not(.actions)')]"
            ".map((one) => getComputedStyle(one).paddingLeft)"
        )
        assert len(set(lefts)) <= 1, f"{name}: the values of a table are not aligned"
        await _check(page, f"{name} phone")


async def test_agent_answers_by_keyboard(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop, "宋公明")
    await expect(page.get_by_role("link", name="设置")).to_have_count(0)
    await page.get_by_role("link", name="客服").focus()
    await page.keyboard.press("Enter")
    await page.locator(".tickets a").first.focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("回复", exact=True).fill("您好，周末 9 点开门。")
    await page.keyboard.press("Control+Enter")
    await shop.receives("黑旋风", "周末 9 点开门")
    await expect(page.locator(".bubble.ours", has_text="周末 9 点开门").locator(".state")).to_have_text("已发送")
    shop.say("黑旋风", "谢谢！")
    await expect(page.locator(".bubble", has_text="谢谢！")).to_be_visible()


async def test_two_agents_see_each_others_answers(windows: Windows, shop: BotEnvironment) -> None:
    _, first = await open_console(windows, shop, "店长")
    _, second = await open_console(windows, shop, "宋公明")
    ticket = next(iter(shop.bot.container.tickets)).id
    await go(first, f"tickets/{ticket}")
    await go(second, f"tickets/{ticket}")
    await expect(first.locator(".presence")).to_contain_text("宋公明 也在看")
    await second.get_by_label("回复", exact=True).fill("我来")
    await expect(first.locator(".presence")).to_contain_text("宋公明 正在输入")
    await second.get_by_role("button", name="发送").click()
    await expect(first.locator(".bubble.ours", has_text="我来")).to_be_visible()
    await expect(first.locator(".ticket-header")).to_contain_text("由 宋公明 接待")


async def test_missed_changes_are_loaded_after_reconnect(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    ticket = next(iter(shop.bot.container.tickets)).id
    await go(page, f"tickets/{ticket}")
    port = shop.bot.port
    windows.refused = "Failed to load resource"  # as the browser calls what it cannot reach meanwhile
    await shop.stop_bot()
    await expect(page.get_by_text("连接断开了，正在重新连接…")).to_be_visible()
    await page.get_by_label("回复", exact=True).fill("写到一半")
    shop.extra = {**shop.extra, "api": {**shop.extra["api"], "port": port}}
    await shop.start_bot()
    shop.say("黑旋风", "还在吗")
    await expect(page.locator(".bubble", has_text="还在吗")).to_be_visible(timeout=30_000)
    await expect(page.get_by_text("连接断开了，正在重新连接…")).to_have_count(0)
    await expect(page.get_by_label("回复", exact=True)).to_have_value("写到一半")


async def test_answer_from_the_staff_room_appears_at_once(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    ticket = next(iter(shop.bot.container.tickets)).id
    await go(page, f"tickets/{ticket}")
    room = shop.bot.container.staff_rooms.of("weimi1001")
    assert room is not None
    shop.say("宋公明", f"#{ticket} 群里回复您", room.id)
    bubble = page.locator(".bubble.ours", has_text="群里回复您")
    await expect(bubble).to_contain_text("宋公明")
    await expect(bubble.locator(".state")).to_have_text("已发送")
    await expect(page.locator(".ticket-header")).to_contain_text("由 宋公明 接待")


async def test_only_day_of_a_chart_is_drawn_on_a_phone(windows: Windows, shop: BotEnvironment) -> None:
    ticket = next(iter(shop.bot.container.tickets)).id
    room = shop.bot.container.staff_rooms.of("weimi1001")
    assert room is not None
    shop.say("宋公明", f"#{ticket} 您好", room.id)
    await shop.receives("黑旋风", "您好")
    await shop.bot.container.daily_totals.roll_up()
    _, page = await open_console(windows, shop, size=PHONE)
    await go(page, "overview")
    canvas = page.get_by_role("img", name="首次回复用时").locator("canvas")
    await canvas.wait_for()
    drawn = """(canvas) => {
        const [r, g, b] = getComputedStyle(document.documentElement).getPropertyValue("--brand").trim().match(/\\w\\w/g)
            .map((two) => parseInt(two, 16));
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const isOurs = (at) => data[at] === r && data[at + 1] === g && data[at + 2] === b;
        return Array.from({ length: data.length / 4 }, (_, at) => at * 4).some(isOurs);
    }"""
    await until(lambda: canvas.evaluate(drawn), "the day of the first answer is drawn")


async def test_details_of_a_warning_are_in_words(windows: Windows, shop: BotEnvironment) -> None:
    detail = {"number": "100001", "reason": "请勿刷屏", "count": "1", "rule": "flood"}
    await shop.bot.container.audit.begin("weimi1001", "warn", "guard", "wxid_x", **detail)
    _, page = await open_console(windows, shop)
    await go(page, "records")
    row = page.get_by_role("row").filter(has_text="请勿刷屏")
    assert await row.locator("td.small .muted").all_inner_texts() == ["群", "理由", "数量"]


async def test_unsaved_changes_ask_for_confirmation(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    number = next(iter(shop.bot.container.groups)).number
    await go(page, f"groups/{number}")
    topic = await page.get_by_label("群名").input_value()
    await page.get_by_label("群名").fill("没有保存的名字")
    await expect(page.get_by_text("有修改还没有保存")).to_be_visible()
    await page.get_by_role("link", name="记录").click()
    await page.get_by_role("dialog").get_by_role("button", name="取消").click()
    assert page.url.endswith(f"#/groups/{number}")
    await expect(page.get_by_label("群名 未保存")).to_have_value("没有保存的名字")
    await page.get_by_role("link", name="记录").click()
    await page.get_by_role("dialog").get_by_role("button", name="放弃").click()
    await expect(page.get_by_role("heading", name="记录")).to_be_visible()
    await expect(page.get_by_text("有修改还没有保存")).to_have_count(0)
    await go(page, f"groups/{number}")
    await expect(page.get_by_label("群名")).to_have_value(topic)


async def test_change_by_others_keeps_what_was_typed(windows: Windows, shop: BotEnvironment) -> None:
    _, page = await open_console(windows, shop)
    qun = next(iter(shop.bot.container.groups))
    room = shop.bot.container.groups.rooms(qun)[0]
    await go(page, f"groups/{qun.number}")
    await page.get_by_label("群名").fill("写到一半")
    shop.world.rooms.set_topic(shop.id("宋公明"), room.room_id or "", "群主改的名")
    directory = shop.bot.container.accounts.get("weimi1001").directory
    await until(lambda: directory.rooms[room.room_id or ""].topic == "群主改的名", "the bot knows the new name")
    await page.get_by_label("欢迎语").fill("  欢迎  ")
    await page.get_by_role("button", name="保存", exact=True).last.click()
    await expect(page.get_by_role("heading", name="群主改的名")).to_be_visible()
    await expect(page.get_by_label("群名 未保存")).to_have_value("写到一半")
    await expect(page.get_by_role("button", name="保存", exact=True)).to_have_count(1)
    await page.get_by_role("button", name="放弃修改").click()
    await expect(page.get_by_label("群名")).to_have_value("群主改的名")


async def test_long_offline_account_is_shown_on_every_page(windows: Windows, shop: BotEnvironment) -> None:
    shop.world.accounts.logout("weimi1001")
    await until(lambda: not shop.bot.container.accounts.is_online("weimi1001"), "it is away")
    shop.bot.container.config.adopt(shop.bot.container.config.model_copy(update={"offline_alert_minutes": 1e-6}))
    context = await windows.context()
    secret = await shop.bot.container.store.write(
        lambda s: shop.bot.container.console_sessions.link(s, "weimi1001", "wxid_admin", "店长")
    )
    page = await windows.page(f"{shop.url}/console/login/{secret}", context)
    for name in ("overview", "records"):
        await go(page, name)
        await expect(page.get_by_role("alert")).to_contain_text("weimi1001 已离线")
    await go(page, "overview")
    await expect(page.get_by_role("img", name="登录二维码")).to_be_visible()
    await expect(page.get_by_text("请用微信扫码登录")).to_be_visible()
    shop.world.accounts.login("weimi1001")
    await expect(page.get_by_role("img", name="登录二维码")).to_have_count(0)
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_modules_are_preloaded() -> None:
    """They are not loaded one after the other; the chart library is loaded only for charts."""
    index = (FOLDER / "index.html").read_text(encoding="utf-8")
    loaded = set(re.findall(r'(?:modulepreload" href|script (?:type="module" )?src)="/console/page/([^"]+)"', index))
    own = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.js")} - {"vendor/uplot.js"}
    assert loaded == own | {name for name in SHARED if name.endswith(".js")}


async def test_page_weight_is_limited() -> None:
    own = [path for path in FOLDER.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]
    files = [*own, *SHARED.values()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < MAX_BYTES
