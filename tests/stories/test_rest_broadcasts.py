"""Broadcasts and asynchronous requests by REST."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.stories.business import receiving
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.waiting import until

ASYNC = {"Prefer": "respond-async, wait=1"}


def error(answer: Any) -> int:
    code: int = answer["error"]["code"]
    return code


async def finished(env: BotEnvironment, path: str) -> dict[str, Any] | None:
    """Return the broadcast at this path if all its messages are sent."""
    shown: dict[str, Any] = (await env.call("GET", path))[1]["broadcast"]
    return shown if shown["state"] == "done" else None


# ---- broadcasts ----


async def test_broadcast_is_sent_and_its_result_read(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database)
    first, second = await env.make_group("a"), await env.make_group("b")
    await env.call("PATCH", f"/wxbot/qun/{second['number']}", {"tags": ["vip", "east"]})
    for where, rooms in (
        ({"quns": [first["number"], "b"]}, [first, second]),
        ({"tags": ["vip", "west"]}, [second]),
        ({"all": True, "assistant": "weimi1001"}, [first, second]),
    ):
        text = f"公告 {next(iter(where))}"
        status, answer, headers = await env.call("POST", "/wxbot/broadcast", {**where, "text": text})
        assert status == 202, answer
        for qun in rooms:
            await env.receives("宋公明", text, qun["room"])

        shown = await until(partial(finished, env, headers["Location"]), "all messages of the broadcast are sent")
        assert shown["groups"] == [{"number": qun["number"], "state": "sent"} for qun in rooms]
    tagged = (await env.call("GET", "/wxbot/qun", params={"tag": "vip"}))[1]["quns"]
    assert [qun["number"] for qun in tagged] == [second["number"]]
    audit = (await env.call("GET", "/wxbot/audit", params={"kind": "broadcast"}))[1]["audit"]
    assert [entry["detail"]["groups"] for entry in audit] == ["2", "1", "2"]


async def test_scheduled_broadcast_is_sent_once(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database)
    qun = await env.make_group()
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    key = {"Idempotency-Key": "k"}
    body = {"quns": [qun["number"]], "text": "到点了", "at": at}
    answers = [await env.call("POST", "/wxbot/broadcast", body, headers=key) for _ in range(3)]
    assert len({answer[1]["broadcast"]["id"] for answer in answers}) == 1
    other = await env.call("POST", "/wxbot/broadcast", {**body, "text": "别的"}, headers=key)
    assert error(other[1]) == 1001
    await env.restart_bot()
    await env.wait_idle()
    assert "到点了" not in [m.text for m in env.seen("宋公明", qun["room"])]
    env.ahead = 3600 + 60
    await env.restart_bot()
    await env.receives("宋公明", "到点了", qun["room"])
    await env.restart_bot()
    await env.wait_idle()
    assert [m.text for m in env.seen("宋公明", qun["room"])].count("到点了") == 1


async def test_scheduled_broadcast_is_cancelled(make_env: MakeEnv, database: str) -> None:
    """By REST, again, and by chat; nothing is sent, even after a restart; what was sent is not cancelled."""
    env = await make_env(database=database)
    qun, other = await env.make_group("a"), await env.make_group("b")
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    ids = []
    for body in ({"quns": [qun["number"]], "at": at}, {"all": True, "at": at}, {"quns": [other["number"]]}):
        answer = (await env.call("POST", "/wxbot/broadcast", {**body, "text": "放假通知"}))[1]
        ids.append(answer["broadcast"]["id"])
    await env.receives("宋公明", "放假通知", other["room"])
    await env.wait_idle()
    cancelled = [{"number": qun["number"], "state": "cancelled"}]
    for _ in range(2):
        status, answer, _ = await env.call("POST", f"/wxbot/broadcast/{ids[0]}/cancel")
        assert (status, answer["broadcast"]["state"], answer["broadcast"]["groups"]) == (200, "cancelled", cancelled)
    answer = (await env.call("POST", f"/wxbot/broadcast/{ids[2]}/cancel"))[1]
    assert (answer["broadcast"]["state"], answer["broadcast"]["groups"][0]["state"]) == ("done", "sent")
    assert error((await env.call("POST", "/wxbot/broadcast/7777/cancel"))[1]) == 1004
    env.say("店长", "/群发 取消")
    listed = await env.receives("店长", "还没有发完的群发")
    assert f"#{ids[1]} " in listed.text and f"#{ids[0]} " not in listed.text
    env.say("店长", f"/群发 取消 {ids[1]}")
    await env.receives("店长", f"已取消群发 #{ids[1]}，还没有发出的 2 条不再发送。")
    env.say("店长", f"/群发 取消 #{ids[1]}")
    await env.receives("店长", f"群发 #{ids[1]} 没有等待发送的消息。")
    env.say("店长", "/群发 取消 7777")
    await env.receives("店长", "没有编号为 7777 的群发。")
    audit = (await env.call("GET", "/wxbot/audit", params={"kind": "broadcast_cancelled"}))[1]["audit"]
    assert [(entry["target"], entry["detail"]["count"]) for entry in audit] == [(str(ids[1]), "2"), (str(ids[0]), "1")]
    env.ahead = 86400 + 60
    await env.restart_bot()
    await env.wait_idle()
    for room, times in ((qun["room"], 0), (other["room"], 1)):
        assert len([m for m in env.seen("宋公明", room) if m.text == "放假通知"]) == times


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": "x"}, 1001),
        ({"all": False, "text": "x"}, 1001),
        ({"all": True, "quns": [1], "text": "x"}, 1001),
        ({"quns": [], "text": "x"}, 1001),
        ({"quns": [7], "text": "x"}, 1004),
        ({"tags": ["none"], "text": "x"}, 1001),
        ({"all": True}, 1001),
        ({"all": True, "text": "x", "at": "tomorrow"}, 1001),
        ({"all": True, "text": "x", "assistant": "nobody"}, 2001),
    ],
)
async def test_invalid_broadcast_is_rejected(env: BotEnvironment, body: dict[str, Any], code: int) -> None:
    assert error((await env.call("POST", "/wxbot/broadcast", body))[1]) == code
    assert error((await env.call("GET", "/wxbot/broadcast/7"))[1]) == 1004


# ---- respond-async ----


async def test_async_creations_are_queued_and_reported(make_env: MakeEnv, database: str) -> None:
    """Never 429: requests are queued, executed within the rate limit and reported; a restart loses none."""
    async with receiving() as receiver:
        pacing = {"enabled": True, "group_seconds": 3.0, "request_seconds": 0, "conversation_seconds": 0}
        hook = {**receiver.config, "events": ["qun.created"]}
        env = await make_env(database=database, pacing=pacing, webhooks=[hook])
        bodies = [{"code": f"c{n}", "owner": "宋公明", "assistant": "weimi1001"} for n in range(4)]
        headers: dict[str, str] = {}
        for body in (*bodies, bodies[-1]):  # the first one may be made by then
            status, answer, headers = await env.call("POST", "/wxbot/qun", body, headers=ASYNC)
            assert status == 202, answer
            assert answer["qun_create_response"]["state"] == "queued"
        assert (await env.call("GET", headers["Location"]))[0] == 200
        await env.restart_bot()
        await until(lambda: len(receiver.events) == 4, "all are made")
        assert sorted(data["code"] for data in receiver.of("qun.created")) == ["c0", "c1", "c2", "c3"]
        assert len(list(env.world.rooms.of(env.id("bot")))) == 4
        status, answer, _ = await env.call("POST", "/wxbot/qun", bodies[0], headers=ASYNC)
        assert (status, set(answer["qun_create_response"])) == (200, {"url"})
        unknown = {**bodies[0], "code": "x", "owner": "没有此人"}
        assert error((await env.call("POST", "/wxbot/qun", unknown, headers=ASYNC))[1]) == 2003
        other = {**bodies[0], "owner": "黑旋风"}
        assert error((await env.call("POST", "/wxbot/qun", other, headers=ASYNC))[1]) == 2005


async def test_async_joins_fill_a_group(make_env: MakeEnv, database: str) -> None:
    async with receiving() as receiver:
        pacing = {"enabled": True, "add_seconds": 4.0, "request_seconds": 0, "conversation_seconds": 0}
        hook = {**receiver.config, "events": ["member.joined"]}
        env = await make_env(database=database, pacing=pacing, webhooks=[hook])
        qun = await env.make_group()
        people = [env.add_person(f"客人{n}") for n in range(4)]
        where = set()
        for person in (*people, people[-1]):
            body = {"token": qun["token"], "member": person}
            status, answer, headers = await env.call("POST", "/wxbot/qun/membership", body, headers=ASYNC)
            assert (status, answer) == (202, {"membership_join_response": {"approved": "queued"}}), answer
            where.add(headers["Location"])
        assert len(where) == 4
        await env.restart_bot()
        await until(lambda: len(receiver.events) == 4, "all are in")
        assert set(people) <= set(env.room(qun["room"]).members)
        states = [(await env.call("GET", path))[1]["membership"]["state"] for path in where]
        assert states == ["joined"] * 4
        body = {"token": qun["token"], "member": people[0]}
        status, answer, _ = await env.call("POST", "/wxbot/qun/membership", body, headers=ASYNC)
        assert (status, answer["membership_join_response"]["approved"]) == (200, "ok")
        body["member"] = "没有此人"
        answer = (await env.call("POST", "/wxbot/qun/membership", body, headers=ASYNC))[1]
        assert answer["membership_join_response"]["approved"] == "pending"
        for person in people:
            # a new friend is greeted, but gets no private message about the group
            told = [m.text for m in env.seen(person) if "好友" not in m.text and "朋友" not in m.text]
            assert all(text.startswith("您好，我是") for text in told), told


async def test_join_refused_for_the_rate_limit_can_be_queued(make_env: MakeEnv) -> None:
    env = await make_env(pacing={"enabled": True, "add_seconds": 60, "request_seconds": 0, "conversation_seconds": 0})
    qun = await env.make_group()
    first, second = (env.add_person(name) for name in ("客人甲", "客人乙"))
    await env.call("POST", "/wxbot/qun/membership", {"token": qun["token"], "member": first})
    body = {"token": qun["token"], "member": second}
    status, answer, _ = await env.call("POST", "/wxbot/qun/membership", body)
    assert (status, error(answer)) == (429, 1007)
    status, answer, _ = await env.call("POST", "/wxbot/qun/membership", body, headers=ASYNC)
    assert (status, answer["membership_join_response"]) == (202, {"approved": "queued"})
    env.ahead += 60
    env.bot.container.outbox.wake_account("weimi1001")
    await until(lambda: second in env.room(qun["room"]).members, "the queued person is in")
