"""REST beyond creating groups: changing and closing groups, messages of all kinds, webhooks."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from aiohttp import web

from sandbox.world.model import Kind
from services.messaging.attachments import MAX_ATTACHMENT
from tests.stories.business import receiving
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.waiting import until
from tests.web_server import serving

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


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
    assert [entry["outcome"] for entry in audit] == ["done", "done", "failed"]


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
        ({"file": {"base64": "A" * (MAX_ATTACHMENT * 4 // 3 + 400_000), "name": "x"}}, 1006),
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
            return [webhook["type"] for webhook in answer["webhooks"]]

        assert await until(received, "the delivery is marked as sent") == ["qun.created"]
        await env.wait_idle()
        assert tries == [body]


async def test_refused_message_does_not_fail_the_one_before_it(
    make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WeChat refuses a message to who has deleted the assistant, and asks it for a verification."""
    monkeypatch.setattr("services.messaging.messages.WAITS", ())
    env = await make_env()
    message = {"assistant": "weimi1001", "to": "黑旋风", "text": "您好"}

    async def send() -> str:
        number = (await env.call("POST", "/wxbot/message", message))[1]["message"]["id"]
        await env.wait_idle()
        return f"/wxbot/message/{number}"

    first = await send()
    env.world.people.forget(env.id("黑旋风"), env.id("bot"))
    paths = [first, await send()]
    states = [(await env.call("GET", path))[1]["message"]["state"] for path in paths]
    assert states == ["sent", "failed"]
