"""Errors of the control API, rejected uploads and origins, and its end."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

import sandbox
from sandbox.world.storage import snapshot
from sandbox.world.world import SONG
from tests.sandbox.conftest import ACCOUNT, BOT
from tests.sandbox.control_client import Page, first, page
from tests.waiting import SECONDS

__all__ = ["page"]


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("DELETE", "/state", None, 405),
        ("GET", "/people/wxid_nobody/chats", None, 404),
        ("GET", f"/people/{SONG}/chats/1@chatroom", None, 404),
        ("GET", f"/people/{SONG}/chats/{BOT}/messages?limit=x", None, 400),
        ("GET", "/events", None, 404),
        ("GET", "/events?person=wxid_nobody", None, 404),
        ("POST", "/people", "nonsense", 400),
        ("POST", "/people", "[]", 400),
        ("POST", "/people", b"\xff", 400),
        ("POST", "/people", "[" * 100_000, 400),
        ("POST", "/people", '{"name": "\\ud83d"}', 400),  # a lone surrogate cannot be encoded as UTF-8
        ("POST", "/people", '{"name": "群", "id": "1@chatroom"}', 400),
        ("PUT", "/limits", '{"action": "message", "times": NaN}', 400),
        ("PUT", "/rules", '{"capacity": 1e400}', 400),
        ("GET", f"/qrcode.png?text={'x' * 3000}", None, 400),
        ("POST", f"/people/{SONG}/chats/{BOT}/messages", '{"text": " \\n"}', 400),
        ("POST", f"/people/{SONG}/messages/x/recall", None, 400),
    ],
)
async def test_errors_have_one_format(
    page: Page, method: str, path: str, data: str | bytes | None, status: int
) -> None:
    await page(method, path, data=data, status=status, headers={"Content-Type": "application/json"} if data else {})


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (b"nonsense", 400),
        (b'--x\r\nContent-Disposition: form-data; name="file"; filename="\xcd\xbc.png"\r\n\r\npng\r\n--x--\r\n', 201),
    ],
)
async def test_form_uploads_are_validated(page: Page, form: bytes, status: int) -> None:
    """An invalid form is rejected; a file name in another encoding does not prevent saving the world."""
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    await page("POST", f"/people/{SONG}/chats/{BOT}/messages", data=form, headers=kind, status=status)
    assert json.dumps(snapshot(page.running.world.state), ensure_ascii=False).encode()


async def test_cross_origin_request_is_rejected(page: Page) -> None:
    host = page.running.url
    await page("POST", "/people", {"name": "甲"}, status=403, headers={"Origin": "http://evil.example"})
    await page("POST", "/people", {"name": "甲"}, status=201, headers={"Origin": host})


async def test_stop_ends_live_streams() -> None:
    running = await sandbox.start([ACCOUNT], port=0, seed=1)
    async with aiohttp.ClientSession() as session, Page(running, session).live(f"/events?person={SONG}") as live:
        running.world.chats.say(BOT, SONG, "最后一条")
        await first(live, type="message")
        async with asyncio.timeout(SECONDS):
            await running.stop()
        with pytest.raises((EOFError, aiohttp.ClientError)):
            await first(live, type="message")
