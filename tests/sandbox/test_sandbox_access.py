"""Access to the sandbox's page and API, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

import sandbox
from tests.sandbox.conftest import ACCOUNT
from web_hosts import is_served


@pytest.fixture
async def running() -> AsyncIterator[sandbox.Sandbox]:
    running = await sandbox.start([ACCOUNT], port=0, token="insecure_x", seed=1)
    yield running
    await running.stop()


@pytest.fixture
async def http(running: sandbox.Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(running.url) as session:
        yield session


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8788", "localhost", "localhost:1", "a.localhost:8788", "192.168.1.2:8788", "[::1]"]
)
def test_ip_addresses_are_served(host: str) -> None:
    assert is_served(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.cn", "2130706433", "0x7f.1", "127.1", "", "[", "[x]"],
)
def test_host_names_are_checked(host: str) -> None:
    assert not is_served(host)


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/api/state", "/api/events?person=wxid_songgongming"])
async def test_rebound_host_name_is_rejected(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path, headers={"Host": "evil.example:8788"}) as answer:
        assert answer.status == 403
        assert "宋公明" not in await answer.text()


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/page/icon.svg", "/api/state", "/nothing", "/api/nothing"])
async def test_every_response_has_the_security_policy(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "written"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]")],
)
def test_printed_address_can_be_opened(host: str, written: str) -> None:
    assert sandbox.address(host) == written


async def test_cross_origin_post_is_rejected(http: aiohttp.ClientSession) -> None:
    """Rejected by Origin, by Sec-Fetch-Site, or as a form without a preflight."""
    somebody = {"name": "甲"}
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        async with http.post("/api/people", json=somebody, headers=headers) as answer:
            assert answer.status == 403, headers
    async with http.post("/api/people", data='{"name": "甲"}', headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 415
    async with http.post("/api/people", data=somebody) as answer:
        assert answer.status == 415
    own = {"Origin": str(http._base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    async with http.post("/api/people", json=somebody, headers=own) as answer:
        assert answer.status == 201


async def test_only_page_files_are_served(http: aiohttp.ClientSession) -> None:
    for path in ("/page/../control.py", "/page/%2e%2e/control.py", "/page/..%2fcontrol.py", "/page/", "/page/views"):
        async with http.get(path) as answer:
            assert answer.status in (403, 404), path


def test_page_files_load_nothing_external() -> None:
    """No external URLs and no HTML from strings, in all files of the page except the library."""
    folder = Path(sandbox.__file__).parent / "page"
    files = [f for f in folder.rglob("*") if f.suffix in {".js", ".css", ".html"} and "vendor" not in f.parts]
    assert len(files) > 20
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert "innerHTML" not in text
        assert "document.write" not in text
        assert "://" not in text.replace("https?:\\/\\/", "").replace("^https:\\/\\/", ""), file
        assert len(text.splitlines()) < 250, file
