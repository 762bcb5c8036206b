"""Topic, announcement and welcome text of groups."""

from __future__ import annotations

from typing import Any

import pytest

from errors import NotSupported, WeChatRefused, WeChatTooFast
from models.durable import Outcome
from models.groups import Qun
from services.groups.presentation import NotInGroup, TopicReserved, UnknownPlaceholder
from tests.services.parts import ACCOUNT, SONG, XUAN, OpenParts, Parts
from tests.services.room_wechat import RoomWeChat, actions, open_rooms
from wechat.interface import PUPPET, Capability


async def opened(open_parts: OpenParts, **config: Any) -> tuple[Parts, RoomWeChat, Qun]:
    """A group with two rooms."""
    parts, wechat = await open_rooms(open_parts, **config)
    qun = await parts.group()
    await parts.container.group_lifecycle.open_next_room(qun, "test")
    wechat.arguments.clear()
    return parts, wechat, qun


def group_of(parts: Parts) -> Qun:
    qun = parts.container.groups.by_number(100001)
    assert qun is not None
    return qun


def topics(parts: Parts) -> list[str]:
    return [room.topic for room in parts.container.groups.rooms(group_of(parts))]


async def test_topic_is_set_in_every_room(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts)
    old = qun.topic
    change = await parts.container.presentation.set_topic(qun, "新名字", "person:x")
    rooms = [room.room_id or "" for room in parts.container.groups.rooms(qun)]
    assert wechat.arguments == [("topic", rooms[0], "新名字"), ("topic", rooms[1], "新名字·2")]
    assert [action.outcome for action in await actions(parts, "topic")] == [Outcome.TRIED] * 2, (
        "open until it is stored"
    )
    await parts.write(change.store)
    assert (change.confirmed, group_of(parts).topic, topics(parts)) == (True, "新名字", ["新名字", "新名字·2"])
    entries = await actions(parts, "topic")
    assert [(entry.who, entry.target, entry.outcome) for entry in entries] == [
        ("person:x", room_id, Outcome.DONE) for room_id in rooms
    ]
    assert entries[0].detail == {"number": "100001", "before": old, "after": "新名字"}


@pytest.mark.parametrize("confirms", [True, False])
async def test_announcement_is_set_in_every_room(open_parts: OpenParts, confirms: bool) -> None:
    parts, wechat, qun = await opened(open_parts)
    wechat.confirms = confirms
    change = await parts.container.presentation.announce(qun, "公告", "person:x")
    assert [text for _, _, text in wechat.arguments] == ["公告", "公告"]
    await parts.write(change.store)
    assert (change.confirmed, group_of(parts).announcement) == (confirms, "公告")
    outcome = Outcome.DONE if confirms else Outcome.UNCONFIRMED
    entries = await actions(parts, "announce")
    assert [(entry.outcome, entry.detail["before"], entry.detail["after"]) for entry in entries] == [
        (outcome, "", "公告")
    ] * 2
    await parts.container.presentation.announce(group_of(parts), "新公告", "person:x")
    assert (await actions(parts, "announce"))[-1].detail["before"] == "公告"


@pytest.mark.parametrize("too_fast", [True, False])
async def test_refused_change_is_not_stored(open_parts: OpenParts, too_fast: bool) -> None:
    parts, wechat, qun = await opened(open_parts)
    second = parts.container.groups.rooms(qun)[1].room_id or ""
    set_topic = wechat.set_topic

    async def fails(room_id: str, topic: str) -> None:
        if room_id == second:
            raise (WeChatTooFast if too_fast else WeChatRefused)("RoomTopic", "不行")
        await set_topic(room_id, topic)

    wechat.set_topic = fails  # type: ignore[method-assign]
    with pytest.raises(WeChatRefused):
        await parts.container.presentation.set_topic(qun, "新名字", "person:x")
    entries = await actions(parts, "topic")
    assert [(entry.outcome, entry.seen) for entry in entries] == [
        (Outcome.DONE, ""), (Outcome.FAILED, "RoomTopic: 不行"),
    ]  # fmt: skip
    assert group_of(parts).topic == qun.topic
    assert parts.container.accounts.rate_limiter(ACCOUNT).slow_down_factor == (2.0 if too_fast else 1.0)


