"""The pages in a real browser: layout on a phone, and the copy button with and without https."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Page

from tests.api.conftest import ApiServer, StartServer, api_servers
from tests.browser_windows import PHONE, PLAIN_HOST

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
OpenPage = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def start_server(tmp_path: Path) -> AsyncIterator[StartServer]:
    """As of the other tests, on the event loop of the browser."""
    async with api_servers(tmp_path) as start:
        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def server(start_server: StartServer) -> ApiServer:
    return await start_server()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """A function that opens a page on a phone and appends what it logs and loads to a list."""
    async with AsyncExitStack() as stack:
        yield partial(_open, stack, browser)


async def _open(
    stack: AsyncExitStack, browser: Browser, url: str, complaints: list[str], scheme: str = "light"
) -> Page:
    context = await browser.new_context(
        viewport=PHONE,  # type: ignore[arg-type]
        device_scale_factor=2,
        is_mobile=True,
        color_scheme=scheme,  # type: ignore[arg-type]
        permissions=["clipboard-read", "clipboard-write"],
    )
    stack.push_async_callback(context.close)
    page = await context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if "127.0.0.1" not in request.url else None)
    await page.goto(url)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_landing_page_fits_a_phone_and_qr_code_is_readable(
    open_page: OpenPage, server: ApiServer, scheme: str
) -> None:
    qun = await server.make_group()
    complaints: list[str] = []
    page = await open_page(f"{server.url}/weiqun/{qun['url'].rpartition('/')[2]}", complaints, scheme)
    picture = Image.open(io.BytesIO(await page.screenshot(full_page=True))).convert("RGB")
    assert picture.width == PHONE["width"] * 2  # no horizontal overflow
    assert zxingcpp.read_barcodes(picture)[0].text == "https://u.wechat.com/MDtestCode"
    ground = picture.getpixel((4, picture.height - 4))
    assert isinstance(ground, tuple)
    assert (sum(ground) < 150) == (scheme == "dark")
    assert [text for text in complaints if not text.startswith("data:")] == []  # the CSP allows everything on the page


@pytest.mark.parametrize("width", [320, 360, 390])
async def test_token_is_on_one_line(open_page: OpenPage, server: ApiServer, width: int) -> None:
    qun = await server.make_group()
    page = await open_page(f"{server.url}/weiqun/{qun['url'].rpartition('/')[2]}", [])
    await page.set_viewport_size({"width": width, "height": 740})
    lines = "r => { r.selectNodeContents(document.getElementById('token')); return r.getClientRects().length }"
    assert await page.evaluate(f"({lines})(document.createRange())") == 1


async def test_copy_button_copies_the_token(open_page: OpenPage, server: ApiServer) -> None:
    qun = await server.make_group()
    page = await open_page(f"{server.url}/weiqun/{qun['url'].rpartition('/')[2]}", [])
    await page.click("text=复制")
    await page.wait_for_selector("button:has-text('已复制')")
    assert await page.evaluate("navigator.clipboard.readText()") == qun["token"]
    await page.wait_for_selector("button:text-is('复制')")


async def test_copy_button_works_without_https(open_page: OpenPage, start_server: StartServer) -> None:
    server = await start_server(api={"hosts": [PLAIN_HOST]})
    qun = await server.make_group()
    page = await open_page(f"http://{PLAIN_HOST}:{server.port}/weiqun/{qun['url'].rpartition('/')[2]}", [])
    assert await page.evaluate("window.isSecureContext") is False
    await page.click("text=复制")
    await page.wait_for_selector("button:has-text('已复制')")
    await page.goto(f"{server.url}/weiqun/{qun['url'].rpartition('/')[2]}")
    assert await page.evaluate("navigator.clipboard.readText()") == qun["token"]


async def test_docs_page_renders(open_page: OpenPage, server: ApiServer) -> None:
    complaints: list[str] = []
    page = await open_page(f"{server.url}/docs", complaints)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert [text for text in complaints if not text.startswith("data:")] == []
