"""The event stream of a page is opened again whatever has ended it, and not after the session has ended."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, Page, Request, expect

from services.changes import ChangeKind
from tests.browser_windows import Windows
from tests.console.browser import go, shop
from tests.console.conftest import log_in, login_link
from tests.stories.conftest import BotEnvironment
from tests.waiting import until

__all__ = ["shop"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EVENTS = "/console/api/events"
COUNT_SIGNS = """window.signs = 0;
window.EventSource = class extends EventSource {
    constructor(url) { super(url); this.addEventListener("alive", () => { window.signs += 1; }); }
};"""
RESTORE = """() => { for (const type of ["pagehide", "pageshow"])
    dispatchEvent(new PageTransitionEvent(type, { persisted: true })); }"""


async def open_with_clock(windows: Windows, env: BotEnvironment) -> tuple[Page, list[str]]:
    """Open a console whose clock can be moved; return the URLs of its event streams, too."""
    context: BrowserContext = await windows.context()
    await context.clock.install()
    await context.add_init_script(COUNT_SIGNS)
    streams: list[str] = []

    def record(request: Request) -> None:
        if EVENTS in request.url:
            streams.append(request.url)

    context.on("request", record)
    page = await windows.page(env.url + await login_link(env, "店长"), context)
    await page.locator("main[data-live=true]").wait_for()
    await until(lambda: streams, "the event stream is opened")
    return page, streams


async def test_silent_stream_is_opened_again(
    windows: Windows, shop: BotEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a phone has slept, its connection may be lost without an error."""
    monkeypatch.setattr("console.events.KEEPALIVE", 3600.0)
    page, streams = await open_with_clock(windows, shop)
    await page.clock.fast_forward(60_000)
    await until(lambda: len(streams) == 2, "the stream is opened again")
    await expect(page.locator("main[data-live=true]")).to_be_visible()
    await go(page, "tickets")
    shop.say("智多星", "人工")
    await expect(page.locator(".tickets").get_by_text("智多星")).to_be_visible()


async def test_stream_with_signs_of_life_stays_open(
    windows: Windows, shop: BotEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.events.KEEPALIVE", 0.1)
    page, streams = await open_with_clock(windows, shop)
    for _ in range(4):
        signs = await page.evaluate("window.signs")
        await page.clock.fast_forward(20_000)
        await page.wait_for_function("(signs) => window.signs > signs + 1", arg=signs)
    assert len(streams) == 1


async def test_page_from_the_back_forward_cache_opens_its_stream_again(windows: Windows, shop: BotEnvironment) -> None:
    page, streams = await open_with_clock(windows, shop)
    await go(page, "tickets")
    await page.evaluate(RESTORE)
    await until(lambda: len(streams) == 2, "the stream is opened again")
    shop.say("智多星", "人工")
    await expect(page.locator(".tickets").get_by_text("智多星")).to_be_visible()


async def test_page_of_an_ended_session_shows_the_sign_in(windows: Windows, shop: BotEnvironment) -> None:
    page, streams = await open_with_clock(windows, shop)
    await go(page, "groups")
    other = await log_in(shop, await login_link(shop, "店长"))
    _, settings = await other.call("GET", "/settings")
    for session in settings["sessions"]:
        if not session["mine"]:
            await other.call("DELETE", f"/session/{session['id']}")
    await other.http.close()
    windows.refused = "Failed to load resource"
    shop.bot.container.changes.publish(ChangeKind.WORK)  # at a change, the server ends the stream
    await expect(page.get_by_role("heading", name="登录管理后台")).to_be_visible()
    await page.clock.fast_forward(60_000)
    await page.clock.fast_forward(60_000)
    assert len(streams) == 1
