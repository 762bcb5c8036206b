"""User content is never interpreted as HTML: names, topics, texts, words and file names, on every page."""

from __future__ import annotations

import base64
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser_windows import Windows
from tests.console.browser import PAGES, go, open_console, shop
from tests.console.conftest import Person, log_in, login_link
from tests.stories.conftest import BotEnvironment
from tests.waiting import until

__all__ = ["shop"]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SHORT = "<img src=x onerror=alert(1)>"  # as long as a group's name may be
CORPUS = (
    SHORT,
    "<script>alert(2)</script>",
    '"><svg onload=alert(3)>',
    "javascript:alert(4)",
    "'-alert(5)-'",
    "</textarea><iframe srcdoc='<script>alert(6)</script>'>",
    "{{constructor.constructor('alert(7)')()}}${alert(8)}",
    "<a href=javascript:alert(9)>粗</a>",
    "&lt;b&gt;\u202e\u2066<b>",
)
ALL = "\n".join(CORPUS)
PLANTED = "img[src=x], svg[onload], iframe, script:not([src]), a[href^=javascript], b b, [onerror], [srcdoc]"
VIEWS = {
    "knowledge": ("待补充", "问答", "关键词", "快捷回复"), "outreach": ("群发", "定时"), "records": ("操作", "消息"),
    "tickets": ("待接待", "全部", "已结束"),
}  # fmt: skip


async def _fill(env: BotEnvironment, person: Person) -> int:
    """Store the corpus in every field of user content; return a ticket's number."""
    number = next(iter(env.bot.container.groups)).number
    name = env.add_person(SHORT)
    env.say(name, ALL)
    await env.receives(name, "抱歉")
    env.say(name, "人工")
    await until(lambda: len(list(env.bot.container.tickets)) == 2, "a second ticket")
    ticket = max(ticket.id or 0 for ticket in env.bot.container.tickets)
    env.say(name, ALL)
    page = {
        "name": f"{CORPUS[2]}.html".replace("/", ""),
        "base64": base64.b64encode(b"<script>alert(1)</script>").decode(),
    }
    changes: tuple[tuple[str, str, Any], ...] = (
        ("PATCH", f"/qun/{number}", {"topic": SHORT}),
        ("PATCH", f"/qun/{number}", {"announcement": ALL}),
        ("PATCH", f"/qun/{number}", {"welcome": ALL[:500]}),
        ("POST", f"/qun/{number}/block", {"word": CORPUS[1]}),
        ("POST", "/blocked-word", {"word": CORPUS[2]}),
        ("POST", "/question", {"questions": list(CORPUS), "answer": ALL}),
        ("POST", "/keyword", {"kind": "contains", "word": CORPUS[1], "reply": ALL}),
        ("POST", "/canned", {"name": "<b>粗<b>", "text": ALL}),
        ("POST", "/timed", {"number": number, "cron": "0 9 * * *", "text": ALL}),
        ("POST", "/broadcast", {"key": "x", "text": ALL, "quns": [number]}),
        ("POST", f"/ticket/{ticket}/note", {"text": ALL}),
        ("POST", f"/ticket/{ticket}/reply", {"key": "t", "text": ALL}),
        ("POST", f"/ticket/{ticket}/reply", {"key": "f", "file": page}),
        ("POST", f"/ticket/{ticket}/remark", {"alias": SHORT}),
    )
    for method, path, body in changes:
        status, answer = await person.call(method, path, json=body)
        assert status < 300, (path, answer)
    return ticket


async def _is_text_only(page: Page, where: str) -> None:
    assert await page.locator(PLANTED).count() == 0, where


async def test_user_content_is_escaped_on_every_page(windows: Windows, shop: BotEnvironment) -> None:
    person = await log_in(shop, await login_link(shop, "店长"))
    ticket = await _fill(shop, person)
    await person.http.close()
    _, page = await open_console(windows, shop)
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    number = next(iter(shop.bot.container.groups)).number
    for name in (*PAGES, f"tickets/{ticket}", f"groups/{number}"):
        await go(page, name)
        await _is_text_only(page, name)
        for view in VIEWS.get(name, ()):
            await page.locator(".tabs button", has_text=view).first.click()
            await expect(page.locator("[aria-busy=true]")).to_have_count(0)
            await _is_text_only(page, f"{name} {view}")
    await go(page, f"tickets/{ticket}")
    await expect(page.locator(".bubble", has_text=CORPUS[1]).first).to_be_visible()
    await go(page, "knowledge")
    await page.get_by_label("客户可能发送的消息").fill(SHORT)
    await page.get_by_role("button", name="测试").click()
    await expect(page.locator(".answer")).to_contain_text(CORPUS[1])
    await _is_text_only(page, "try")
    assert asked == [] and await page.title() != "stolen"


async def test_customer_file_is_not_served_as_html(windows: Windows, shop: BotEnvironment) -> None:
    person = await log_in(shop, await login_link(shop, "店长"))
    ticket = await _fill(shop, person)
    talk = (await person.call("GET", f"/ticket/{ticket}"))[1]["messages"]
    (said,) = [message for message in talk if message["media"]]
    async with person.http.get(f"{person.url}/console/api/media/{said['id']}") as response:
        assert response.content_type == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response.headers["Content-Security-Policy"]
    await person.http.close()


async def test_login_attempts_are_limited_per_address(shop: BotEnvironment) -> None:
    async with aiohttp.ClientSession() as http:
        answers = []
        for number in range(70):
            async with http.get(f"{shop.url}/console/login/guess-{number}") as response:
                answers.append((response.status, "Retry-After" in response.headers))
    assert answers[0] == (410, False) and answers[-1] == (429, True)
