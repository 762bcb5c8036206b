"""The page of a sandbox that others can reach asks for a password."""

from __future__ import annotations

import base64

import aiohttp
import pytest

import sandbox


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"any:{password}".encode()).decode()}


@pytest.mark.parametrize(("host", "password"), [("0.0.0.0", ""), ("127.0.0.1", "given-password")])
async def test_page_requires_its_password(host: str, password: str) -> None:
    running = await sandbox.start(["weimi1001"], host=host, port=0, password=password)
    try:
        assert len(running.password) >= 14
        for page in ("/", "/api/state", "/api/accounts/weimi1001/logout"):
            for wrong in ({}, basic("wrong"), basic("")):
                method = "POST" if page.endswith("logout") else "GET"
                async with aiohttp.request(method, running.url + page, headers=wrong) as answer:
                    assert answer.status == 401
                    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        async with aiohttp.request("GET", f"{running.url}/api/state", headers=basic(running.password)) as ok:
            assert ok.status == 200
    finally:
        await running.stop()


async def test_loopback_needs_no_password() -> None:
    running = await sandbox.start(["weimi1001"], port=0)
    async with aiohttp.request("GET", f"{running.url}/api/state") as answer:
        assert answer.status == 200
    await running.stop()
    assert running.password == ""
