"""Relaying during a ticket: every kind of message is relayed in both directions, or its sender is notified."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import Session

from handlers.context import EventContext
from sandbox.world.model import Kind
from services.messaging.media import MediaStore
from services.support.ticket_relay import CustomerMessage
from tests.stories.conftest import MakeEnv
from tests.stories.service import ask_person, known, service, staff_room, with_staff_room, words
from tests.waiting import SECONDS, until
from wechat.events import MessageKind, PrivateMessage


async def test_pictures_and_files_are_relayed_in_both_directions(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    chats, bot = env.world.chats, env.id("bot")
    chats.send_media(env.id("黑旋风"), bot, Kind.IMAGE, "before.png", b"\x89PNG before")
    await ask_person(env, room)
    await until(lambda: "<image>" in words(env.seen("宋公明", room)), "the picture said before 人工")
    chats.send_media(env.id("黑旋风"), bot, Kind.FILE, "合同.pdf", b"%PDF contract")
    chats.send_media(env.id("黑旋风"), bot, Kind.IMAGE, "broken.png", b"\x89PNG broken")
    chats.send_card(env.id("黑旋风"), bot, env.id("九纹龙"))
    location = {"address": "人民路 1 号", "name": "人民路", "latitude": 1.0, "longitude": 2.0, "accuracy": 1}
    chats.send_data(env.id("黑旋风"), bot, Kind.LOCATION, location)
    chats.send_data(env.id("黑旋风"), bot, Kind.MINI_PROGRAM, {"appid": "wx1", "title": "我的订单"})
    await env.receives("宋公明", "【#1 黑旋风】[位置] 人民路 人民路 1 号", room)
    await env.receives("宋公明", "【#1 黑旋风】[小程序] 我的订单", room)
    received = words(env.seen("宋公明", room))
    assert "【#1 黑旋风】[文件] 合同.pdf" in received
    assert [w for w in received if w.startswith("【#1 黑旋风】[名片] 九纹龙")]
    files = [env.world.state.media[m.media].data for m in env.seen("宋公明", room) if m.media]
    assert files == [b"\x89PNG before", b"%PDF contract", b"\x89PNG broken"]

    # not addressed to a ticket
    chats.send_media(env.id("店长"), room, Kind.IMAGE, "private.png", b"\x89PNG of the staff")
    env.say("店长", "#1", room)
    await env.receives("店长", "#1 黑旋风：请在 2 分钟内发图片或文件", room)
    chats.send_media(env.id("店长"), room, Kind.FILE, "说明书.pdf", b"%PDF manual")
    await env.receives("店长", "#1 黑旋风：文件已转给客户", room)
    await until(lambda: any(m.media for m in env.seen("黑旋风")), "the file reaches the customer")
    chats.send_media(env.id("店长"), room, Kind.EMOTICON, "哈哈.gif", b"GIF of the staff")  # for colleagues
    chats.send_card(env.id("店长"), room, env.id("九纹龙"))
    await env.receives("店长", "#1 黑旋风：名片已转给客户", room)
    await until(lambda: "<card>" in words(env.seen("黑旋风")), "the card reaches the customer")
    got = [(m.filename, env.world.state.media[m.media].data) for m in env.seen("黑旋风") if m.media]
    assert got == [("说明书.pdf", b"%PDF manual")]


async def test_staff_pictures_reach_the_customer_for_two_minutes_after_an_answer(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    env.say("店长", "#1 您好", room)
    await env.receives("黑旋风", "您好")
    env.ahead += 110
    env.world.chats.send_media(env.id("店长"), room, Kind.IMAGE, "in-time.png", b"\x89PNG in time")
    await until(lambda: [m for m in env.seen("黑旋风") if m.media], "the picture reaches the customer")
    await env.wait_idle()
    env.ahead += 121
    env.world.chats.send_media(env.id("店长"), room, Kind.IMAGE, "late.png", b"\x89PNG late")
    await env.wait_idle()
    env.say("店长", "#1 好了", room)
    await env.receives("黑旋风", "好了")
    assert [m.filename for m in env.seen("黑旋风") if m.media] == ["in-time.png"]


async def test_earlier_voice_messages_and_stickers_are_shown(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    chats, who, bot = env.world.chats, env.id("黑旋风"), env.id("bot")
    chats.send_media(who, bot, Kind.AUDIO, "voice.mp3", b"mp3")
    await ask_person(env, room)
    chats.send_media(who, bot, Kind.EMOTICON, "谢谢.gif", b"GIF")
    shown = await until(lambda: [m for m in env.seen("宋公明", room) if m.media][1:], "the sticker is shown")
    first = next(m for m in env.seen("宋公明", room) if m.media)
    assert [env.world.state.media[m.media].data for m in (first, *shown)] == [b"mp3", b"GIF"]


async def test_long_text_is_relayed_in_pieces(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    letter = "".join(f"第{n}句。" for n in range(600))
    env.say("黑旋风", letter)
    env.say("黑旋风", "完了")
    await env.receives("宋公明", "【#1 黑旋风】完了", room)
    pieces = [m.text for m in env.seen("宋公明", room) if "句。" in m.text]
    assert all(len(piece) < 2000 for piece in pieces)
    assert "".join(piece.removeprefix("【#1 黑旋风】") for piece in pieces) == letter


async def test_message_concurrent_with_announcement_is_not_lost(make_env: MakeEnv) -> None:
    """Both happen in one commit, before the cache shows that the ticket is open."""
    env = await make_env(customer_service=service())
    env.say("黑旋风", "人工")
    await env.receives("黑旋风", "暂时联系不上人工客服")
    await env.wait_idle()
    room, container, account = staff_room(env), env.bot.container, env.accounts[0]
    await known(env, room)
    ticket = container.tickets.get(1)
    assert ticket is not None
    message = PrivateMessage(account, "m1", datetime.now(UTC), env.id("黑旋风"), "黑旋风", "等等")

    def said(session: Session) -> None:
        container.conversations.record_incoming(session, message, ticket=1)
        container.ticket_relay.relay(session, ticket, CustomerMessage(MessageKind.TEXT, "等等", "黑旋风"))

    writer_is_busy = threading.Event()
    writes: list[asyncio.Future[Any]] = [
        container.store.write_soon(lambda _: writer_is_busy.wait(SECONDS)),
        container.store.write_soon(lambda s: container.announcements.announce(s, ticket, room)),
        container.store.write_soon(said),
    ]
    writer_is_busy.set()
    await asyncio.gather(*writes)
    await env.receives("宋公明", "【#1 黑旋风】等等", room)


async def test_message_while_its_ticket_is_closed_is_answered(
    make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staff close the ticket in the same commit: they do not see it any more, so the assistant answers."""
    env, room = await with_staff_room(make_env, keywords=[{"equals": "营业时间", "reply": "九点到六点"}])
    await ask_person(env, room)
    await env.wait_idle()
    container, writer_is_busy, end = env.bot.container, threading.Event(), EventContext.end
    ticket = container.tickets.get(1)
    assert ticket is not None

    async def end_after_closing(context: EventContext, handler: str) -> None:
        monkeypatch.setattr(EventContext, "end", end)
        container.store.write_soon(lambda _: writer_is_busy.wait(SECONDS))
        container.store.write_soon(lambda s: container.ticket_actions.close(s, ticket, "店长", "#1 已结束", room))
        ending = asyncio.create_task(end(context, handler))
        await asyncio.sleep(0)
        writer_is_busy.set()
        await ending

    monkeypatch.setattr(EventContext, "end", end_after_closing)
    env.say("黑旋风", "营业时间")
    await env.receives("黑旋风", "九点到六点")
    await env.wait_idle()
    assert "【#1 黑旋风】营业时间" not in words(env.seen("店长", room))


