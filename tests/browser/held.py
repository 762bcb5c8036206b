"""Requests of a page that a test delays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

from playwright.async_api import BrowserContext, Page, Route

from tests.waiting import SECONDS

# Preact runs effects after the next frame, or after a short timer if none comes.
FRAMES_AFTER_ONE_SECOND: Final = """
const wait = setTimeout;
window.requestAnimationFrame = (run) => wait(run, 1000);
window.setTimeout = (run, ms, ...more) => wait(run, ms < 36 ? 1000 : ms, ...more);
"""


class Held:
    """The first request with a method and URL: it is delayed until `release`, the later ones are not.

    With `answer`, the sandbox handles it at once, and only its answer is delayed.
    """

    def __init__(self, method: str, *, answer: bool = False) -> None:
        self.method = method
        self.answer = answer
        self.bodies: list[str] = []  # of all requests so far
        self._arrived = asyncio.Event()
        self._released = asyncio.Event()
        self._answered = asyncio.Event()
        self._change: Callable[[Any], None] = lambda _body: None

    async def start(self, page: Page | BrowserContext, url: str) -> Held:
        """Begin to intercept requests to a URL pattern."""
        await page.route(url, self._handle)
        return self

    async def arrived(self) -> None:
        """Wait until the page has sent the request."""
        async with asyncio.timeout(SECONDS):
            await self._arrived.wait()

    async def release(self, change: Callable[[Any], None] = lambda _body: None) -> None:
        """Let the request, or its answer, pass, and wait for the answer; `change` modifies its JSON."""
        self._change = change
        self._released.set()
        async with asyncio.timeout(SECONDS):
            await self._answered.wait()

    async def _handle(self, route: Route) -> None:
        if route.request.method != self.method:
            await route.fallback()
            return
        self.bodies.append(route.request.post_data or "")
        if len(self.bodies) > 1:
            await route.continue_()
            return
        response = await route.fetch() if self.answer else None
        self._arrived.set()
        await self._released.wait()
        if response is None:
            await route.continue_()
        else:
            body = await response.json()
            self._change(body)
            await route.fulfill(response=response, body=json.dumps(body))
        if answer := await route.request.response():
            await answer.finished()
        self._answered.set()


async def hold_request(page: Page | BrowserContext, method: str, url: str) -> Held:
    """Delay the first request with this method and URL."""
    return await Held(method).start(page, url)


async def hold_answer(page: Page | BrowserContext, url: str) -> Held:
    """Delay the answer of the first GET of this URL."""
    return await Held("GET", answer=True).start(page, url)


async def earlier_answers(page: Page) -> None:
    """Wait until the page has handled all answers that it has received so far, by requesting one more."""
    await page.evaluate("() => fetch('/api/people').then((answer) => answer.json())")
