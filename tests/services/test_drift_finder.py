"""What differs between a group and the room that WeChat shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from errors import WeChatOffline, WeChatRefused, WeChatUnknown
from models.durable import Outcome
from models.groups import Qun, QunState
from services.groups.drift import Drift
from tests.services.parts import ACCOUNT, OpenParts, Parts
from tests.services.room_wechat import RoomWeChat, open_rooms
from wechat.interface import PUPPET, Capability


async def found(parts: Parts, qun: Qun) -> list[Drift]:
    room = parts.container.groups.all_rooms(qun)[0]
    return await parts.container.drift_check._finder.find(qun, room)


async def kinds(parts: Parts, qun: Qun) -> list[str]:
    return [drift.kind.value for drift in await found(parts, qun)]


async def with_announcement(open_parts: OpenParts, wanted: str | None, shown: str) -> tuple[Parts, RoomWeChat, Qun]:
    parts, wechat = await open_rooms(open_parts)
    qun = await parts.container.groups.change((await parts.group()).number, announcement=wanted)
    wechat.announced = shown
    return parts, wechat, qun


async def note(parts: Parts, kind: str, target: str, outcome: str, age: float = 0.0) -> None:
    parts.clock.now -= age
    await parts.write(lambda s: parts.container.audit.record(s, ACCOUNT, kind, "test", target, outcome))
    parts.clock.now += age


async def test_group_as_in_the_database_does_not_differ(open_parts: OpenParts) -> None:
    parts, wechat = await open_rooms(open_parts)
    qun = await parts.group()
    assert await found(parts, qun) == []
    assert "announcement" not in wechat.calls, "the group has none"


async def test_changed_topic_is_found(open_parts: OpenParts) -> None:
    parts, wechat = await open_rooms(open_parts)
    qun = await parts.group()
    wechat.directory.set_topic_of(parts.room_id(qun), "别的名字")
    (drift,) = await found(parts, qun)
    assert (drift.kind, drift.expected, drift.shown) == ("topic", qun.topic, "别的名字")
    assert (drift.qun.number, drift.room.room_id) == (qun.number, parts.room_id(qun))


async def test_topic_that_wechat_shows_differently_is_the_same(open_parts: OpenParts) -> None:
    parts, wechat = await open_rooms(open_parts, groups={"topic": "{owner} & {number}"})
    qun = await parts.group()
    wechat.directory.set_topic_of(parts.room_id(qun), qun.topic.replace("&", "&amp;"))
    assert await found(parts, qun) == []


@pytest.mark.parametrize(
    ("wanted", "shown", "differs"),
    [
        (None, "别的公告", False),
        ("公告", "公告", False),
        ("公告", "公告 ", False),
        ("公告", "别的公告", True),
        ("公告", "", True),
        ("", "别的公告", True),
        ("", "", False),
    ],
)
async def test_changed_announcement_is_found(
    open_parts: OpenParts, wanted: str | None, shown: str, differs: bool
) -> None:
    parts, _, qun = await with_announcement(open_parts, wanted, shown)
    drifts = await found(parts, qun)
    assert [(drift.kind.value, drift.expected, drift.shown) for drift in drifts] == (
        [("announce", wanted, shown)] if differs else []
    )


@pytest.mark.parametrize(
    ("entries", "differs"),
    [
        ([("announce", Outcome.UNCONFIRMED)], False),
        ([("announce", Outcome.DONE)], True),
        ([("announce", Outcome.UNCONFIRMED), ("announce", Outcome.DONE)], True),
        ([("announce", Outcome.DONE), ("announce", Outcome.UNCONFIRMED)], False),
        ([("announce", Outcome.UNCONFIRMED), ("announce", Outcome.TRIED)], False),
        ([("topic", Outcome.UNCONFIRMED)], True),
        ([("announce", Outcome.UNCONFIRMED), ("topic", Outcome.DONE)], False),
    ],
)
async def test_unreadable_announcement_is_not_set_again(
    open_parts: OpenParts, entries: list[tuple[str, str]], differs: bool
) -> None:
    """The last announcement that was set may exist, although an empty one is read."""
    parts, wechat, qun = await with_announcement(open_parts, "公告", "")
    for kind, outcome in entries:
        await note(parts, kind, parts.room_id(qun), outcome, age=100)
    assert (await kinds(parts, qun) == ["announce"]) is differs
    wechat.announced = "别的公告"
    assert await kinds(parts, qun) == ["announce"], "it can be read now"


async def test_unreadable_announcement_of_another_room_does_not_count(open_parts: OpenParts) -> None:
    parts, _, qun = await with_announcement(open_parts, "公告", "")
    await note(parts, "announce", "another@chatroom", Outcome.UNCONFIRMED)
    assert await kinds(parts, qun) == ["announce"]


@pytest.mark.parametrize(
    ("kind", "outcome", "age", "left"),
    [
        ("topic", Outcome.TRIED, 0.0, ["announce"]),
        ("topic", Outcome.TRIED, 59.0, ["announce"]),
        ("topic", Outcome.TRIED, 60.0, ["topic", "announce"]),
        ("announce", Outcome.TRIED, 0.0, ["topic"]),
        ("topic", Outcome.DONE, 0.0, ["topic", "announce"]),
    ],
)
async def test_change_under_way_is_no_difference(
    open_parts: OpenParts, kind: str, outcome: str, age: float, left: list[str]
) -> None:
    parts, wechat, qun = await with_announcement(open_parts, "公告", "别的公告")
    wechat.directory.set_topic_of(parts.room_id(qun), "别的名字")
    await note(parts, kind, "another@chatroom", Outcome.TRIED)
    assert await kinds(parts, qun) == ["topic", "announce"]
    await note(parts, kind, parts.room_id(qun), outcome, age)
    assert await kinds(parts, qun) == left


@pytest.mark.parametrize("call", ["room", "announcement"])
async def test_change_made_while_wechat_is_asked_is_no_difference(open_parts: OpenParts, call: str) -> None:
    parts, wechat, qun = await with_announcement(open_parts, "公告", "新公告")
    groups = parts.container.groups
    wechat.directory.set_topic_of(parts.room_id(qun), "新名字")

    def command() -> None:
        changed = {"topic": "新名字", "announcement": "新公告"}
        groups._cache_group(Qun(**{**groups_row(parts, qun), **changed}))
        groups._cache_room(type(room)(**{**room.model_dump(), "topic": "新名字"}))

    room = groups.all_rooms(qun)[0]
    wechat.during[call] = command
    assert await found(parts, qun) == []


def groups_row(parts: Parts, qun: Qun) -> dict[str, Any]:
    kept = parts.container.groups.by_number(qun.number)
    assert kept is not None
    return kept.model_dump()


async def test_announcement_withdrawn_during_the_check_is_no_difference(open_parts: OpenParts) -> None:
    parts, wechat, qun = await with_announcement(open_parts, "公告", "别的公告")
    groups = parts.container.groups
    wechat.during["announcement"] = lambda: groups._cache_group(Qun(**{**groups_row(parts, qun), "announcement": None}))
    assert await found(parts, qun) == []


@pytest.mark.parametrize("shown", [True, False])
async def test_lost_room_is_read_once_wechat_shows_it(open_parts: OpenParts, shown: bool) -> None:
    parts, wechat = await open_rooms(open_parts)
    qun = await parts.group()
    room = parts.container.groups.all_rooms(qun)[0]
    room = await parts.write(lambda s: parts.container.groups.patch_room(s, room, state=QunState.LOST))
    if not shown:
        wechat.directory.drop_room(room.room_id or "")
    else:
        wechat.directory.set_topic_of(room.room_id or "", "别的名字")
    wechat.calls.clear()
    assert await kinds(parts, qun) == (["topic"] if shown else [])
    assert ("room" in wechat.calls) is shown


async def test_room_of_which_nothing_is_known_yet_is_read(open_parts: OpenParts) -> None:
    parts, wechat = await open_rooms(open_parts)
    qun = await parts.group()
    wechat.directory.drop_room(parts.room_id(qun))
    wechat.fails["room"] = WeChatRefused("Room", "not in it")
    assert await found(parts, qun) == []
    assert "room" in wechat.calls
    assert parts.container.groups.all_rooms(qun)[0].state == QunState.LOST


@pytest.mark.parametrize("call", ["room", "announcement"])
@pytest.mark.parametrize("offline", [True, False])
async def test_unreadable_room_does_not_differ(
    open_parts: OpenParts, call: str, offline: bool, caplog: pytest.LogCaptureFixture
) -> None:
    parts, wechat, qun = await with_announcement(open_parts, "公告", "别的公告")
    wechat.directory.set_topic_of(parts.room_id(qun), "别的名字")
    wechat.fails[call] = WeChatOffline("Room") if offline else WeChatUnknown("Room", "no answer")
    assert await found(parts, qun) == []
    assert ("could not check room" in caplog.text) is not offline


async def test_channel_without_topics_is_not_compared(open_parts: OpenParts) -> None:
    parts, wechat = await open_rooms(open_parts)
    qun = await parts.group()
    wechat.directory.put_room(replace(wechat.directory.rooms[parts.room_id(qun)], topic="别的名字"))
    wechat.capabilities = PUPPET - {Capability.SET_TOPIC}
    assert await found(parts, qun) == []