async def test_undelivered_answer_is_reported_to_staff(make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """The customer has deleted the assistant: staff are told that the message was not delivered."""
    monkeypatch.setattr("services.messaging.messages.WAITS", ())
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    env.world.people.forget(env.id("黑旋风"), env.id("bot"))
    env.say("店长", "#1 您好，马上处理", room)
    await env.receives("店长", "#1 黑旋风：有一条没能送达客户：您好，马上处理", room)
    env.say("店长", "#1 结束", room)  # the assistant's own texts are not reported
    await env.receives("店长", "#1 黑旋风 已结束", room)
    await env.wait_idle()
    assert sum("没能送达" in w for w in words(env.seen("店长", room))) == 1


async def test_rejected_file_does_not_block_other_customers(make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """Staff are notified."""
    monkeypatch.setattr("services.messaging.messages.FILE_WAITS", (0.01, 0.01))
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    await ask_person(env, room, "智多星", 2)
    env.world.faults.call("MessageSendFile", "fail", text="too large")
    env.world.chats.send_media(env.id("黑旋风"), env.id("bot"), Kind.FILE, "视频.zip", b"PK")
    await env.receives("宋公明", "【#1 黑旋风】[文件] 视频.zip", room)
    env.say("智多星", "在吗")
    await env.receives("宋公明", "【#2 智多星】在吗", room)
    await env.receives("宋公明", "#1 黑旋风：客户发来的[文件] 视频.zip没能转到这里", room)


async def test_attempts_are_limited_when_responses_are_lost(make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """WeChat sends it each time, but the response is always lost: attempts are limited, and others do not wait."""
    monkeypatch.setattr("services.messaging.messages.LOST_WAITS", (0.01, 0.01))
    env, room = await with_staff_room(make_env)
    env.world.faults.call("MessageSendText", "lose")
    env.say("黑旋风", "好了吗")
    await until(lambda: len(words(env.seen("黑旋风"))) == 3, "said three times")
    await env.wait_idle()
    env.world.faults.clear()
    assert words(env.seen("黑旋风")) == ["好了。"] * 3
    await ask_person(env, room)


async def test_files_are_stored_once_per_hash(make_env: MakeEnv) -> None:
    env, room = await with_staff_room(make_env)
    await ask_person(env, room)
    for name in ("a.png", "b.png"):
        env.world.chats.send_media(env.id("黑旋风"), env.id("bot"), Kind.IMAGE, name, b"\x89PNG same")
    await until(lambda: words(env.seen("宋公明", room)).count("<image>") == 2)
    media: MediaStore = env.bot.container.media
    assert media.folder == env.folder / "media"
    assert len([p for p in media.folder.glob("*/*") if p.is_file()]) == 1
