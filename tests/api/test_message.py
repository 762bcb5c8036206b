"""Messages over HTTP: recipients, idempotency keys, durability before the 202."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlmodel import select

from errors import WeChatNotDone, WeChatTooFast, WeChatUnknown
from models.durable import OutboxItem, WorkState
from models.groups import QunState
from services.messaging.messages import SLOW_WAITS
from tests.api.conftest import ApiServer, error
from tests.waiting import until
from wechat.entities import Room
from wechat.interface import State

TO = {"assistant": "weimi1001", "to": "黑旋风", "text": "您的订单已发货。"}


async def _until(server: ApiServer, message_id: int, state: str) -> None:
    async def reached() -> bool:
        now: str = (await server.call("GET", f"/wxbot/message/{message_id}"))[1]["message"]["state"]
        return now == state

    await until(reached)


async def _send(server: ApiServer, key: str | None = None, **body: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    status, answer, answered = await server.call("POST", "/wxbot/message", json=body, headers=headers)
    assert status == 202, answer
    assert answer == {"message": {"id": answer["message"]["id"], "state": "queued"}}
    assert answered["Location"] == f"/wxbot/message/{answer['message']['id']}"
    return answer["message"]["id"]


async def _code(server: ApiServer, **body: Any) -> int:
    status, answer, _ = await server.call("POST", "/wxbot/message", json=body)
    assert status >= 400, answer
    code: int = answer["error"]["code"]
    assert answer == error(code)
    return code


async def test_message_to_friend_is_sent(server: ApiServer) -> None:
    message_id = await _send(server, **TO)
    await _until(server, message_id, "sent")
    assert server.wechat.sent == [("wxid_hei", "您的订单已发货。", ())]


@pytest.mark.parametrize("name", ["wxid_hei", "tieniu", "李逵", "黑旋风"])
async def test_recipient_is_matched_by_any_name(server: ApiServer, name: str) -> None:
    server.wechat.knows("wxid_hei", "黑旋风", alias="李逵", weixin="tieniu")
    await _until(server, await _send(server, **TO | {"to": name}), "sent")
    assert server.wechat.sent[0][0] == "wxid_hei"


async def test_nickname_beats_weixin_of_another_friend(server: ApiServer) -> None:
    """Anybody can choose that 微信号, so the name is ambiguous; ids and remarks are not."""
    server.wechat.knows("wxid_customer", "tieniu1")
    server.wechat.knows("wxid_attacker", "某人", weixin="tieniu1")
    assert await _code(server, **TO | {"to": "tieniu1"}) == 3003
    assert await _code(server, **TO | {"to": "tieniu1"}) == 3003
    server.wechat.knows("wxid_customer", "tieniu1", alias="张先生")
    await _until(server, await _send(server, **TO | {"to": "张先生"}), "sent")
    await _until(server, await _send(server, **TO | {"to": "wxid_attacker"}), "sent")
    assert [to for to, _, _ in server.wechat.sent] == ["wxid_customer", "wxid_attacker"]


async def test_unknown_or_ambiguous_recipient_is_rejected(server: ApiServer) -> None:
    server.wechat.knows("wxid_a", "同名")
    server.wechat.knows("wxid_b", "同名")
    server.wechat.knows("wxid_c", "路人", friend=False)
    assert await _code(server, **TO | {"to": "同名"}) == 3003
    assert await _code(server, **TO | {"to": "无名"}) == 1004
    assert await _code(server, **TO | {"to": "路人"}) == 1004
    assert await _code(server, **TO | {"assistant": "nobody"}) == 2001
    assert server.wechat.sent == []


async def test_message_waits_while_offline(server: ApiServer) -> None:
    server.wechat.state = State.CONNECTING
    assert await _code(server, **TO | {"to": "无名"}) == 2002  # the friends are not known reliably while offline
    message_id = await _send(server, **TO)
    assert (await server.call("GET", f"/wxbot/message/{message_id}"))[1]["message"]["state"] == "queued"
    server.wechat.state = State.ONLINE
    server.container.outbox.wake_account("weimi1001")
    await _until(server, message_id, "sent")


async def test_message_states_until_sent(server: ApiServer) -> None:
    server.wechat.holds["send_text"] = asyncio.Event()
    message_id = await _send(server, **TO)
    await _until(server, message_id, "sending")
    server.wechat.fails["send_text"] = WeChatNotDone("send_text")
    server.wechat.holds["send_text"].set()
    await _until(server, message_id, "failed")


async def test_lost_response_is_retried_a_limited_number_of_times(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.messaging.messages.LOST_WAITS", (0.01, 0.01))
    server.wechat.fails["send_text"] = WeChatUnknown("MessageSendText", "timeout")
    message_id = await _send(server, **TO)
    await _until(server, message_id, "failed")
    assert server.wechat.calls.count("send_text") == 3, "each of them may have been heard"
    await server.container.outbox.stop(5.0)  # stores the results; until then they are read from memory
    item = await server.container.store.read(lambda s: s.get(OutboxItem, message_id))
    assert item is not None
    assert item.state == WorkState.UNKNOWN


async def test_rate_limit_of_wechat_delays_the_message(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.messaging.messages.SLOW_WAITS", tuple(wait / 100_000 for wait in SLOW_WAITS))
    assert sum(SLOW_WAITS) > 3600, "for an hour the pace is halved"
    server.wechat.fails["send_text"] = WeChatTooFast("MessageSendText", "操作过于频繁")
    message_id = await _send(server, **TO)
    await _until(server, message_id, "failed")
    assert server.wechat.calls.count("send_text") == 1 + len(SLOW_WAITS)


async def test_message_is_stored_before_the_response(server: ApiServer) -> None:
    server.wechat.state = State.CONNECTING
    message_id = await _send(server, **TO)
    row = await server.container.store.read(lambda s: s.get(OutboxItem, message_id))
    assert row is not None
    assert (row.queue, row.key, row.state) == ("wx:weimi1001", "wxid_hei", WorkState.QUEUED)


# ---- groups ----


@pytest.mark.parametrize("name", [100001, "100001", "shop-1"])
async def test_message_to_group_is_sent(server: ApiServer, name: str | int) -> None:
    await server.make_group()
    message_id = await _send(
        server, assistant="weimi1001", qun=name, text="开会\n八点", mentions=["智多星", "wxid_zhi"]
    )
    await _until(server, message_id, "sent")
    assert server.wechat.sent == [("room-1@chatroom", "@智多星\u2005开会\n八点", ("wxid_zhi",))]


async def test_message_to_unusable_group_is_rejected(server: ApiServer) -> None:
    await server.make_group()
    to = {"assistant": "weimi1001", "qun": 100001, "text": "开会"}
    assert await _code(server, **to | {"qun": 100002}) == 1004
    assert await _code(server, **to | {"qun": "shop-2"}) == 1004
    assert await _code(server, **to | {"mentions": ["黑旋风"]}) == 1004  # a friend, but not in this group
    assert await _code(server, **to | {"assistant": "nobody"}) == 2001
    no_qun: list[object] = [True, 1.5, None, "", []]
    for bad in no_qun:
        assert await _code(server, **to | {"qun": bad}) == 1001
    no_mentions: list[object] = ["智多星", [1], [""], None, ["a"] * 101]
    for bad in no_mentions:
        assert await _code(server, **to | {"mentions": bad}) == 1001
    await server.container.groups.change(100001, state=QunState.LOST)
    room = server.container.groups.rooms(server.container.groups.by_number(100001))[0]  # type: ignore[arg-type]
    await server.container.store.write(lambda s: server.container.groups.patch_room(s, room, state=QunState.LOST))
    assert await _code(server, **to) == 1004


async def test_code_equal_to_another_groups_number_is_resolved(server: ApiServer) -> None:
    await server.make_group("shop-1")
    await server.make_group("100001")
    assert await _code(server, assistant="weimi1001", qun="100001", text="开会") == 1001
    message_id = await _send(server, assistant="weimi1001", qun=100001, text="开会")
    await _until(server, message_id, "sent")
    assert server.wechat.sent[0][0] == "room-1@chatroom"


async def test_message_to_group_with_two_rooms_reaches_both(server: ApiServer) -> None:
    await server.make_group()
    qun = server.container.groups.by_number(100001)
    assert qun is not None
    await server.container.group_lifecycle.open_next_room(qun, "test")
    server.wechat.directory.put_room(Room("room-2@chatroom", "宋公明的群100001·2", "", (), {"wxid_hei", "wxid_song"}))
    message_id = await _send(server, assistant="weimi1001", qun="shop-1", text="开会", mentions=["黑旋风"])
    await _until(server, message_id, "sent")
    sent = {to: mentions for to, _, mentions in server.wechat.sent}
    assert sent == {"room-1@chatroom": (), "room-2@chatroom": ("wxid_hei",)}


async def test_required_fields_of_message(server: ApiServer) -> None:
    await server.make_group()
    assert await _code(server, **TO | {"qun": 100001}) == 1001
    assert await _code(server, assistant="weimi1001", text="你好") == 1001
    assert await _code(server, **TO | {"mentions": ["黑旋风"]}) == 1001
    assert await _code(server, **TO | {"text": "x" * 4001}) == 1001
    assert await _code(server, **TO | {"text": " \n"}) == 1001
    assert await _code(server, **TO | {"text": "a\x00b"}) == 1001
    await _send(server, **TO | {"text": "一\r\n二\t三" + "x" * 3993})
    assert len(server.wechat.sent) <= 2  # more than 2000 characters go out in two messages


# ---- repeats ----


async def test_repeated_key_sends_one_message(server: ApiServer) -> None:
    first = await _send(server, key="order-1", **TO)
    await _until(server, first, "sent")
    assert await _send(server, key="order-1", **TO) == first
    assert await _send(server, key="order-2", **TO) != first
    assert await _send(server, **TO) != first
    await _until(server, first + 2, "sent")
    assert len(server.wechat.sent) == 3


async def test_concurrent_calls_with_one_key_send_one_message(server: ApiServer) -> None:
    ids = await asyncio.gather(*(_send(server, key="order-1", **TO) for _ in range(20)))
    assert len(set(ids)) == 1
    await _until(server, ids[0], "sent")
    assert len(server.wechat.sent) == 1


async def test_key_with_another_body_is_rejected(server: ApiServer) -> None:
    first = await _send(server, key="order-1", **TO)
    headers = {"Idempotency-Key": "order-1"}
    for other in (TO | {"text": "别的"}, TO | {"to": "智多星"}):
        assert (await server.call("POST", "/wxbot/message", json=other, headers=headers))[:2] == (400, error(1001))
    await _until(server, first, "sent")
    assert len(server.wechat.sent) == 1


async def test_concurrent_calls_with_one_key_and_two_bodies_send_one_message(server: ApiServer) -> None:
    headers, others = {"Idempotency-Key": "order-1"}, (TO, TO | {"text": "别的"}, TO)
    calls = (server.call("POST", "/wxbot/message", json=body, headers=headers) for body in others)
    assert [answer[0] for answer in await asyncio.gather(*calls)] == [202, 400, 202]


async def test_rejected_call_does_not_use_up_the_key(server: ApiServer) -> None:
    headers, nobody = {"Idempotency-Key": "order-1"}, TO | {"to": "没有这个人"}
    calls = (server.call("POST", "/wxbot/message", json=body, headers=headers) for body in (nobody, TO))
    assert [answer[0] for answer in await asyncio.gather(*calls)] == [404, 202]


async def test_repeat_returns_the_message_after_later_changes(server: ApiServer) -> None:
    first = await _send(server, key="order-1", **TO)
    server.wechat.directory.drop_contact("wxid_hei")
    assert await _send(server, key="order-1", **TO) == first


@pytest.mark.parametrize("key", ["", " ", "x" * 257])
async def test_invalid_key_is_rejected(server: ApiServer, key: str) -> None:
    headers = {"Idempotency-Key": key}
    assert (await server.call("POST", "/wxbot/message", json=TO, headers=headers))[:2] == (400, error(1001))


async def test_only_messages_are_returned_by_id(server: ApiServer) -> None:
    def other(session: Any) -> int:
        item = OutboxItem(queue="hook:http://a", key="1", body="{}", state=WorkState.SENT)
        session.add(item)
        session.flush()
        return item.id or 0

    other_id = await server.container.store.write(other)
    assert (await server.call("GET", f"/wxbot/message/{other_id}"))[:2] == (404, error(1004))
    assert await server.container.store.read(lambda s: len(s.exec(select(OutboxItem)).all())) == 1
