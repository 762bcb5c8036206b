"""Relaying during a ticket: every kind of message is relayed in both directions, or its sender is told."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import Session

from sandbox.world.model import Kind
from services.messaging.media import MediaStore
from services.support.ticket_relay import CustomerMessage
from tests.stories.conftest import MakeTown, until
from tests.stories.service import known, service, staff_room, with_staff_room, words
from tests.stories.test_support_handover import ask_person
from tests.waiting import SECONDS
from wechat.events import MessageKind, PrivateMessage


async def test_pictures_and_files_both_ways(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    chats, bot = town.world.chats, town.id("bot")
    chats.send_media(town.id("黑旋风"), bot, Kind.IMAGE, "before.png", b"\x89PNG before")
    await ask_person(town, room)
    await until(lambda: "<image>" in words(town.seen("宋公明", room)), "the picture said before 人工")
    chats.send_media(town.id("黑旋风"), bot, Kind.FILE, "合同.pdf", b"%PDF contract")
    chats.send_media(town.id("黑旋风"), bot, Kind.IMAGE, "broken.png", b"\x89PNG broken")
    chats.send_card(town.id("黑旋风"), bot, town.id("九纹龙"))
    location = {"address": "人民路 1 号", "name": "人民路", "latitude": 1.0, "longitude": 2.0, "accuracy": 1}
    chats.send_data(town.id("黑旋风"), bot, Kind.LOCATION, location)
    chats.send_data(town.id("黑旋风"), bot, Kind.MINI_PROGRAM, {"appid": "wx1", "title": "我的订单"})
    await town.hears("宋公明", "【#1 黑旋风】[位置] 人民路 人民路 1 号", room)
    await town.hears("宋公明", "【#1 黑旋风】[小程序] 我的订单", room)
    heard = words(town.seen("宋公明", room))
    assert "【#1 黑旋风】[文件] 合同.pdf" in heard
    assert [w for w in heard if w.startswith("【#1 黑旋风】[名片] 九纹龙")]
    files = [town.world.state.media[m.media].data for m in town.seen("宋公明", room) if m.media]
    assert files == [b"\x89PNG before", b"%PDF contract", b"\x89PNG broken"]

    # not addressed to a ticket
    chats.send_media(town.id("店长"), room, Kind.IMAGE, "private.png", b"\x89PNG of the staff")
    town.say("店长", "#1", room)
    await town.hears("店长", "#1 黑旋风：请在 2 分钟内发图片或文件", room)
    chats.send_media(town.id("店长"), room, Kind.FILE, "说明书.pdf", b"%PDF manual")
    await town.hears("店长", "#1 黑旋风：文件已转给客户", room)
    await until(lambda: any(m.media for m in town.seen("黑旋风")), "the file reaches the customer")
    chats.send_media(town.id("店长"), room, Kind.EMOTICON, "哈哈.gif", b"GIF of the staff")  # for colleagues
    chats.send_card(town.id("店长"), room, town.id("九纹龙"))
    await town.hears("店长", "#1 黑旋风：名片已转给客户", room)
    await until(lambda: "<card>" in words(town.seen("黑旋风")), "the card reaches the customer")
    got = [(m.filename, town.world.state.media[m.media].data) for m in town.seen("黑旋风") if m.media]
    assert got == [("说明书.pdf", b"%PDF manual")]


async def test_a_picture_follows_an_answer_for_two_minutes(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    town.say("店长", "#1 您好", room)
    await town.hears("黑旋风", "您好")
    town.ahead += 110
    town.world.chats.send_media(town.id("店长"), room, Kind.IMAGE, "in-time.png", b"\x89PNG in time")
    await until(lambda: [m for m in town.seen("黑旋风") if m.media], "the picture reaches the customer")
    await town.quiet()
    town.ahead += 121
    town.world.chats.send_media(town.id("店长"), room, Kind.IMAGE, "late.png", b"\x89PNG late")
    await town.quiet()
    town.say("店长", "#1 好了", room)
    await town.hears("黑旋风", "好了")
    assert [m.filename for m in town.seen("黑旋风") if m.media] == ["in-time.png"]


async def test_voice_before_asking_and_stickers_are_shown(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    chats, who, bot = town.world.chats, town.id("黑旋风"), town.id("bot")
    chats.send_media(who, bot, Kind.AUDIO, "voice.mp3", b"mp3")
    await ask_person(town, room)
    chats.send_media(who, bot, Kind.EMOTICON, "谢谢.gif", b"GIF")
    shown = await until(lambda: [m for m in town.seen("宋公明", room) if m.media][1:], "the sticker is shown")
    first = next(m for m in town.seen("宋公明", room) if m.media)
    assert [town.world.state.media[m.media].data for m in (first, *shown)] == [b"mp3", b"GIF"]


async def test_a_long_text_is_relayed_whole_in_pieces_that_wechat_takes(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    letter = "".join(f"第{n}句。" for n in range(600))
    town.say("黑旋风", letter)
    town.say("黑旋风", "完了")
    await town.hears("宋公明", "【#1 黑旋风】完了", room)
    pieces = [m.text for m in town.seen("宋公明", room) if "句。" in m.text]
    assert all(len(piece) < 2000 for piece in pieces)
    assert "".join(piece.removeprefix("【#1 黑旋风】") for piece in pieces) == letter


async def test_what_is_said_just_as_a_waiting_ticket_is_shown_is_not_lost(make_town: MakeTown) -> None:
    """Both happen in one commit, before the cache shows that the ticket is open."""
    town = await make_town(customer_service=service())
    town.say("黑旋风", "人工")
    await town.hears("黑旋风", "暂时联系不上人工客服")
    await town.quiet()
    room, container, account = staff_room(town), town.bot.container, town.accounts[0]
    await known(town, room)
    ticket = container.tickets.get(1)
    assert ticket is not None
    message = PrivateMessage(account, "m1", datetime.now(UTC), town.id("黑旋风"), "黑旋风", "等等")

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
    await town.hears("宋公明", "【#1 黑旋风】等等", room)


async def test_the_staff_is_told_what_did_not_reach_the_customer(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The customer has deleted the assistant: staff are told that the message was not delivered."""
    monkeypatch.setattr("services.messaging.messages.WAITS", ())
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    town.world.people.forget(town.id("黑旋风"), town.id("bot"))
    town.say("店长", "#1 您好，马上处理", room)
    await town.hears("店长", "#1 黑旋风：有一条没能送达客户：您好，马上处理", room)
    town.say("店长", "#1 结束", room)  # the assistant's own texts are not reported
    await town.hears("店长", "#1 黑旋风 已结束", room)
    await town.quiet()
    assert sum("没能送达" in w for w in words(town.seen("店长", room))) == 1


