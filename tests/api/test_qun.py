"""Groups over HTTP: exact responses. Effects in WeChat are tested in tests/stories with the sandbox."""

from __future__ import annotations

import asyncio
import base64
import re
from datetime import UTC, datetime

from errors import CodeTaken, OwnerUnknown, WeChatOffline, WeChatRefused, WeChatTooFast
from services.groups.membership_rows import membership_of
from tests.api.conftest import QUN, ApiServer, StartServer, error
from wechat.interface import State


async def test_created_then_repeated_call_returns_same_url(start_server: StartServer) -> None:
    server = await start_server(api={"public_url": "http://yunmof.com/"})
    status, first, headers = await server.call("POST", "/wxbot/qun", json=QUN)
    url = first["qun_create_response"]["url"]
    assert (status, first, headers["Location"]) == (201, {"qun_create_response": {"url": url}}, url)
    public_id = re.fullmatch(r"http://yunmof\.com/weiqun/([A-Za-z0-9_-]{32})", url)
    assert public_id
    assert re.fullmatch(rb"[1-9]\d{23}", base64.urlsafe_b64decode(public_id[1]))
    status, again, headers = await server.call("POST", "/wxbot/qun", json=QUN)
    assert (status, again) == (200, first)
    assert "Location" not in headers
    assert server.wechat.calls.count("create_room") == 1


async def test_concurrent_calls_create_one_group(server: ApiServer) -> None:
    answers = await asyncio.gather(*(server.call("POST", "/wxbot/qun", json=QUN) for _ in range(20)))
    assert sorted(status for status, _, _ in answers) == [200] * 19 + [201]
    assert len({body["qun_create_response"]["url"] for _, body, _ in answers}) == 1
    assert server.wechat.calls.count("create_room") == 1


async def test_concurrent_invalid_call_does_not_affect_creation(server: ApiServer) -> None:
    bodies = [{**QUN, "owner": "nobody"}, QUN, {**QUN, "owner": "wxid_song"}, {**QUN, "owner": "智多星"}]
    tasks = [server.container.group_lifecycle.create(b["code"], b["owner"], b["assistant"], "test") for b in bodies]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[0], OwnerUnknown)
    assert isinstance(answers[3], CodeTaken)
    assert [made for _, made in answers[1:3]] == [True, False]  # type: ignore[misc]
    assert server.wechat.calls.count("create_room") == 1


async def test_client_disconnect_does_not_stop_creation(server: ApiServer) -> None:
    server.wechat.holds["create_room"] = asyncio.Event()
    asking = asyncio.create_task(server.call("POST", "/wxbot/qun", json=QUN))
    await server.wechat.reached("create_room")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    server.wechat.holds["create_room"].set()
    assert (await server.call("POST", "/wxbot/qun", json=QUN))[0] == 200
    assert server.wechat.calls.count("create_room") == 1


async def test_errors_in_order_of_precedence(server: ApiServer) -> None:
    server.wechat.knows("wxid_a", "同名")
    server.wechat.knows("wxid_b", "同名")
    server.wechat.knows("wxid_c", "路人", friend=False)

    async def code(**changes: str) -> int:
        _, body, _ = await server.call("POST", "/wxbot/qun", json={**QUN, **changes})
        code: int = body["error"]["code"]
        assert body == error(code)
        return code

    assert await code(owner="", assistant="nobody") == 1001
    assert await code(owner="nobody", assistant="nobody") == 2001
    assert await code(owner="nobody") == 2003
    assert await code(owner="路人") == 2003
    assert await code(owner="同名") == 2004
    server.wechat.fails["create_room"] = WeChatRefused("create_room", "no")
    assert await code() == 2006
    server.wechat.fails["create_room"] = WeChatTooFast("create_room", "操作过于频繁")
    assert await code() == 1007
    del server.wechat.fails["create_room"]
    await server.make_group()
    assert await code(owner="智多星") == 2005
    assert await code(owner="nobody") == 2005
    assert await code(assistant="nobody") == 2005
    server.wechat.state = State.LOGGED_OUT
    assert await code(code="shop-2", owner="nobody") == 2002


async def test_rejected_request_leaves_no_group(start_server: StartServer) -> None:
    """Neither a request beyond the rate limit nor an invalid one is listed as a group that is being created."""
    server = await start_server(pacing={"enabled": True, "group_seconds": 60, "request_seconds": 1})
    await server.make_group()
    for changes, status in (({}, 429), ({"owner": "nobody"}, 404), ({"assistant": "nobody"}, 404), ({"owner": 1}, 400)):
        body = {**QUN, "code": "shop-2", **changes}
        assert (await server.call("POST", "/wxbot/qun", json=body))[0] == status
        listed = (await server.call("GET", "/wxbot/qun"))[1]["quns"]
        assert [(qun["code"], qun["state"]) for qun in listed] == [("shop-1", "active")]
        assert (await server.call("GET", "/wxbot/qun?code=shop-2"))[:2] == (404, error(1004))


