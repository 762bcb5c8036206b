"""Lists over HTTP: format, pages, and rejected parameters."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlmodel import Session

from models.conversations import StoredMessage
from models.durable import Action
from models.support import Ticket, TicketState
from tests.api.conftest import ApiServer, error


async def test_groups_are_paged(server: ApiServer) -> None:
    made = [await server.make_group(f"shop-{number}") for number in range(3)]
    status, body, _ = await server.call("GET", "/wxbot/qun", params={"limit": "2"})
    assert (status, body) == (200, {"quns": [made[2], made[1]], "next": str(made[1]["number"])})
    status, body, _ = await server.call("GET", "/wxbot/qun", params={"limit": "2", "after": body["next"]})
    assert (status, body) == (200, {"quns": [made[0]], "next": None})
    queries = (({"q": "shop-1"}, 1), ({"assistant": "nobody"}, 0), ({"state": "lost"}, 0), ({"owner": "宋公明"}, 3))
    for query, found in queries:
        assert len((await server.call("GET", "/wxbot/qun", params=query))[1]["quns"]) == found, query
    assert (await server.call("GET", "/wxbot/qun", params={"code": "shop-1"}))[1] == {"qun": made[1]}


async def test_members_of_group_are_listed(server: ApiServer) -> None:
    qun = await server.make_group()
    await server.call("POST", "/wxbot/qun/membership", json={"token": qun["token"], "member": "黑旋风"})
    await server.call("POST", "/wxbot/qun/membership", json={"token": qun["token"], "member": "陌生人"})
    path = f"/wxbot/qun/{qun['number']}/members"
    status, body, _ = await server.call("GET", path)
    assert (status, body["next"], len(body["members"])) == (200, None, 3)
    newest = body["members"][0]
    assert (newest["member"], newest["contact_id"], newest["state"]) == ("黑旋风", "wxid_hei", "joined")
    waiting = (await server.call("GET", path, params={"state": "waiting_friend"}))[1]["members"]
    assert [(row["member"], row["contact_id"]) for row in waiting] == [("陌生人", None)]


async def test_ticket_contains_its_messages(server: ApiServer) -> None:
    who: dict[str, Any] = {"account": "weimi1001", "contact_id": "wxid_hei", "name": "黑旋风"}
    await server.container.store.write(lambda s: s.add(Ticket(**who, state=TicketState.OPEN, opened_at=1, last_at=2)))
    where: dict[str, Any] = {"account": "weimi1001", "conversation": "wxid_hei", "at": 1, "kind": "text", "ticket": 1}
    for by, staff, text in (("wxid_hei", "", "你好"), ("", "小王", "您好"), ("", "", "请稍候")):
        row = StoredMessage(**where, by=by, staff=staff, text=text)
        await server.container.store.write(partial(Session.add, instance=row))
    status, body, _ = await server.call("GET", "/wxbot/ticket", params={"state": "open"})
    assert (status, body["next"]) == (200, None)
    (shown,) = body["tickets"]
    assert (shown["id"], shown["name"], shown["state"]) == (1, "黑旋风", "open")
    status, body, _ = await server.call("GET", "/wxbot/ticket/1", params={"limit": "2"})
    assert status == 200
    said = body["ticket"]["messages"]
    assert body["ticket"] == {**shown, "messages": said}
    assert [(message["by"], message["text"]) for message in said] == [("assistant", "请稍候"), ("staff", "您好")]
    (first,) = (await server.call("GET", "/wxbot/ticket/1", params={"after": body["next"]}))[1]["ticket"]["messages"]
    assert (first["by"], first["text"]) == ("customer", "你好")


async def test_audit_log_is_listed(server: ApiServer) -> None:
    old = Action(at=1, account="weimi1001", kind="add", who="guard", target="x", outcome="done")
    await server.container.store.write(lambda s: s.add(old))
    await server.make_group()
    _, body, _ = await server.call("GET", "/wxbot/audit")
    assert [entry["kind"] for entry in body["audit"]] == ["group", "add"]
    assert body["audit"][0]["who"] == "rest:127.0.0.1"
    _, body, _ = await server.call("GET", "/wxbot/audit", params={"since": "2020-01-01T00:00:00Z", "kind": "add"})
    assert body == {"audit": [], "next": None}
    _, body, _ = await server.call("GET", "/wxbot/audit", params={"who": "guard"})
    assert [entry["target"] for entry in body["audit"]] == ["x"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/wxbot/qun?limit=0", 400, 1001),
        ("/wxbot/qun?limit=201", 400, 1001),
        ("/wxbot/qun?after=x", 400, 1001),
        ("/wxbot/qun?state=gone", 400, 1001),
        ("/wxbot/qun?code=", 400, 1001),
        ("/wxbot/qun?q=", 400, 1001),
        ("/wxbot/qun/1/members", 404, 1004),
        ("/wxbot/ticket?state=x", 400, 1001),
        ("/wxbot/ticket/77", 404, 1004),
        ("/wxbot/audit?since=yesterday", 400, 1001),
        ("/wxbot/audit?limit=1e3", 400, 1001),
    ],
)
async def test_invalid_list_request_is_rejected(server: ApiServer, path: str, status: int, code: int) -> None:
    assert (await server.call("GET", path))[:2] == (status, error(code))
