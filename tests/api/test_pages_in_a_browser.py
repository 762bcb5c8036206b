"""The pages in a real browser: layout on a phone, and the copy button with and without https."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import AsyncIterator

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from tests.api.conftest import ApiServer, StartServer

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --host-resolver-rules=MAP\\040plain.test\\040127.0.0.1"
)
PHONE = {"width": 390, "height": 844}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium on this machine")
        pytest.skip("no Chromium on this machine")
    switches = [switch.replace("\\040", " ") for switch in SWITCHES.split()]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=switches)
        yield browser
        await browser.close()


async def _open(browser: Browser, url: str, complaints: list[str], scheme: str = "light") -> Page:
    context = await browser.new_context(
        viewport=PHONE,  # type: ignore[arg-type]
        device_scale_factor=2,
        is_mobile=True,
        color_scheme=scheme,  # type: ignore[arg-type]
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = await context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if "127.0.0.1" not in request.url else None)
    await page.goto(url)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_landing_page_fits_a_phone_and_qr_code_is_readable(
    browser: Browser, server: ApiServer, scheme: str
) -> None:
    qun = await server.make_group()
    complaints: list[str] = []
    page = await _open(browser, f"{server.url}/weiqun/{qun['url'].rpartition('/')[2]}", complaints, scheme)
    picture = Image.open(io.BytesIO(await page.screenshot(full_page=True))).convert("RGB")
    assert picture.width == PHONE["width"] * 2  # no horizontal overflow
    assert zxingcpp.read_barcodes(picture)[0].text == "https://u.wechat.com/MDtestCode"
    ground = picture.getpixel((4, picture.height - 4))
    assert isinstance(ground, tuple)
    assert (sum(ground) < 150) == (scheme == "dark")
    assert [text for text in complaints if not text.startswith("data:")] == []  # the CSP allows everything on the page


@pytest.mark.parametrize("width", [320, 360, 390])
async def test_token_is_on_one_line(browser: Browser, server: ApiServer, width: int) -> None:
    qun = await server.make_group()
    page = await _open(browser, f"{server.url}/weiqun/{qun['url'].rpartition('/')[2]}", [])
    await page.set_viewport_size({"width": width, "height": 740})
    lines = "r => { r.selectNodeContents(document.getElementById('token')); return r.getClientRects().length }"
    assert await page.evaluate(f"({lines})(document.createRange())") == 1


async def test_copy_button_copies_the_token(browser: Browser, server: ApiServer) -> None:
    qun = await server.make_group()
    page = await _open(browser, f"{server.url}/weiqun/{qun['url'].rpartition('/')[2]}", [])
    await page.click("text=复制")
    await page.wait_for_selector("button:has-text('已复制')")
    assert await page.evaluate("navigator.clipboard.readText()") == qun["token"]
    await page.wait_for_selector("button:text-is('复制')")


async def test_copy_button_works_without_https(browser: Browser, start_server: StartServer) -> None:
    server = await start_server(api={"hosts": ["plain.test"]})
    qun = await server.make_group()
    page = await _open(browser, f"http://plain.test:{server.port}/weiqun/{qun['url'].rpartition('/')[2]}", [])
    assert await page.evaluate("window.isSecureContext") is False
    await page.click("text=复制")
    await page.wait_for_selector("button:has-text('已复制')")
    await page.goto(f"{server.url}/weiqun/{qun['url'].rpartition('/')[2]}")
    assert await page.evaluate("navigator.clipboard.readText()") == qun["token"]


async def test_docs_page_renders(browser: Browser, server: ApiServer) -> None:
    complaints: list[str] = []
    page = await _open(browser, f"{server.url}/docs", complaints)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert [text for text in complaints if not text.startswith("data:")] == []