async def test_a_file_that_wechat_does_not_take_holds_up_no_other_customer(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staff are told about it."""
    monkeypatch.setattr("services.messaging.messages.FILE_WAITS", (0.01, 0.01))
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    await ask_person(town, room, "智多星", 2)
    town.world.faults.call("MessageSendFile", "fail", text="too large")
    town.world.chats.send_media(town.id("黑旋风"), town.id("bot"), Kind.FILE, "视频.zip", b"PK")
    await town.hears("宋公明", "【#1 黑旋风】[文件] 视频.zip", room)
    town.say("智多星", "在吗")
    await town.hears("宋公明", "【#2 智多星】在吗", room)
    await town.hears("宋公明", "#1 黑旋风：客户发来的[文件] 视频.zip没能转到这里", room)


async def test_a_message_whose_answer_is_always_lost_is_not_said_for_ever(
    make_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WeChat sends it each time, but the response is always lost: attempts are limited, and others do not wait."""
    monkeypatch.setattr("services.messaging.messages.LOST_WAITS", (0.01, 0.01))
    town, room = await with_staff_room(make_town)
    town.world.faults.call("MessageSendText", "lose")
    town.say("黑旋风", "好了吗")
    await until(lambda: len(words(town.seen("黑旋风"))) == 3, "said three times")
    await town.quiet()
    town.world.faults.clear()
    assert words(town.seen("黑旋风")) == ["好了。"] * 3
    await ask_person(town, room)


async def test_files_are_kept_once_by_their_hash(make_town: MakeTown) -> None:
    town, room = await with_staff_room(make_town)
    await ask_person(town, room)
    for name in ("a.png", "b.png"):
        town.world.chats.send_media(town.id("黑旋风"), town.id("bot"), Kind.IMAGE, name, b"\x89PNG same")
    await until(lambda: words(town.seen("宋公明", room)).count("<image>") == 2)
    media: MediaStore = town.bot.container.media
    assert media.folder == town.folder / "media"
    assert len([p for p in media.folder.glob("*/*") if p.is_file()]) == 1
