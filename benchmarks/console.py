"""The console in a real browser: the time until a page can be used, with an empty cache, and its weight on the wire.

`python -m benchmarks console`; aims: at most 1 s and 250 kB per page. Needs Chromium.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, async_playwright, expect

from benchmarks.tables import table
from tests.browser_windows import CHROMIUM, DESKTOP, SWITCHES
from tests.console.browser import PAGES
from tests.console.conftest import SETTINGS, login_link
from tests.stories.conftest import BotEnvironment
from tests.stories.service import known, staff_room

ROUNDS: Final = 5
GROUPS: Final = 30
WEIGHT: Final = """() => performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
    .reduce((sum, entry) => sum + entry.transferSize, 0)"""


async def run() -> str:
    """Return a table with a row per page."""
    if CHROMIUM is None:
        return "console: left out, Chromium is not installed (Debian: apt-get install chromium)\n"
    with tempfile.TemporaryDirectory() as folder:
        env = await BotEnvironment(Path(folder), **SETTINGS).open()
        try:
            await known(env, staff_room(env))
            for number in range(GROUPS):
                await env.make_group(f"shop-{number}")
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
                rows = await _measure(browser, env)
                await browser.close()
        finally:
            await env.close()
    return table("the console's pages, empty cache", ("page", "usable after, median ms", "slowest ms", "kB"), rows)


async def _measure(browser: Browser, env: BotEnvironment) -> list[tuple[str, str, str, str]]:
    first = await browser.new_context()
    page = await first.new_page()
    await page.goto(env.url + await login_link(env, "店长"))
    session: Any = await first.storage_state()
    rows = []
    for name in PAGES:
        found = [await _once(browser, f"{env.url}/console/#/{name}", session) for _ in range(ROUNDS)]
        took = [milliseconds for milliseconds, _ in found]
        weight = max(weight for _, weight in found) / 1000
        rows.append((name, f"{statistics.median(took):.0f}", f"{max(took):.0f}", f"{weight:.0f}"))
    return rows


async def _once(browser: Browser, url: str, session: Any) -> tuple[float, float]:
    """Return the milliseconds until the page shows its data and is live, and the bytes that were transferred."""
    context = await browser.new_context(viewport=DESKTOP, storage_state=session)
    page = await context.new_page()
    started = time.perf_counter()
    await page.goto(url, wait_until="commit")
    await page.locator("main[data-live=true]").wait_for()
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    took = (time.perf_counter() - started) * 1000
    weight = float(await page.evaluate(WEIGHT))
    await context.close()
    return took, weight