async def test_other_companion_is_used_when_first_is_unavailable(start_server: StartServer) -> None:
    """An unfinished group is continued with an available companion; the original one is used only if there is no
    other.
    """
    server = await start_server(groups={"companions": ["智多星", "入云龙"]})
    server.wechat.fails["create_room"] = WeChatRefused("create_room", "智多星 is no friend")
    assert (await server.call("POST", "/wxbot/qun", json=QUN))[:2] == (502, error(2006))
    server.wechat.knows("wxid_zhi", "智多星", friend=False)
    assert (await server.call("POST", "/wxbot/qun", json=QUN))[:2] == (502, error(2006))
    server.wechat.knows("wxid_gong", "入云龙")
    del server.wechat.fails["create_room"]
    qun = await server.make_group()
    (room,) = server.wechat.directory.rooms.values()
    assert room.member_ids == {"wxid_bot", "wxid_song", "wxid_gong"}
    kept = server.container.groups.by_number(qun["number"])
    assert kept is not None
    assert kept.companion_id == "wxid_gong"


async def test_offline_assistant_returns_retry_after(server: ApiServer) -> None:
    await server.make_group()
    server.wechat.state = State.CONNECTING
    status, body, headers = await server.call("POST", "/wxbot/qun", json={**QUN, "code": "shop-2"})
    assert (status, body) == (503, error(2002))
    assert int(headers["Retry-After"]) >= 1
    assert (await server.call("POST", "/wxbot/qun", json=QUN))[0] == 200  # existing groups are available offline


async def test_group_is_found_by_code_and_number(server: ApiServer) -> None:
    await server.call("POST", "/wxbot/qun", json=QUN)
    status, found, _ = await server.call("GET", "/wxbot/qun", params={"code": "shop-1"})
    qun = found["qun"]
    assert status == 200
    assert re.fullmatch(rb"[0-9A-F]{12}", base64.b64decode(qun["token"]))
    made = datetime.fromisoformat(qun["created_at"])
    assert abs((datetime.now(UTC) - made).total_seconds()) < 60
    assert qun == {
        "number": 100001,
        "code": "shop-1",
        "topic": "宋公明的群100001",
        "owner": "宋公明",
        "assistant": "weimi1001",
        "url": qun["url"],
        "token": qun["token"],
        "state": "active",
        "members": 3,
        "capacity": 500,
        "created_at": qun["created_at"],
    }
    assert (await server.call("GET", "/wxbot/qun/100001"))[1] == found
    assert (await server.call("GET", "/wxbot/qun/100002"))[:2] == (404, error(1004))
    assert (await server.call("GET", "/wxbot/qun?code=shop-2"))[:2] == (404, error(1004))


# ---- memberships ----


async def test_friend_is_added_at_once(server: ApiServer) -> None:
    qun = await server.make_group()
    body = {"token": qun["token"], "member": "黑旋风"}
    for _ in range(2):
        status, answer, headers = await server.call("POST", "/wxbot/qun/membership", json=body)
        assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})
        assert (await server.call("GET", headers["Location"]))[1]["membership"]["state"] == "joined"
    assert server.wechat.calls.count("add_member") == 1


async def test_stranger_is_pending_until_friend(server: ApiServer) -> None:
    qun = await server.make_group()
    body = {"token": qun["token"], "member": "九纹龙"}
    status, answer, headers = await server.call("POST", "/wxbot/qun/membership", json=body)
    assert (status, answer) == (
        202,
        {"membership_join_response": {"approved": "pending", "assistant": "weimi1001"}},
    )
    again = await server.call("POST", "/wxbot/qun/membership", json=body)
    assert (again[0], again[1], again[2]["Location"]) == (202, answer, headers["Location"])
    status, read, _ = await server.call("GET", headers["Location"])
    row = read["membership"]
    assert (status, row) == (
        200,
        {
            "id": int(headers["Location"].removeprefix("/wxbot/qun/membership/")),
            "number": 100001,
            "member": "九纹龙",
            "state": "waiting_friend",
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "expires_at": row["expires_at"],
        },
    )
    waits = datetime.fromisoformat(row["expires_at"]) - datetime.fromisoformat(row["created_at"])
    assert 6.9 < waits.total_seconds() / 86400 < 7.1


async def test_member_of_large_group_is_invited(start_server: StartServer) -> None:
    server = await start_server(groups={"direct_add_limit": 3, "confirm_seconds": 0.1})
    qun = await server.make_group()
    server.wechat.only_invites = True
    body = {"token": qun["token"], "member": "黑旋风"}
    status, answer, headers = await server.call("POST", "/wxbot/qun/membership", json=body)
    assert (status, answer) == (202, {"membership_join_response": {"approved": "invited"}})
    assert (await server.call("GET", headers["Location"]))[1]["membership"]["state"] == "invited"
    assert (await server.call("POST", "/wxbot/qun/membership", json=body))[2]["Location"] == headers["Location"]
    assert server.wechat.calls.count("add_member") == 1


