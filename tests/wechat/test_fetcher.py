"""File boxes and downloads: limits, addresses, redirects, and what is sent."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from errors import WeChatError, WeChatRefused, WeChatUnknown
from tests.web_server import serving
from wechat import fetcher, filebox
from wechat.entities import Media
from wechat.fetcher import PrivateAddress, PublicResolver, fetch, is_public
from wechat.filebox import BOX_OVERHEAD, from_box, to_box
from wechat.received_file import ReceivedFile
from wechat.wire import Wire

HERE = ("127.0.0.1",)
NO_WIRE = cast(Wire, None)


class Site:
    """A web server: /N redirects N times before it returns `data`."""

    def __init__(self) -> None:
        self.url = ""
        self.status, self.data = 302, b"data"
        self.asked: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append({name.lower(): value for name, value in request.headers.items()})
        number = int(request.path.strip("/") or 0)
        if number:
            return web.Response(status=self.status, headers={"Location": f"/{number - 1}"})
        return web.Response(body=self.data, status=200 if self.status in fetcher.REDIRECTS else self.status)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    async with serving(site.answer) as site.url:
        yield site


async def fetched(url: str, headers: Any = None, limit: int = 100) -> bytes:
    received = ReceivedFile(limit, on_disk=False)
    await fetch(url, headers, received, HERE)
    return (await received.media("a")).data


# ---- downloads ----


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_three_redirects_are_followed(site: Site, status: int) -> None:
    site.status = status
    assert await fetched(f"{site.url}/3") == b"data"
    assert len(site.asked) == 4
    with pytest.raises(WeChatRefused, match="more than 3 times"):
        await fetched(f"{site.url}/4")
    assert len(site.asked) == 8


@pytest.mark.parametrize("status", [300, 304, 404, 500, 206])
async def test_other_status_is_refused(site: Site, status: int) -> None:
    site.status = status
    with pytest.raises(WeChatRefused, match=f"answered {status}"):
        await fetched(f"{site.url}/0")


async def test_only_headers_of_a_download_are_sent(site: Site) -> None:
    headers = {
        "Referer": "r",
        "COOKIE": 5,
        "user-agent": "u",
        "Accept": "image/*",
        "Host": "evil",
        "Authorization": "x",
    }
    await fetched(f"{site.url}/1", headers)
    for asked in site.asked:
        assert (asked["referer"], asked["cookie"], asked["user-agent"], asked["accept"]) == ("r", "5", "u", "image/*")
        assert "authorization" not in asked
        assert asked["host"].startswith("127.0.0.1")
    assert await fetched(f"{site.url}/0", ["Referer"]) == b"data"


async def test_download_is_limited(site: Site) -> None:
    site.data = b"x" * 100
    assert len(await fetched(f"{site.url}/0")) == 100
    with pytest.raises(WeChatRefused, match="more than 99 bytes"):
        await fetched(f"{site.url}/0", limit=99)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a", "http://", "/path", "127.0.0.1"])
async def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises((WeChatRefused, ValueError)):
        await fetched(url)


async def test_unreachable_address_is_unknown() -> None:
    with pytest.raises(WeChatUnknown, match="could not be read"):
        await fetched("http://127.0.0.1:1/a")


async def test_private_address_is_refused_unless_named(site: Site) -> None:
    with pytest.raises(WeChatRefused, match="private"):
        await fetch(f"{site.url}/0", None, ReceivedFile(9, on_disk=False), ("localhost",))
    assert site.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f::8b2c", True),
        ("127.0.0.1", False),
        ("224.0.0.1", False),
        ("ff0e::1", False),
        ("::ffff:93.184.215.14", True),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::1", False),
        ("64:ff9b:1::1", False),
        ("2002::1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(("addresses", "public"), [(["93.184.215.14"], True), (["93.184.215.14", "10.0.0.1"], False)])
async def test_name_is_public_if_all_its_addresses_are(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], public: bool
) -> None:
    async def resolve(_host: str, port: int, **_more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    resolver = PublicResolver()
    if public:
        assert [found["host"] for found in await resolver.resolve("h.example", 80)] == addresses
    else:
        with pytest.raises(PrivateAddress, match=r"h\.example"):
            await resolver.resolve("h.example", 80)
    await resolver.close()


# ---- boxes ----


def box(**data: Any) -> str:
    return json.dumps(data)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a.txt", "a.txt"), ("../b/c.txt", "c.txt"), ("c:\\d.txt", "d.txt"), ("a\nb", "a b"), ("", "file"), (None, "file"),
     ("x/", "file"), (5, "5")],
)  # fmt: skip
async def test_name_of_a_box_is_a_file_name(name: Any, shown: str) -> None:
    assert (await from_box(box(type=1, name=name, base64=""), NO_WIRE)).name == shown


async def test_box_is_limited_before_it_is_parsed() -> None:
    limit = 300
    longest = limit * 4 // 3 + BOX_OVERHEAD
    text = box(type=1, base64=base64.b64encode(b"x" * limit).decode())
    assert len((await from_box(text.ljust(longest), NO_WIRE, limit=limit)).data) == limit
    with pytest.raises(WeChatRefused, match="more than 300 bytes"):
        await from_box(text.ljust(longest + 1), NO_WIRE, limit=limit)


async def test_box_with_a_qr_code_is_drawn_as_a_picture() -> None:
    media = await from_box(box(type=3, name="code.png", qrCode="https://u.example"), NO_WIRE)
    assert media.name == "code.png"
    assert media.data.startswith(b"\x89PNG")


async def test_uploaded_file_is_downloaded_by_its_id() -> None:
    async def download(id: str, take: Any) -> None:
        assert id == "u1"
        await take(b"data")

    wire = cast(Wire, SimpleNamespace(download=download))
    assert await from_box(box(type=7, name="a", uuid="u1"), wire) == Media("a", b"data")
    with pytest.raises(WeChatRefused, match="more than 3 bytes"):
        await from_box(box(type=7, name="a", uuid="u1"), wire, limit=3)


@pytest.mark.parametrize("kind", [0, 4, 5, 6, 8, "1", "x", None])
async def test_box_of_another_type_is_refused(kind: Any) -> None:
    with pytest.raises(WeChatRefused, match="unknown type"):
        await from_box(box(type=kind, base64="", uuid="u", qrCode="q"), NO_WIRE)


@pytest.mark.parametrize(
    "text",
    ["", "5", "[]", "{", box(type=1), box(type=1, base64=5), box(type=1, base64="x"), box(type=2), box(type=3),
     box(type=7), "[" * 9999],
)  # fmt: skip
async def test_invalid_box_is_refused(text: str) -> None:
    with pytest.raises(WeChatRefused, match="invalid file box"):
        await from_box(text, NO_WIRE)


async def test_old_fields_of_a_box_are_read(site: Site) -> None:
    old = box(boxType=2, name="a", remoteUrl=f"{site.url}/0")
    assert (await from_box(old, NO_WIRE, private_hosts=HERE)).data == b"data"
    both = box(type=2, name="a", url=f"{site.url}/0", remoteUrl="http://127.0.0.1:1")
    assert (await from_box(both, NO_WIRE, private_hosts=HERE)).data == b"data"
    with pytest.raises(WeChatError):
        await from_box(old, NO_WIRE)


async def test_file_on_disk_on_request(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wechat.received_file.PIECE", 1)
    asked = box(type=2, name="a", url=f"{site.url}/0")
    assert (await from_box(asked, NO_WIRE, private_hosts=HERE)).file is None
    on_disk = await from_box(asked, NO_WIRE, private_hosts=HERE, on_disk=True)
    assert on_disk.file is not None
    assert b"".join(on_disk.pieces()) == b"data"
    assert filebox.MAX_FILE == 100 * 1024 * 1024


async def test_small_file_is_sent_in_the_box_and_a_large_one_uploaded(monkeypatch: pytest.MonkeyPatch) -> None:
    uploads: list[bytes] = []

    async def upload(data: bytes) -> str:
        uploads.append(data)
        return "u1"

    wire = cast(Wire, SimpleNamespace(upload=upload))
    monkeypatch.setattr(filebox, "MAX_INLINE", 3)
    assert json.loads(await to_box(Media("a", b"abc"), wire)) == {"type": 1, "name": "a", "base64": "YWJj"}
    assert uploads == []
    assert json.loads(await to_box(Media("a", b"abcd"), wire)) == {"type": 7, "name": "a", "uuid": "u1"}
    assert uploads == [b"abcd"]
