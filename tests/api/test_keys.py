"""API keys: scopes, networks, rate limits, and names in the audit log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from api.api_keys import scopes_for
from api.app import ROUTES
from config.settings import Scope
from tests.api.conftest import QUN, OpenDoor, error


def auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def keyed(**more: Any) -> dict[str, Any]:
    return {"name": "erp", "key": "k-erp", **more}


async def test_scopes(opened: OpenDoor) -> None:
    shop = {"name": "shop", "key": "k-shop", "scopes": ["qun"]}
    door = await opened(api={"keys": ["all", keyed(scopes=["read"]), shop]})
    assert (await door.call("POST", "/wxbot/qun", json=QUN, headers=auth("k-erp")))[:2] == (403, error(1002))
    assert (await door.call("POST", "/wxbot/qun", json=QUN, headers=auth("k-shop")))[0] == 201
    assert (await door.call("POST", "/wxbot/qun", json=QUN, headers=auth("all")))[0] == 200
    for key, path, status in (
        ("k-erp", "/wxbot/qun", 200),
        ("k-erp", "/wxbot/ticket", 200),
        ("k-erp", "/wxbot/message/1", 404),
        ("k-shop", "/wxbot/qun", 200),
        ("k-shop", "/wxbot/message/1", 403),
        ("k-shop", "/wxbot/audit", 403),
        ("all", "/wxbot/audit", 200),
        ("wrong", "/wxbot/qun", 401),
        ("", "/wxbot/qun", 401),
    ):
        assert (await door.call("GET", path, headers=auth(key)))[0] == status, (key, path)
    assert (await door.call("POST", "/wxbot/webhook/1/resend", headers=auth("k-erp")))[:2] == (403, error(1002))
    assert (await door.call("GET", "/wxbot/qun"))[:2] == (401, error(1003))


async def test_the_audit_log_names_the_key(opened: OpenDoor) -> None:
    door = await opened(api={"keys": [keyed(), "nameless"]})
    await door.call("POST", "/wxbot/qun", json=QUN, headers=auth("k-erp"))
    await door.call("POST", "/wxbot/qun", json={**QUN, "code": "b"}, headers=auth("nameless"))
    body = (await door.call("GET", "/wxbot/audit", headers=auth("k-erp")))[1]
    assert [one["who"] for one in body["audit"]] == ["rest:127.0.0.1", "rest:erp"]


async def test_so_many_calls_a_minute(opened: OpenDoor) -> None:
    door = await opened(api={"keys": [keyed(per_minute=2), "other"]})
    for _ in range(2):
        assert (await door.call("GET", "/wxbot/qun", headers=auth("k-erp")))[0] == 200
    status, body, headers = await door.call("GET", "/wxbot/qun", headers=auth("k-erp"))
    assert (status, body) == (429, error(1007))
    assert 1 <= int(headers["Retry-After"]) <= 60
    assert (await door.call("GET", "/wxbot/qun", headers=auth("other")))[0] == 200
    door.clock.ahead = 61
    assert (await door.call("GET", "/wxbot/qun", headers=auth("k-erp")))[0] == 200


async def test_networks_of_a_key(opened: OpenDoor) -> None:
    door = await opened(api={"trusted_proxies": ["127.0.0.1"], "keys": [keyed(networks=["10.1.0.0/16"])]})
    for address, status in (("10.1.2.3", 200), ("10.2.0.1", 403), ("::1", 403)):
        headers = {**auth("k-erp"), "X-Forwarded-For": address}
        assert (await door.call("GET", "/wxbot/qun", headers=headers))[0] == status, address


async def test_two_keys_of_one_name_while_one_takes_the_place_of_the_other(opened: OpenDoor, tmp_path: Path) -> None:
    secret = tmp_path / "new"
    secret.write_text("k-new\n")
    door = await opened(api={"keys": [keyed(), keyed(key=f"file:{secret}")]})
    for key, status in (("k-erp", 200), ("k-new", 200), (f"file:{secret}", 401)):
        assert (await door.call("GET", "/wxbot/qun", headers=auth(key)))[0] == status, key


@pytest.mark.parametrize("route", [route for route in ROUTES if route.path.startswith("/wxbot/")], ids=str)
def test_every_route_needs_a_scope(route: Any) -> None:
    """A route without a known prefix requires the admin scope."""
    needed = scopes_for(route.method, re.sub(r":[^{}]*(\{[^{}]*\})?\}", "}", route.path))
    assert needed
    if route.method != "GET":
        assert Scope.READ not in needed
