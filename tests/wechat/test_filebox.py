"""File boxes of an untrusted gateway: size, nesting, redirects, headers."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import web

from errors import WeChatError, WeChatRefused
from tests.web_server import serving
from wechat.filebox import from_box
from wechat.wire import Wire

HERE = frozenset({"127.0.0.1"})
NO_WIRE = cast(Wire, None)  # boxes that are fetched elsewhere ask none


class Site:
    """A web server that records request headers; /moved redirects to /file, /away to `elsewhere`."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.url = self.elsewhere = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append({name.lower(): value for name, value in request.headers.items()})
        to = {"/moved": "/file", "/away": self.elsewhere}.get(request.path)
        if to is not None:
            raise web.HTTPFound(to)
        return web.Response(body=b"bytes")


@pytest.fixture
async def sites() -> AsyncIterator[tuple[Site, Site]]:
    first, second = Site(), Site()
    async with serving(first.answer) as first.url, serving(second.answer) as second.url:
        first.elsewhere = second.url
        yield first, second


def box(**data: Any) -> str:
    return json.dumps({"name": "a.txt", **data})


async def test_deeply_nested_box_is_rejected() -> None:
    with pytest.raises(WeChatRefused, match="invalid file box"):
        await from_box("[" * 100_000 + "]" * 100_000, NO_WIRE)


async def test_redirect_is_followed_on_the_same_host_only(sites: tuple[Site, Site]) -> None:
    site, other = sites
    assert (await from_box(box(type=2, url=f"{site.url}/moved"), NO_WIRE, private_hosts=HERE)).data == b"bytes"
    with pytest.raises(WeChatRefused, match="another host"):
        await from_box(box(type=2, url=f"{site.url}/away"), NO_WIRE, private_hosts=HERE)
    assert other.asked == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "no address", ""])
async def test_non_http_url_is_rejected(url: str) -> None:
    with pytest.raises(WeChatRefused):
        await from_box(box(type=2, url=url), NO_WIRE)


PRIVATE = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "[::1]", "[fd00::1]",
           "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]"]  # fmt: skip


@pytest.mark.parametrize("host", [*PRIVATE, "localhost", "2130706433", "0x7f.1", "127.1"])
async def test_private_address_in_any_notation_is_rejected(sites: tuple[Site, Site], host: str) -> None:
    site, _ = sites
    port = site.url.rpartition(":")[2]
    with pytest.raises(WeChatError, match=r"private|could not be read"):
        await from_box(box(type=2, url=f"http://{host}:{port}/file"), NO_WIRE)
    assert site.asked == []


async def test_name_resolving_to_a_private_address_is_rejected(
    sites: tuple[Site, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if one of its addresses is public, because any of them may be connected to."""
    site, _ = sites
    port = int(site.url.rpartition(":")[2])

    async def resolve(_host: str, _port: int, **_more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("93.184.215.14", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(WeChatRefused, match="private"):
        await from_box(box(type=2, url=f"http://rebound.example:{port}/file"), NO_WIRE)
    assert site.asked == []
