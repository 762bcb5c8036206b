"""API keys: scopes, networks, rate limits, and names in the audit log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from api.api_keys import scopes_for
from api.app import ROUTES
from config.settings import Scope
from tests.api.conftest import QUN, StartServer, error


def auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


ERP = "key-of-erp-12345"


def keyed(**more: Any) -> dict[str, Any]:
    return {"name": "erp", "key": "key-of-erp-12345", **more}


async def test_key_scope_limits_operations(start_server: StartServer) -> None:
    shop = {"name": "shop", "key": "key-of-shop-12345", "scopes": ["qun"]}
    server = await start_server(api={"keys": ["key-for-all-12345", keyed(scopes=["read"]), shop]})
    assert (await server.call("POST", "/wxbot/qun", json=QUN, headers=auth("key-of-erp-12345")))[:2] == (
        403,
        error(1002),
    )
    assert (await server.call("POST", "/wxbot/qun", json=QUN, headers=auth("key-of-shop-12345")))[0] == 201
    assert (await server.call("POST", "/wxbot/qun", json=QUN, headers=auth("key-for-all-12345")))[0] == 200
    for key, path, status in (
        ("key-of-erp-12345", "/wxbot/qun", 200),
        ("key-of-erp-12345", "/wxbot/ticket", 200),
        ("key-of-erp-12345", "/wxbot/message/1", 404),
        ("key-of-shop-12345", "/wxbot/qun", 200),
        ("key-of-shop-12345", "/wxbot/message/1", 403),
        ("key-of-shop-12345", "/wxbot/audit", 403),
        ("key-for-all-12345", "/wxbot/audit", 200),
        ("wrong", "/wxbot/qun", 401),
        ("", "/wxbot/qun", 401),
    ):
        assert (await server.call("GET", path, headers=auth(key)))[0] == status, (key, path)
    assert (await server.call("POST", "/wxbot/webhook/1/resend", headers=auth("key-of-erp-12345")))[:2] == (
        403,
        error(1002),
    )
    assert (await server.call("GET", "/wxbot/qun"))[:2] == (401, error(1003))


async def test_audit_log_names_the_key(start_server: StartServer) -> None:
    server = await start_server(api={"keys": [keyed(), "key-without-name-1"]})
    await server.call("POST", "/wxbot/qun", json=QUN, headers=auth("key-of-erp-12345"))
    await server.call("POST", "/wxbot/qun", json={**QUN, "code": "b"}, headers=auth("key-without-name-1"))
    body = (await server.call("GET", "/wxbot/audit", headers=auth("key-of-erp-12345")))[1]
    assert [entry["who"] for entry in body["audit"]] == ["rest:127.0.0.1", "rest:erp"]


async def test_key_rate_limit_returns_429(start_server: StartServer) -> None:
    server = await start_server(api={"keys": [keyed(per_minute=2), "another-key-12345"]})
    for _ in range(2):
        assert (await server.call("GET", "/wxbot/qun", headers=auth("key-of-erp-12345")))[0] == 200
    status, body, headers = await server.call("GET", "/wxbot/qun", headers=auth("key-of-erp-12345"))
    assert (status, body) == (429, error(1007))
    assert 1 <= int(headers["Retry-After"]) <= 60
    assert (await server.call("GET", "/wxbot/qun", headers=auth("another-key-12345")))[0] == 200
    server.clock.ahead = 61
    assert (await server.call("GET", "/wxbot/qun", headers=auth("key-of-erp-12345")))[0] == 200


async def test_key_is_limited_to_its_networks(start_server: StartServer) -> None:
    server = await start_server(api={"trusted_proxies": ["127.0.0.1"], "keys": [keyed(networks=["10.1.0.0/16"])]})
    for address, status in (("10.1.2.3", 200), ("10.2.0.1", 403), ("::1", 403)):
        headers = {**auth("key-of-erp-12345"), "X-Forwarded-For": address}
        assert (await server.call("GET", "/wxbot/qun", headers=headers))[0] == status, address


async def test_rotated_keys_of_one_name_both_work(start_server: StartServer, tmp_path: Path) -> None:
    secret = tmp_path / "new"
    secret.write_text("key-new-123456789\n")
    server = await start_server(api={"keys": [keyed(), keyed(key=f"file:{secret}")]})
    for key, status in (("key-of-erp-12345", 200), ("key-new-123456789", 200), (f"file:{secret}", 401)):
        assert (await server.call("GET", "/wxbot/qun", headers=auth(key)))[0] == status, key


@pytest.mark.parametrize("route", [route for route in ROUTES if route.path.startswith("/wxbot/")], ids=str)
def test_every_route_has_a_scope(route: Any) -> None:
    """A route without a known prefix requires the admin scope."""
    needed = scopes_for(route.method, re.sub(r":[^{}]*(\{[^{}]*\})?\}", "}", route.path))
    assert needed
    if route.method != "GET":
        assert Scope.READ not in needed