async def test_group_in_no_room_cannot_be_changed(open_parts: OpenParts) -> None:
    parts, _ = await open_rooms(open_parts)
    qun = await parts.container.group_lifecycle.prepare("1", "宋公明", ACCOUNT)
    with pytest.raises(NotInGroup, match="not in the group"):
        await parts.container.presentation.set_topic(qun, "新名字", "x")


async def test_channel_may_not_support_changes(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts)
    show = parts.container.presentation
    wechat.capabilities = PUPPET - {Capability.SET_TOPIC, Capability.SET_ANNOUNCEMENT, Capability.ROOM_MESSAGES}
    with pytest.raises(NotSupported):
        await show.set_topic(qun, "新名字", "x")
    with pytest.raises(NotSupported):
        await show.announce(qun, "公告", "x")
    with pytest.raises(NotSupported):
        show.welcome(qun, "欢迎", "x")
    assert wechat.arguments == []


@pytest.mark.parametrize(("text", "stored"), [("{member}来{topic}", "{member}来{topic}"), ("", ""), (None, None)])
async def test_welcome_text_is_stored(open_parts: OpenParts, text: str | None, stored: str | None) -> None:
    parts, _, qun = await opened(open_parts)
    await parts.write(parts.container.presentation.welcome(qun, text, "person:x"))
    assert group_of(parts).welcome == stored
    (entry,) = await actions(parts, "welcome")
    assert (entry.who, entry.outcome) == ("person:x", Outcome.DONE)
    assert entry.detail == {"number": "100001", "before": "", "after": text or ""}


async def test_unknown_placeholder_is_rejected(open_parts: OpenParts) -> None:
    parts, _, qun = await opened(open_parts)
    with pytest.raises(UnknownPlaceholder, match="name"):
        parts.container.presentation.welcome(qun, "{member}{name}", "x")


# ---- names given in WeChat ----


async def accept(parts: Parts, topic: str, by: str = SONG, room: int = 0) -> bool:
    qun = group_of(parts)
    room_id = parts.container.groups.rooms(qun)[room].room_id or "" if room >= 0 else "x@chatroom"
    return await parts.write(lambda s: parts.container.presentation.accept_topic(s, qun, room_id, topic, by))


async def test_owners_name_for_the_first_room_is_that_of_all(open_parts: OpenParts) -> None:
    parts, _, qun = await opened(open_parts, admins=["wxid_admin"])
    old = qun.topic
    assert await accept(parts, "新名字")
    assert (group_of(parts).topic, topics(parts)) == ("新名字", ["新名字", "新名字·2"])
    (entry,) = await actions(parts, "topic")
    assert (entry.who, entry.outcome, entry.detail) == (
        f"person:{SONG}", Outcome.DONE, {"number": "100001", "before": old, "after": "新名字"},
    )  # fmt: skip
    assert await accept(parts, "二号", "wxid_admin", room=1)
    assert (group_of(parts).topic, topics(parts)) == ("新名字", ["新名字", "二号"])
    assert await accept(parts, "二号 ", room=1), "it is the same"
    assert len(await actions(parts, "topic")) == 2


@pytest.mark.parametrize(("topic", "by", "room"), [("新名字", XUAN, 0), ("", SONG, 0), ("新名字", SONG, -1)])
async def test_other_names_are_not_kept(open_parts: OpenParts, topic: str, by: str, room: int) -> None:
    parts, _, qun = await opened(open_parts)
    assert not await accept(parts, topic, by, room)
    assert group_of(parts).topic == qun.topic


async def test_locked_topic_is_not_changed(open_parts: OpenParts) -> None:
    parts, _, _ = await opened(open_parts, groups={"topic_lock": True})
    assert not await accept(parts, "新名字")


async def test_name_of_the_staff_room_is_reserved(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts)
    show = parts.container.presentation
    show._is_reserved = lambda name: name == "客服群"
    with pytest.raises(TopicReserved):
        await show.set_topic(qun, "客服群", "x")
    assert not await accept(parts, "客服群")
    assert wechat.arguments == []
