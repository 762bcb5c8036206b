"""The page of the stand-ins: requests are shown live, and buttons send callbacks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import expect

from sandbox.systems import HIPOS, YUNMALL, Systems, start_systems
from tests.browser_windows import PHONE, Windows
from tests.web_server import serving

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def systems() -> AsyncIterator[Systems]:
    running = await start_systems(ports=(0, 0))
    yield running
    await running.stop()


async def put(url: str, body: dict[str, str], key: str, method: str = "POST") -> int:
    """Send a request like the bot does."""
    headers = {"Idempotency-Key": key}
    async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as response:
        return response.status


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_callback_is_sent_from_the_page(systems: Systems, windows: Windows, scheme: str) -> None:
    received: list[object] = []

    async def bot(request: web.Request) -> web.StreamResponse:
        received.append(await request.json())
        return web.json_response({"callback_response": {"received": "ok"}})

    async with serving(bot) as url:
        page = await windows.page(systems.urls[YUNMALL], size=PHONE, color_scheme=scheme)
        await expect(page.get_by_text("还没有请求")).to_be_visible()
        body = {"store": "<b>忠义堂</b>", "callback": f"{url}/callback"}
        assert await put(f"{systems.urls[HIPOS]}/devices/authorizations", body, "k") == 202
        await expect(page.get_by_role("heading", name="<b>忠义堂</b>")).to_be_visible()
        is_too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(is_too_wide)
        await page.get_by_role("button", name="授权失败").click()
        await expect(page.get_by_text("已回调失败")).to_be_visible()
        await expect(page.get_by_text("没有待回调的授权")).to_be_visible()
        await page.locator("summary").click()
        assert await put(f"{systems.urls[YUNMALL]}/payments", {"merchant": "梁山", "payment": "x"}, "c") == 201
        await expect(page.locator("summary")).to_have_count(2)
        await expect(page.locator("summary").last).to_be_focused()
        await page.get_by_role("button", name="再回调一次").click()
        await expect(page.get_by_text("已回调失败")).to_be_visible()
        assert received[0] == {"status": "failed", "message": "门店拒绝了授权"}


async def test_response_mode_is_changed_on_the_page(systems: Systems, windows: Windows) -> None:
    page = await windows.page(systems.urls[HIPOS], size=PHONE)
    merchant = f"{systems.urls[HIPOS]}/merchants/%E6%A2%81%E5%B1%B1"
    assert await put(merchant, {"name": "梁山"}, "a", "PUT") == 200
    await page.get_by_label("HiPOS 云").select_option("故障（503）")
    await expect(page.locator(".odd")).to_have_count(1)
    assert await put(merchant, {"name": "梁山"}, "b", "PUT") == 503
    await expect(page.locator("#asked .tag").first).to_have_text("503")
    assert await put(f"{systems.urls[YUNMALL]}/payments", {"merchant": "梁山", "payment": "x"}, "c") == 201


async def test_failed_action_is_shown(systems: Systems, windows: Windows) -> None:
    page = await windows.page(systems.urls[HIPOS])
    windows.refused = "status of 503"
    await page.route("**/page/mode/hipos", lambda route: route.fulfill(status=503))
    await page.get_by_label("HiPOS 云").select_option("故障（503）")
    await expect(page.get_by_text("操作没有成功，请再试一次")).to_be_visible()
    assert await put(f"{systems.urls[HIPOS]}/merchants/%E6%A2%81%E5%B1%B1", {"name": "梁山"}, "a", "PUT") == 200
    await expect(page.get_by_text("已连接")).to_be_visible()


async def test_entry_stays_open_if_another_comes_before_its_event(systems: Systems, windows: Windows) -> None:
    """Browsers report that an entry was opened a moment later."""
    page = await windows.page(systems.urls[HIPOS])
    assert await put(f"{systems.urls[HIPOS]}/merchants/%E6%A2%81%E5%B1%B1", {"name": "梁山"}, "a", "PUT") == 200
    await page.locator("summary").evaluate("""(summary) => {
        const owed = document.getElementById("owed"), render = owed.replaceChildren;
        owed.replaceChildren = (...nodes) => { summary.click(); render.apply(owed, nodes); }; // the list comes after it
    }""")
    assert await put(f"{systems.urls[YUNMALL]}/payments", {"merchant": "梁山", "payment": "x"}, "c") == 201
    await expect(page.locator("summary")).to_have_count(2)
    await expect(page.locator("details[open]")).to_have_count(1)


async def test_cross_origin_request_is_rejected(systems: Systems) -> None:
    url = f"{systems.urls[HIPOS]}/page/mode/hipos"
    async with aiohttp.ClientSession() as http:
        for origin, status in (("https://evil.example", 403), (systems.urls[HIPOS], 200)):
            async with http.post(url, json={"mode": "error"}, headers={"Origin": origin}) as response:
                assert response.status == status
        for body in (b"", b"[]", b'{"mode": {}}', b'{"mode": "odd"}'):
            async with http.post(url, data=body) as response:
                assert response.status == 404
