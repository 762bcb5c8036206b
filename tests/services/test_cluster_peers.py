"""Messages between processes: pending notifications, versions of shared data, and requests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from sqlalchemy.exc import OperationalError

from models.cluster import AccountLease, Member
from models.db import Store
from services.cluster import peers as peers_module
from services.cluster.parts import ClusterParts
from services.cluster.peers import SECRET_HEADER, STAFF_PATH, Peers, Unreachable
from tests.ports import free_port
from tests.services.test_lists import put
from tests.stories.business import never_respond
from tests.web_server import serving

SECRET, OWN = "s3cret", "http://10.0.0.1:8080"
AWAY = OperationalError("", {}, Exception("away"))


@pytest.fixture
async def peers(sqlite_store: Store) -> AsyncIterator[Peers]:
    peers = Peers(cast("ClusterParts", SimpleNamespace(address=OWN, secret=SECRET)), sqlite_store)
    yield peers
    await peers.close()


async def leases(store: Store, address: str = "http://10.0.0.2:8080") -> None:
    await put(
        store,
        Member(id="m2", advertise=address, capacity=1, version="1", seen=1),
        AccountLease(account="", member="m2"),
        AccountLease(account="a", member="m2"),
        AccountLease(account="dead", member="gone"),
        AccountLease(account="free"),
    )


async def test_holders_are_found(peers: Peers, sqlite_store: Store) -> None:
    await leases(sqlite_store)
    assert peers.own_address == OWN
    found = [await peers.holder(account) for account in ("a", "dead", "free", "unknown")]
    assert found == ["http://10.0.0.2:8080", "", "", None]
    assert await peers.all_holders() == {"a": "http://10.0.0.2:8080", "dead": "", "free": ""}


async def test_holder_is_remembered_briefly(peers: Peers, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("services.cluster.peers.time.monotonic", lambda: now)
    await leases(sqlite_store)
    await peers.holder("a")
    await sqlite_store.write(lambda s: s.delete(s.get_one(Member, "m2")))
    assert await peers.holder("a") == "http://10.0.0.2:8080"
    now = 100.4
    assert await peers.holder("a") == "http://10.0.0.2:8080"
    assert await peers.holder("a", fresh=True) == ""
    assert await peers.holder("a") == "", "none is not remembered"
    await put(sqlite_store, Member(id="m2", advertise="http://new", capacity=1, version="1", seen=1))
    assert await peers.holder("a") == "http://new"
    await sqlite_store.write(lambda s: s.delete(s.get_one(Member, "m2")))
    now = 100.9
    assert await peers.holder("a") == "", "half a second is over"


def test_secret_of_the_cluster_is_checked(sqlite_store: Store) -> None:
    parts = SimpleNamespace(address=OWN, secret=SECRET)
    peers = Peers(cast("ClusterParts", parts), sqlite_store)
    assert [peers.is_member(secret) for secret in (SECRET, "other", "", "é")] == [True, False, False, False]
    parts.secret = ""
    assert not peers.is_member(""), "this process has not joined yet"


async def test_peer_is_asked(peers: Peers, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "GET_SECONDS", 0.3)
    seen: list[Any] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((request.path, dict(request.query), request.headers[SECRET_HEADER]))
        if request.path == "/hangs":
            await never_respond()
        if request.path == "/broken":
            return web.Response(text="{", content_type="application/json")
        staff = request.query.get("contact") == "x"
        return web.json_response({"staff": staff}, status=404 if request.path == "/missing" else 200)

    async with serving(answer) as url:
        assert await peers.get_json(url, "/any", {"contact": "x"}) == {"staff": True}
        assert [await peers.get_json(url, path) for path in ("/missing", "/broken", "/hangs")] == [None, None, None]
        await leases(sqlite_store, url)
        assert await peers.is_staff("a", "x")
        assert not await peers.is_staff("a", "y")
    assert seen[0] == ("/any", {"contact": "x"}, SECRET)
    assert seen[-1] == (STAFF_PATH, {"account": "a", "contact": "y"}, SECRET)
    assert not await peers.is_staff("a", "x"), "it does not respond"
    assert not await peers.is_staff("free", "x")
    assert not await peers.is_staff("unknown", "x")


async def test_own_accounts_are_not_asked_about(peers: Peers, sqlite_store: Store) -> None:
    await leases(sqlite_store, OWN)
    assert not await peers.is_staff("a", "x")
    assert peers._session is None


async def test_request_is_forwarded(peers: Peers) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/hangs":
            await never_respond()
        if request.path == "/moved":
            raise web.HTTPFound("/other")
        facts = [request.method, request.headers["X-A"], request.headers[SECRET_HEADER], await request.text()]
        response = web.json_response(facts, status=201)
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    async with serving(answer) as url:
        got = await peers.send(url, "PUT", "/x", {"X-A": "1"}, b"body", 30)
        assert (got.status, json.loads(got.body)) == (201, ["PUT", "1", SECRET, "body"])
        assert [cookie.partition(";")[0] for cookie in got.cookies] == ["a=1", "b=2"]
        assert json.loads((await peers.send(url, "GET", "/x", {"X-A": "1"}, b"", 30)).body)[3] == ""
        assert (await peers.send(url, "GET", "/moved", {}, b"", 30)).status == 302
        with pytest.raises(Unreachable) as caught:
            await peers.send(url, "POST", "/hangs", {}, b"x", 0.2)
        assert caught.value.sent, "it may have been done"
    with pytest.raises(Unreachable) as caught:
        await peers.send(f"http://127.0.0.1:{free_port()}", "POST", "/x", {}, b"x", 30)
    assert not caught.value.sent
    assert str(caught.value).startswith("Client")


async def test_session_is_opened_again_after_closing(peers: Peers) -> None:
    await peers.close()
    first = peers._open()
    assert peers._open() is first
    await peers.close()
    assert first.closed and peers._open() is not first
