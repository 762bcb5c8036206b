"""The landing page as served. Its rendering is tested in test_pages_in_a_browser.py."""

from __future__ import annotations

import asyncio
import base64
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from api.view_limit import MAX_VIEWS, ViewLimit
from errors import WeChatRefused
from models.groups import QunState
from tests.api.conftest import QUN, ApiServer, StartServer
from wechat.interface import State


async def _page(server: ApiServer, code: str = "shop-1") -> tuple[int, str, Any]:
    await server.make_group(code)
    return await _page_of(server, code)


async def _page_of(server: ApiServer, code: str) -> tuple[int, str, Any]:
    qun = server.container.groups.by_code(code)
    assert qun is not None
    return await server.call("GET", f"/weiqun/{qun.public_id}")


def decode_qr_code(html: str) -> str:
    """Return the content of the page's QR code."""
    picture = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', html)[1])  # type: ignore[index]
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        Path(file.name).write_bytes(picture)
        return str(zxingcpp.read_barcodes(Image.open(file.name).convert("L"))[0].text)


async def test_page_shows_group_and_token(server: ApiServer) -> None:
    status, html, headers = await _page(server)
    qun = await server.make_group()
    assert status == 200
    for shown in ("宋公明的群100001", "群主</span>宋公明", "3 人", qun["token"], "小微", "验证信息"):
        assert shown in html
    assert decode_qr_code(html) == "https://u.wechat.com/MDtestCode"
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in headers["X-Robots-Tag"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")


async def test_page_hides_code_and_members(server: ApiServer) -> None:
    server.wechat.knows("wxid_song", "宋公明", weixin="songgm", alias="老宋")
    html = (await _page(server, "secret-code"))[1]
    for hidden in ("secret-code", "wxid_", "songgm", "老宋", "智多星", "100001@", "weimi1001"):
        assert hidden not in html


async def test_page_loads_nothing_external(server: ApiServer) -> None:
    html = (await _page(server))[1]
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    assert "@import" not in html
    assert "url(" not in html


async def test_names_are_escaped(start_server: StartServer) -> None:
    server = await start_server(groups={"topic": '<b>{owner}</b>&"'})
    server.wechat.knows("wxid_song", "<script>alert(1)</script>")
    await server.call("POST", "/wxbot/qun", json={**QUN, "owner": "wxid_song"})
    html = (await _page_of(server, "shop-1"))[1]
    assert "<script>alert" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


async def test_unknown_owner_id_is_not_shown(server: ApiServer) -> None:
    await server.call("POST", "/wxbot/qun", json={**QUN, "owner": "wxid_song"})
    server.wechat.directory.drop_contact("wxid_song")
    status, html, _ = await _page_of(server, "shop-1")
    assert status == 200
    assert "wxid_song" not in html


@pytest.mark.parametrize("path", ["none", "MTAwMTEx", "%00", "%F0%9F%92%A9", "a" * 2000])
async def test_unknown_id_returns_404_page(server: ApiServer, path: str) -> None:
    status, html, headers = await server.call("GET", f"/weiqun/{path}")
    assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "没有找到这个群" in html


async def test_closed_group_returns_410_page(server: ApiServer) -> None:
    await server.make_group("shop-1")
    assert (await server.call("DELETE", "/wxbot/qun/100001"))[0] == 204
    status, html, _ = await _page_of(server, "shop-1")
    assert status == 410
    assert "这个群已经关闭" in html


async def test_unfinished_group_returns_404_page(server: ApiServer) -> None:
    server.wechat.fails["create_room"] = WeChatRefused("create_room", "no")
    assert (await server.call("POST", "/wxbot/qun", json=QUN))[0] == 502
    qun = server.container.groups.by_code("shop-1")
    assert qun is not None
    status, html, _ = await server.call("GET", f"/weiqun/{qun.public_id}")
    assert status == 404
    assert "这个群还没有建好" in html, "the address is right, but it is too early"


async def test_head_of_landing_page(server: ApiServer) -> None:
    qun = await server.make_group()
    assert (await server.call("HEAD", qun["url"].removeprefix("http://127.0.0.1:8080")))[0] == 200
    assert (await server.call("HEAD", "/weiqun/none"))[0] == 404


async def test_page_without_qr_code_while_assistant_is_offline(server: ApiServer) -> None:
    await _page(server)
    server.wechat.state = State.LOGGED_OUT
    status, html, _ = await _page(server)
    assert status == 200
    assert "助手正在休息" in html
    assert "<img" not in html
    assert (await server.make_group())["token"] in html


async def test_qr_code_is_cached(server: ApiServer) -> None:
    server.wechat.holds["self_qr_code"] = asyncio.Event()
    views = [asyncio.create_task(_page(server)) for _ in range(5)]
    await server.wechat.reached("self_qr_code")
    server.wechat.holds["self_qr_code"].set()
    assert all("<img" in html for _, html, _ in await asyncio.gather(*views))
    assert server.wechat.calls.count("self_qr_code") == 1
    server.clock.ahead += 601
    await _page(server)
    assert server.wechat.calls.count("self_qr_code") == 2


@pytest.mark.parametrize("trouble", [WeChatRefused("qr", "no"), TimeoutError()])
async def test_page_is_served_without_qr_code_on_failure(server: ApiServer, trouble: Exception) -> None:
    server.wechat.fails["self_qr_code"] = trouble
    for _ in range(3):
        status, html, _ = await _page(server)
        assert status == 200
        assert "二维码暂时取不到" in html
    assert server.wechat.calls.count("self_qr_code") == 1
    del server.wechat.fails["self_qr_code"]
    server.clock.ahead += 16
    assert "<img" in (await _page(server))[1]


async def test_hanging_gateway_does_not_delay_the_page(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.qrcodes.TIMEOUT", 0.05)
    server.wechat.holds["self_qr_code"] = asyncio.Event()
    assert "二维码暂时取不到" in (await _page(server))[1]


async def test_page_of_closed_token(start_server: StartServer) -> None:
    server = await start_server(groups={"token_days": 1, "capacity": 3})
    token = (await server.make_group())["token"]
    html = (await _page(server))[1]
    assert "有效期至" in html
    assert "群人数已满" in html
    server.clock.ahead = 86_401
    html = (await _page(server))[1]
    assert "入群令牌已过期" in html
    assert token not in html
    await server.container.groups.change(100001, state=QunState.LOST)
    html = (await _page(server))[1]
    assert "这个群暂时不能加入" in html
    assert token not in html


async def test_too_many_views_return_429_page(start_server: StartServer) -> None:
    server = await start_server(api={"trusted_proxies": ["127.0.0.1/32"]})
    server.http.headers["X-Forwarded-For"] = "10.0.0.1"
    path = (await server.make_group())["url"].removeprefix("http://127.0.0.1:8080")

    async def view(address: str) -> tuple[int, str, Any]:
        return await server.call("GET", path, headers={"X-Forwarded-For": address})

    for _ in range(MAX_VIEWS):
        assert (await view("8.8.8.8"))[0] == 200
    status, html, headers = await view("8.8.8.8")
    assert status == 429
    assert "打开得太频繁了" in html
    assert 1 <= int(headers["Retry-After"]) <= 60
    assert (await view("8.8.4.4"))[0] == 200
    server.clock.ahead = 61
    assert (await view("8.8.8.8"))[0] == 200


async def test_views_of_unknown_pages_count(server: ApiServer) -> None:
    statuses = [(await server.call("GET", f"/weiqun/{number}"))[0] for number in range(MAX_VIEWS + 1)]
    assert statuses == [404] * MAX_VIEWS + [429]


def test_view_counters_are_bounded_and_slide() -> None:
    now = 0.0
    limit = ViewLimit(lambda: now, max_addresses=100)
    for number in range(1000):
        assert limit.acquire(f"10.0.{number // 256}.{number % 256}") == 0
    assert len(limit) == 100
    for number in range(MAX_VIEWS):
        now = number / 2
        assert limit.acquire("2001:db8::1") == 0
    assert limit.acquire("2001:db8::2:2") == pytest.approx(60 - now)  # the same /48
    assert limit.acquire("2001:db8:0:1::1") > 0  # likewise
    assert limit.acquire("2001:db8:1::1") == 0
    now = 60.0
    assert limit.acquire("2001:db8::1") == 0  # the first view has left the window
    assert limit.acquire("2001:db8::1") > 0
