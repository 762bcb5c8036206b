"""Webhooks: signed, in order, retried."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from services.messaging.messages import file
from tests.stories.business import Receiver, never_respond, receiving
from tests.stories.conftest import MakeEnv
from tests.stories.quick_webhooks import failed, open_env, receiver
from tests.waiting import until
from tests.web_server import serving

__all__ = ["receiver"]


async def test_events_of_a_group_arrive_in_order(make_env: MakeEnv, receiver: Receiver) -> None:
    env = await open_env(make_env, receiver.config)
    qun = await env.make_group()
    await env.join(qun["token"], "黑旋风")
    await env.join(qun["token"], "黑旋风")
    env.world.rooms.leave(env.id("黑旋风"), qun["room"])
    await until(lambda: "member.left" in receiver.types(), "told")
    assert receiver.types() == ["assistant.online", "qun.created", "member.joined", "member.left"]
    made, joined = receiver.of("qun.created")[0], receiver.of("member.joined")[0]
    assert (made["number"], made["code"], made["url"]) == (qun["number"], "code-1", qun["url"])
    assert (made["owner"], made["assistant"], joined["assistant"]) == ("宋公明", "weimi1001", "weimi1001")
    assert (joined["number"], joined["member"], joined["contact_id"]) == (100001, "黑旋风", "wxid_heixuanfeng")
    assert len({event["id"] for event in receiver.events}) == 4


async def test_refused_request_is_reported_with_its_reason(make_env: MakeEnv, receiver: Receiver) -> None:
    env = await open_env(make_env, {**receiver.config, "events": ["member.refused"]})
    qun = await env.make_group()
    status, _, headers = await env.join(qun["token"], "九纹龙")
    assert status == 202
    for _ in range(2):
        await env.call("DELETE", headers["Location"])
    (told,) = await until(lambda: receiver.of("member.refused"), "told")
    assert (told["number"], told["member"], told["reason"]) == (qun["number"], "九纹龙", "taken back")


async def test_only_subscribed_events_are_sent(make_env: MakeEnv, receiver: Receiver) -> None:
    async with receiving("dGVzdHRlc3R0ZXN0dGVzdA") as other:  # no prefix, no padding
        some = {**receiver.config, "events": ["member.joined"]}
        env = await open_env(make_env, some, other.config)
        qun = await env.make_group()
        await env.join(qun["token"], "黑旋风")
        await until(lambda: receiver.events and "member.joined" in other.types(), "told")
        await env.wait_idle()
        assert receiver.types() == ["member.joined"]
        same = next(event for event in other.events if event["type"] == "member.joined")
        assert same == receiver.events[0]


async def test_plain_secret_is_accepted_by_both_kinds_of_receiver(make_env: MakeEnv) -> None:
    secret = "our-hook-secrets"
    async with receiving(secret) as receiver, receiving(secret.encode()) as plain:
        await open_env(make_env, {"url": receiver.url, "secret": secret}, {"url": plain.url, "secret": secret})
        await until(lambda: receiver.events and plain.events, "told")


BROKEN = (  # what follows a status line of 2xx
    b"Content-Length: 10\r\n\r\nslow",  # and then nothing more
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nrubb",
    b"X-Large: " + b"x" * 20_000 + b"\r\nContent-Length: 0\r\n\r\n",
    b"no header at all\r\n\r\n",
)


async def test_any_2xx_status_counts_as_delivered(make_env: MakeEnv) -> None:
    """An event answered with 2xx is not sent again, even if the response is invalid after the status."""
    received: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        received.append(head.partition("webhook-id: ")[2].partition("\r\n")[0])
        await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
        writer.write(b"HTTP/1.1 204 No Content\r\n" if len(received) > len(BROKEN) else b"HTTP/1.1 200 OK\r\n")
        writer.write(BROKEN[len(received) - 1] if len(received) <= len(BROKEN) else b"\r\n")
        await writer.drain()
        await reader.read()  # until the bot hangs up
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hook = {"url": f"http://127.0.0.1:{port}/", "secret": "our-hook-secrets", "events": ["qun.created"]}
    env = await open_env(make_env, hook)
    for number in range(len(BROKEN) + 1):
        await env.make_group(f"code-{number}")
    await until(lambda: len(received) > len(BROKEN), "all are told")
    await until(lambda: not any(env.bot.container.outbox.waiting().values()), "nothing is left")
    assert len(set(received)) == len(received) == len(BROKEN) + 1
    assert (await env.call("GET", "/wxbot/webhook", params={"state": "failed"}))[1]["webhooks"] == []
    server.close()


@pytest.mark.parametrize("trouble", [500, 404, 410, 199 + 101, "garbage", "drop", "hang"])
async def test_failed_events_are_retried_in_order(make_env: MakeEnv, receiver: Receiver, trouble: int | str) -> None:
    """The first event of a group fails twice; later ones of the group wait, those of another group do not."""

    async def difficult(event: dict[str, Any]) -> web.StreamResponse | int:
        if event["type"] != "qun.created" or event["data"]["code"] != "a":
            return 200
        if sum(tried["id"] == event["id"] for tried in receiver.tries) > 2:
            return 200
        if trouble == "hang":
            return await never_respond()
        if trouble == "drop":
            raise ConnectionResetError
        if trouble == "garbage":
            return web.Response(status=502, text="<html>")
        assert isinstance(trouble, int)
        return trouble

    receiver.answer = difficult
    env = await open_env(make_env, receiver.config)
    if trouble == "hang":
        env.bot.container.webhooks.timeout = 0.5
    first, second = await env.make_group("a"), await env.make_group("b")
    await env.join(first["token"], "黑旋风")
    await env.join(second["token"], "黑旋风")
    await until(lambda: receiver.types().count("member.joined") == 2, "told")
    groups = [(event["type"], event["data"]["code"]) for event in receiver.events if "code" in event["data"]]
    for code in "ab":
        assert [kind for kind, of in groups if of == code] == ["qun.created", "member.joined"]
    tries = [event for event in receiver.tries if event["type"] == "qun.created" and event["data"]["code"] == "a"]
    assert len(tries) == 3
    assert tries[0] == tries[1] == tries[2]


async def test_slow_receiver_does_not_delay_others(make_env: MakeEnv, receiver: Receiver) -> None:
    async with receiving() as slow:
        slow.answer = never_respond
        env = await open_env(make_env, slow.config, receiver.config)
        qun = await env.make_group()
        await env.join(qun["token"], "黑旋风")
        await until(lambda: "member.joined" in receiver.types(), "told")
        assert not slow.events
        waiting = env.bot.container.outbox.waiting()
        assert waiting["hook:127.0.0.1"] == 3


async def test_redirects_to_other_hosts_are_not_followed(make_env: MakeEnv, receiver: Receiver) -> None:
    """Not to another host; on the same host if the method is kept."""
    strange: list[str] = []
    moved: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        strange.append(await request.text())
        return web.Response()

    async def mover(request: web.Request) -> web.StreamResponse:
        if request.path == "/new":
            moved.append(await request.text())
            return web.Response()
        return web.Response(status=307, headers={"Location": "/loop" if request.path == "/loop" else "/new"})

    async with serving(elsewhere) as other, serving(mover) as mine:

        async def away(_event: dict[str, Any]) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": f"{other}/hook"})

        receiver.answer = away
        hooks = [{"url": f"{mine}/{path}", "secret": "dGVzdHRlc3R0ZXN0dGVzdA=="} for path in ("old", "loop")]
        env = await open_env(make_env, receiver.config, *hooks)
        env.bot.container.webhooks.give_up_after = 0.3
        await env.make_group()
        await until(lambda: len(moved) == 2, "moved")  # assistant.online, qun.created
        await until(lambda: len(receiver.tries) > 2, "tried")
        await env.wait_idle()
        assert not strange
        reasons = {(item["receiver"], item["error"]) for item in await failed(env, 4)}
        assert reasons == {(receiver.url, "HTTP 307 redirect to another host"), (f"{mine}/loop", "too many redirects")}


async def test_new_friend_is_reported_once(make_env: MakeEnv, receiver: Receiver) -> None:
    env = await open_env(make_env, {**receiver.config, "events": ["friend.added"]})
    env.world.people.ask(env.id("九纹龙"), env.id("bot"), "你好")
    await until(lambda: receiver.events, "told")
    await env.restart_bot()
    await env.wait_idle()
    assert receiver.of("friend.added") == [
        {"assistant": "weimi1001", "contact_id": "wxid_jiuwenlong", "name": "九纹龙"}
    ]


async def test_friend_added_during_downtime_is_reported(make_env: MakeEnv, receiver: Receiver) -> None:
    env = await open_env(make_env, {**receiver.config, "events": ["friend.added"]})
    await env.wait_idle()
    await env.stop_bot()
    env.add_person("扈三娘")
    await env.start_bot()
    await until(lambda: receiver.events, "told")
    assert [data["name"] for data in receiver.of("friend.added")] == ["扈三娘"]


async def test_failed_message_is_reported(
    make_env: MakeEnv, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.messaging.messages.FILE_WAITS", (0.01,))
    env = await open_env(make_env, {**receiver.config, "events": ["message.failed"]})
    container, nothing = env.bot.container, file("/nowhere/price.pdf")
    work = await container.store.write(lambda s: container.messages.queue(s, "weimi1001", env.id("黑旋风"), nothing))
    told = (await until(lambda: receiver.of("message.failed"), "told"))[0]
    assert (told["message"], told["assistant"], told["to"]) == (work.id, "weimi1001", "wxid_heixuanfeng")
    _, answer, _ = await env.call("GET", f"/wxbot/message/{work.id}")
    assert answer["message"]["state"] == "failed"
    qun = await env.make_group()
    await container.store.write(lambda s: container.messages.queue(s, "weimi1001", qun["room"], nothing))
    await until(lambda: len(receiver.events) == 2, "told")
    assert (receiver.events[1]["data"]["to"], receiver.events[1]["data"]["number"]) == (qun["room"], qun["number"])
