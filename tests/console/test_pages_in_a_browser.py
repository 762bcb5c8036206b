"""Every page of the console in a browser: both languages, light and dark mode, phone, keyboard."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from console.page_files import FOLDER, SHARED
from tests.browser.conftest import Windows
from tests.console.browser import PAGES, PHONE, browser, go, open_console, shoot, shop, windows
from tests.stories.conftest import Town, until

__all__ = ["browser", "shop", "windows"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MAX_BYTES = 250_000  # per page, gzipped
MARKUP = "<img src=x onerror=document.title='stolen'><b>粗</b>"


async def _check(page: Page, name: str) -> None:
    result = await Axe().run(page)
    serious = [one for one in result.response["violations"] if one["impact"] in ("serious", "critical")]
    told = [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in serious]
    assert told == [], name


@pytest.mark.parametrize(("language", "scheme"), [("zh", "light"), ("zh", "dark"), ("en", "light"), ("en", "dark")])
async def test_every_page_is_readable_for_everybody(windows: Windows, shop: Town, language: str, scheme: Any) -> None:
    _, page = await open_console(windows, shop, color_scheme=scheme)
    await page.evaluate("(language) => localStorage.setItem('wxbot-language', language)", language)
    await page.reload()
    number = next(iter(shop.bot.container.groups)).number
    ticket = next(iter(shop.bot.container.tickets)).id
    for name in (*PAGES, f"groups/{number}", f"tickets/{ticket}"):
        await go(page, name)
        await shoot(page, f"{name.replace('/', '-')}-{language}-{scheme}")
        await _check(page, f"{name} {language} {scheme}")
        if language == "en":
            shown = await page.locator("nav, th, h2, main button, label > span").all_inner_texts()
            chinese = [words for words in shown if re.search("[一-鿿]", words) and "中文" not in words]
            assert [words for words in chinese if not re.search("黑旋风|店长|宋公明", words)] == [], name


async def test_a_phone_of_360_pixels_shows_every_page_without_sideways_scrolling(windows: Windows, shop: Town) -> None:
    _, page = await open_console(windows, shop, size=PHONE, is_mobile=True, has_touch=True)
    ticket = next(iter(shop.bot.container.tickets)).id
    for name in (*PAGES, f"tickets/{ticket}", f"groups/{next(iter(shop.bot.container.groups)).number}"):
        await go(page, name)
        await shoot(page, f"{name.replace('/', '-')}-phone")
        wide = await page.evaluate(
            "(width) => document.documentElement.scrollWidth <= width ? [] : [...document.querySelectorAll('main *')]"
            ".filter((one) => one.getBoundingClientRect().right > width).map((one) => one.outerHTML.slice(0, 90))",
            PHONE["width"],
        )
        assert wide == [], name
        await _check(page, f"{name} phone")


async def test_an_agent_answers_a_customer_by_keyboard(windows: Windows, shop: Town) -> None:
    _, page = await open_console(windows, shop, "宋公明")
    await expect(page.get_by_role("link", name="设置")).to_have_count(0)
    await page.get_by_role("link", name="客服").focus()
    await page.keyboard.press("Enter")
    await page.locator(".tickets a").first.focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("回复", exact=True).fill("您好，周末 9 点开门。")
    await page.keyboard.press("Control+Enter")
    await shop.hears("黑旋风", "周末 9 点开门")
    await expect(page.locator(".bubble.ours", has_text="周末 9 点开门").locator(".state")).to_have_text("已发送")
    shop.say("黑旋风", "谢谢！")
    await expect(page.locator(".bubble", has_text="谢谢！")).to_be_visible()


async def test_two_agents_at_one_ticket_see_each_other_and_each_others_answers(windows: Windows, shop: Town) -> None:
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
    await expect(first.locator(".talk-head")).to_contain_text("由 宋公明 接待")


async def test_the_first_hour_of_a_shops_owner(windows: Windows, shop: Town) -> None:
    _, page = await open_console(windows, shop)
    await expect(page.get_by_role("heading", name="weimi1001")).to_be_visible()
    await go(page, "knowledge")
    await page.get_by_role("row", name="你们周末营业吗").get_by_role("button", name="回答").click()
    await page.get_by_label("回答", exact=True).fill("周末 9 点到 18 点。")
    await page.get_by_role("dialog").get_by_role("button", name="保存").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_label("客户会怎么说").fill("你们周末营业吗")
    await page.get_by_role("button", name="试试").click()
    await expect(page.locator(".answer")).to_have_text("周末 9 点到 18 点。")
    await go(page, "outreach")
    await page.get_by_role("button", name="新的群发").click()
    await page.get_by_label("内容").fill("今晚八点活动")
    await page.get_by_role("button", name="预览").click()
    await page.get_by_role("button", name="确认发送").click()
    quns = list(shop.bot.container.groups)
    room = shop.bot.container.groups.rooms(quns[0])[0].room_id or ""
    await shop.hears("宋公明", "今晚八点活动", room)
    await page.get_by_role("button", name="结果").click()
    await expect(page.get_by_role("dialog")).to_contain_text("已发送 3，失败 0")
    await page.keyboard.press("Escape")
    await go(page, f"groups/{quns[0].number}")
    await page.get_by_label("群名").fill("梁山一群")
    await page.get_by_role("button", name="保存", exact=True).click()
    await until(lambda: shop.room(room).topic == "梁山一群", "WeChat shows the new name")
    await go(page, "settings")
    await page.get_by_role("button", name="重新加载会改什么").click()
    await expect(page.get_by_text("没有变化。", exact=True)).to_be_visible()


async def test_what_people_write_is_never_markup(windows: Windows, shop: Town) -> None:
    person = shop.newcomer(MARKUP)
    shop.say(person, MARKUP)
    await shop.hears(person, "抱歉")
    shop.say(person, "人工")
    await until(lambda: len(list(shop.bot.container.tickets)) == 2, "a second ticket")
    ticket = max(one.id or 0 for one in shop.bot.container.tickets)
    shop.say(person, MARKUP)
    _, page = await open_console(windows, shop)
    for name in (*PAGES, f"tickets/{ticket}"):
        await go(page, name)
        assert await page.locator("img[src=x]").count() == 0, name
        assert await page.title() != "stolen", name
    await expect(page.locator(".bubble", has_text=MARKUP).first).to_be_visible()


async def test_a_page_weighs_little() -> None:
    own = [path for path in FOLDER.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]
    files = [*own, *SHARED.values()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < MAX_BYTES
