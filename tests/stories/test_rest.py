"""REST beyond creating groups: changing and closing groups, messages of all kinds, broadcasts, respond-async,
webhooks.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from sandbox.world.model import Kind
from services.messaging.attachments import LARGEST
from tests.stories.business import receiving, serving
from tests.stories.conftest import BotEnvironment, MakeEnv, until
from tests.stories.service import repeat_until
from tests.waiting import SECONDS

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ASYNC = {"Prefer": "respond-async, wait=1"}


def error(answer: Any) -> int:
    code: int = answer["error"]["code"]
    return code


# ---- changing and closing groups ----


async def test_group_is_changed(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database)
    qun = await env.make_group()
    path = f"/wxbot/qun/{qun['number']}"
    change = {"topic": "一号店", "announcement": "今晚八点", "welcome": "你好 {member}"}
    status, answer, _ = await env.call("PATCH", path, {"topic": "一号店", "welcome": "你好 {member}"})
    assert (status, answer["qun"]["topic"]) == (200, "一号店")
    assert env.room(qun["room"]).topic == "一号店"
    await env.join(qun["token"], "黑旋风")
    await env.receives("宋公明", "你好 @黑旋风", qun["room"])
    env.room(qun["room"]).owner = env.id("宋公明")  # only the owner can set the announcement
    status, answer, _ = await env.call("PATCH", path, change)
    assert (status, error(answer)) == (502, 2006)
    env.room(qun["room"]).owner = env.id("bot")
    for _ in range(2):
        status, answer, _ = await env.call("PATCH", path, change)
        assert status == 200, answer
    assert env.room(qun["room"]).announcement == "今晚八点"
    audit = (await env.call("GET", "/wxbot/audit", params={"kind": "announce"}))[1]["audit"]
    assert [one["outcome"] for one in audit] == ["done", "done", "failed"]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"topic": ""},
        {"topic": "x" * 31},
        {"announcement": " "},
        {"welcome": 1},
        {"welcome": "{membr}"},
        {"code": "x"},
        {"tags": [""]},
    ],
)
async def test_invalid_change_is_rejected(env: BotEnvironment, change: dict[str, Any]) -> None:
    qun = await env.make_group()
    status, answer, _ = await env.call("PATCH", f"/wxbot/qun/{qun['number']}", change)
    assert (status, error(answer)) == (400, 1001)
    assert (await env.call("PATCH", "/wxbot/qun/7", {"topic": "x"}))[0] == 404


async def test_group_is_closed(make_env: MakeEnv, database: str) -> None:
    async with receiving() as receiver:
        env = await make_env(database=database, webhooks=[receiver.config])
        qun = await env.make_group()
        await env.join(qun["token"], "九纹龙")  # pending
        path = f"/wxbot/qun/{qun['number']}"
        assert (await env.call("DELETE", path))[0] == 204
        await env.receives("宋公明", "本群已关闭", qun["room"])
        await until(lambda: env.id("bot") not in env.room(qun["room"]).members, "the assistant has left")
        assert (await env.call("DELETE", path))[0] == 204
        assert (await env.call("GET", path))[1]["qun"]["state"] == "closed"
        status, answer, _ = await env.join(qun["token"], "黑旋风")
        assert (status, error(answer)) == (410, 3002)
        page = "/weiqun/" + qun["url"].rpartition("/")[2]
        assert (await env.call("GET", page))[0] == 410
        assert error((await env.call("PATCH", path, {"topic": "x"}))[1]) == 3002
        body = {"code": "code-1", "owner": "宋公明", "assistant": "weimi1001"}
        assert error((await env.call("POST", "/wxbot/qun", body))[1]) == 2005
        message = {"assistant": "weimi1001", "qun": qun["number"], "text": "x"}
        assert (await env.call("POST", "/wxbot/message", message))[0] == 404
        await env.restart_bot()
        assert len([m for m in env.seen("宋公明", qun["room"]) if "本群已关闭" in m.text]) == 1
        await env.wait_idle()
        assert "qun.lost" not in receiver.types()
        assert [data["reason"] for data in receiver.of("member.refused")] == ["group closed"]
        env.say("黑旋风", qun["token"])
        await env.receives("黑旋风", "入群令牌已过期")
        assert (await env.call("DELETE", "/wxbot/qun/7"))[0] == 404


async def test_closing_continues_after_restart_while_offline(env: BotEnvironment) -> None:
    qun = await env.make_group()
    env.world.accounts.logout("weimi1001")
    await until(lambda: not env.bot.container.accounts.is_online("weimi1001"), "away")
    assert (await env.call("DELETE", f"/wxbot/qun/{qun['number']}"))[0] == 204
    await env.stop_bot()
    env.world.accounts.login("weimi1001")
    await env.start_bot()
    await until(lambda: env.id("bot") not in env.room(qun["room"]).members, "the assistant has left")


# ---- messages of all kinds ----


async def test_pictures_files_and_links_are_sent(make_env: MakeEnv, database: str) -> None:
    async def files(request: web.Request) -> web.StreamResponse:
        return web.Response(body=PNG if request.path == "/a.png" else b"price")

    async with serving(files) as here:
        host = here.removeprefix("http://").partition(":")[0]
        env = await make_env(database=database, api={"media_hosts": [host]})
        to, before = {"assistant": "weimi1001", "to": "黑旋风"}, len(env.seen("黑旋风"))
        contents: list[tuple[dict[str, Any], Kind, str]] = [
            ({"image": {"base64": base64.b64encode(PNG).decode()}}, Kind.IMAGE, "image.png"),
            ({"image": {"url": f"{here}/a.png"}}, Kind.IMAGE, "a.png"),
            ({"file": {"url": f"{here}/x", "name": "价格.txt"}}, Kind.FILE, "价格.txt"),
            ({"file": {"base64": "cHJpY2U=", "name": "../p.txt"}}, Kind.FILE, "_p.txt"),
            ({"link": {"title": "官网", "url": "https://example.com", "description": "看"}}, Kind.LINK, "官网"),
            ({"text": "好", "image": None}, Kind.TEXT, "好"),
        ]
        for content, _, _ in contents:
            status, answer, _ = await env.call("POST", "/wxbot/message", {**to, **content})
            assert status == 202, answer
        await until(lambda: len(env.seen("黑旋风")) == before + len(contents), "all heard")
        assert [message.kind for message in env.seen("黑旋风")[before:]] == [kind for _, kind, _ in contents]
        key = {"Idempotency-Key": "k"}
        ids = [await env.call("POST", "/wxbot/message", {**to, **contents[0][0]}, headers=key) for _ in range(2)]
        assert ids[0][1] == ids[1][1]
        refused = await env.call("POST", "/wxbot/message", {**to, **contents[3][0]}, headers=key)
        assert error(refused[1]) == 1001


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({}, 1001),
        ({"text": "a", "image": {"base64": "aGk="}}, 1001),
        ({"image": {"base64": "aGVsbG8="}}, 1001),
        ({"image": {"base64": "no base64!"}}, 1001),
        ({"file": {"base64": "aGk="}}, 1001),
        ({"file": {"url": "http://127.0.0.1:1/x", "base64": "aGk=", "name": "x"}}, 1001),
        ({"file": {"url": "http://elsewhere.example/x"}}, 1001),
        ({"file": {"url": "file:///etc/passwd"}}, 1001),
        ({"file": "x"}, 1001),
        ({"link": {"title": "x"}}, 1001),
        ({"link": {"title": "x", "url": "javascript:1"}}, 1001),
        ({"file": {"base64": "A" * (LARGEST * 4 // 3 + 400_000), "name": "x"}}, 1006),
    ],
)
async def test_invalid_message_is_rejected(env: BotEnvironment, content: dict[str, Any], code: int) -> None:
    before = env.seen("黑旋风")
    status, answer, _ = await env.call("POST", "/wxbot/message", {"assistant": "weimi1001", "to": "黑旋风", **content})
    assert (status, error(answer)) == ({1001: 400, 1006: 413}[code], code)
    assert env.seen("黑旋风") == before


async def test_file_redirects_are_not_followed(make_env: MakeEnv) -> None:
    asked: list[str] = []

    async def inside(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(body=PNG)

    async def away(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"{target}/secret"})

    async with serving(inside) as target, serving(away) as here:
        env = await make_env(api={"media_hosts": [here.removeprefix("http://")]})
        body = {"assistant": "weimi1001", "to": "黑旋风", "image": {"url": f"{here}/a.png"}}
        assert (await env.call("POST", "/wxbot/message", body))[0] == 400
        direct = {**body, "image": {"url": f"{target}/a.png"}}  # the same host, but another port than allowed
        assert (await env.call("POST", "/wxbot/message", direct))[0] == 400
        assert asked == []


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
        words = f"公告 {next(iter(where))}"
        status, answer, headers = await env.call("POST", "/wxbot/broadcast", {**where, "text": words})
        assert status == 202, answer
        for qun in rooms:
            await env.receives("宋公明", words, qun["room"])

        async with asyncio.timeout(SECONDS):
            while True:
                shown = (await env.call("GET", headers["Location"]))[1]["broadcast"]
                if shown["state"] == "done":
                    break
                await asyncio.sleep(0.02)
        assert shown["groups"] == [{"number": qun["number"], "state": "sent"} for qun in rooms]
    tagged = (await env.call("GET", "/wxbot/qun", params={"tag": "vip"}))[1]["quns"]
    assert [qun["number"] for qun in tagged] == [second["number"]]
    audit = (await env.call("GET", "/wxbot/audit", params={"kind": "broadcast"}))[1]["audit"]
    assert [one["detail"]["groups"] for one in audit] == ["2", "1", "2"]


async def test_scheduled_broadcast_is_sent_once(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database)
    qun = await env.make_group()
    at = (datetime.now(UTC) + timedelta(seconds=2.5)).isoformat()
    key = {"Idempotency-Key": "k"}
    body = {"quns": [qun["number"]], "text": "到点了", "at": at}
    answers = [await env.call("POST", "/wxbot/broadcast", body, headers=key) for _ in range(3)]
    assert len({answer[1]["broadcast"]["id"] for answer in answers}) == 1
    other = await env.call("POST", "/wxbot/broadcast", {**body, "text": "别的"}, headers=key)
    assert error(other[1]) == 1001
    await env.restart_bot()
    await env.receives("宋公明", "到点了", qun["room"])
    assert datetime.now(UTC).isoformat() >= at
    await env.wait_idle()
    assert len([m for m in env.seen("宋公明", qun["room"]) if m.text == "到点了"]) == 1


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
    assert [(one["target"], one["detail"]["count"]) for one in audit] == [(str(ids[1]), "2"), (str(ids[0]), "1")]
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
        await until(lambda: len(receiver.events) == 4, "all are made", within=60)
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
        await until(lambda: len(receiver.events) == 4, "all are in", within=60)
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


# ---- webhooks ----


async def test_subscribed_systems_receive_messages(make_env: MakeEnv, database: str) -> None:
    async with receiving() as receiver, receiving() as other:
        hook = {**receiver.config, "name": "crm", "events": ["message.received", "message.sent"]}
        keywords = [{"equals": "你好", "reply": "您好"}]
        hooks = [hook, {**other.config, "name": "all"}]
        env = await make_env(database=database, webhooks=hooks, customer_service={"keywords": keywords})
        qun = await env.make_group()
        env.say("黑旋风", "你好")
        await env.receives("黑旋风", "您好")
        env.say("宋公明", "自己人说的", qun["room"])
        env.say("宋公明", "@weimi1001 你好", qun["room"], mentions=["bot"])
        await until(lambda: len(receiver.of("message.received")) == 2, "told")
        private, group = receiver.of("message.received")
        assert (private["contact_id"], private["name"], private["text"]) == ("wxid_heixuanfeng", "黑旋风", "你好")
        assert (group["number"], group["room_id"]) == (qun["number"], qun["room"])
        sent = await until(lambda: receiver.of("message.sent"), "told")
        assert (sent[0]["to"], sent[0]["kind"]) == ("wxid_heixuanfeng", "text")
        await env.wait_idle()
        assert not {"message.received", "message.sent"} & set(other.types())


@pytest.mark.parametrize("body", ["endless", "cut off", "garbage"])
async def test_delivery_with_2xx_status_line_is_not_repeated(make_env: MakeEnv, body: str) -> None:
    tries: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        tries.append(body)
        head = {
            "endless": b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000000\r\n\r\n..",
            "cut off": b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nx",
            "garbage": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        }[body]
        writer.write(head)
        await writer.drain()
        if body != "endless":
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        env = await make_env(webhooks=[{"url": url, "secret": "dGVzdHRlc3R0ZXN0dGVzdA==", "events": ["qun.created"]}])
        env.bot.container.webhooks.waits = (0.05,)
        await env.make_group()

        async def received() -> list[str]:
            _, answer, _ = await env.call("GET", "/wxbot/webhook", params={"state": "sent"})
            return [one["type"] for one in answer["webhooks"]]

        assert await repeat_until(received, "the delivery is marked as sent") == ["qun.created"]
        await env.wait_idle()
        assert tries == [body]