async def test_invitation_is_stored_before_waiting_for_the_join(start_server: StartServer) -> None:
    """If the process is killed while waiting for the join, the repeated request does not invite again."""
    server = await start_server(groups={"direct_add_limit": 3})
    qun = await server.make_group()
    server.wechat.only_invites = True
    server.wechat.holds["wait_member"] = asyncio.Event()
    body = {"token": qun["token"], "member": "黑旋风"}
    asking = asyncio.create_task(server.call("POST", "/wxbot/qun/membership", json=body))
    await server.wechat.reached("wait_member")
    row = await server.container.store.read(lambda s: membership_of(s, qun["number"], "wxid_hei"))
    assert row is not None
    assert row.state == "invited"
    server.wechat.holds["wait_member"].set()
    assert (await asking)[1] == {"membership_join_response": {"approved": "invited"}}


async def test_member_is_removed(server: ApiServer) -> None:
    qun = await server.make_group()
    body = {"token": qun["token"], "member": "黑旋风"}
    path = (await server.call("POST", "/wxbot/qun/membership", json=body))[2]["Location"]
    for _ in range(2):
        status, body, _ = await server.call("DELETE", path)
        assert (status, body) == (204, "")
    assert (await server.call("GET", path))[1]["membership"]["state"] == "removed"
    assert server.wechat.calls.count("remove_member") == 1
    assert (await server.call("DELETE", "/wxbot/qun/membership/999"))[:2] == (404, error(1004))


async def test_alias_in_group_beats_friends_nickname(server: ApiServer) -> None:
    """Friends and members are searched together: the first tier with a match decides."""
    qun = await server.make_group()
    server.wechat.knows("wxid_m", "某人", friend=False, weixin="li01")
    server.wechat.knows("wxid_f", "li01")
    server.wechat.directory.rooms["room-1@chatroom"].member_ids.add("wxid_m")
    body = {"token": qun["token"], "member": "li01"}
    status, answer, _ = await server.call("POST", "/wxbot/qun/membership", json=body)
    assert (status, answer) == (200, {"membership_join_response": {"approved": "ok"}})
    assert "add_member" not in server.wechat.calls
    server.wechat.knows("wxid_g", "别人", alias="甲", weixin="li01")
    assert (await server.call("POST", "/wxbot/qun/membership", json=body))[:2] == (409, error(3003))


async def test_rejected_memberships(start_server: StartServer) -> None:
    server = await start_server(groups={"capacity": 4, "token_days": 1})
    qun = await server.make_group()

    async def code(member: str = "黑旋风", token: str = qun["token"]) -> int:
        status, body, _ = await server.call("POST", "/wxbot/qun/membership", json={"token": token, "member": member})
        assert status >= 400, body
        number: int = body["error"]["code"]
        assert body == error(number)
        return number

    assert await code(token="NTkxNjkwNzE4RDY2") == 3001
    server.wechat.knows("wxid_a", "同名")
    server.wechat.knows("wxid_b", "同名")
    assert await code("同名") == 3003
    server.wechat.fails["add_member"] = WeChatRefused("add_member", "no")
    assert await code() == 3006
    server.wechat.directory.rooms["room-1@chatroom"].member_ids.add("wxid_x")
    assert await code() == 3004
    server.wechat.state = State.LOGGED_OUT
    assert await code() == 2002
    server.clock.ahead = 86_401
    assert await code() == 3002


async def test_blacklisted_stranger_is_rejected_by_unique_names_only(server: ApiServer) -> None:
    """By id and 微信号; with a nickname the request waits, because it may belong to someone else."""
    qun = await server.make_group()
    server.wechat.knows("wxid_lu", "陆谦", friend=False, weixin="luqian")
    group = server.container.groups.by_number(qun["number"])
    assert group is not None
    await server.container.store.write(
        lambda s: server.container.sanctions.blacklist(s, group, "wxid_lu", "陆谦", "spam", "person:wxid_song")
    )
    for member, status in (("wxid_lu", 403), ("luqian", 403), ("陆谦", 202)):
        body = {"token": qun["token"], "member": member}
        answer = await server.call("POST", "/wxbot/qun/membership", json=body)
        assert answer[0] == status, member
        assert status == 202 or answer[1] == error(3005)


async def test_lost_connection_returns_503_with_retry_after(server: ApiServer) -> None:
    """A call that did not reach WeChat returns 503 with Retry-After."""
    qun = await server.make_group()
    body = {"token": qun["token"], "member": "黑旋风"}
    server.wechat.fails = {name: WeChatOffline(name) for name in ("create_room", "add_member", "remove_member")}
    calls = [("POST", "/wxbot/qun", {**QUN, "code": "2"}), ("POST", "/wxbot/qun/membership", body)]
    for method, path, sent in calls:
        status, answer, headers = await server.call(method, path, json=sent)
        assert (status, answer, headers["Retry-After"]) == (503, error(2002), "5"), path
    server.wechat.fails = {}
    path = (await server.call("POST", "/wxbot/qun/membership", json=body))[2]["Location"]
    server.wechat.fails = {"remove_member": WeChatOffline("remove_member")}
    assert (await server.call("DELETE", path))[:2] == (503, error(2002))
