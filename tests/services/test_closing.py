"""Closing groups, their tags, and the states of their rooms."""

from __future__ import annotations

import pytest
from sqlmodel import select

from errors import InvalidParameter, NotFound, TokenExpired
from models.durable import Outcome
from models.groups import MemberState, Qun, QunRoom, QunState, QunTag
from services.groups.membership_rows import put_membership
from tests.services.parts import ACCOUNT, SONG, XUAN, OpenParts, Parts
from tests.services.room_wechat import actions
from wechat.interface import PUPPET, Capability

DAY = 86400.0
HOOK = {"name": "erp", "url": "http://127.0.0.1:9/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="}


async def close(parts: Parts, qun: Qun) -> None:
    await parts.container.closing.close(qun.number, "person:x")


async def sent_to(parts: Parts, room_id: str) -> list[str]:
    return [job.body["type"] for job in await parts.queued() if job.key == room_id]


def states(parts: Parts, qun: Qun) -> tuple[str, list[str]]:
    kept = parts.container.groups.by_number(qun.number)
    assert kept is not None
    return kept.state, [room.state for room in parts.container.groups.all_rooms(qun)]


async def test_closed_group_says_farewell_and_is_left(parts: Parts) -> None:
    qun = await parts.group()
    await parts.container.group_lifecycle.open_next_room(qun, "test")
    rooms = [room.room_id or "" for room in parts.container.groups.rooms(qun)]
    for _ in range(2):
        await close(parts, qun)
    for room_id in rooms:
        assert await sent_to(parts, room_id) == ["text", "leave"]
        assert await parts.queued_texts(room_id) == [parts.container.config.texts.group_closed]
        assert parts.container.groups.by_room(ACCOUNT, room_id) is None
    assert states(parts, qun) == (QunState.CLOSED, [QunState.CLOSED] * 2)
    (entry,) = await actions(parts, "close")
    assert (entry.account, entry.who, entry.target, entry.outcome) == (
        ACCOUNT, "person:x", str(qun.number), Outcome.DONE,
    )  # fmt: skip


@pytest.mark.parametrize("silent", ["text", "channel"])
async def test_farewell_can_be_left_out(open_parts: OpenParts, silent: str) -> None:
    parts = await open_parts(texts={"group_closed": ""} if silent == "text" else {})
    qun = await parts.group()
    if silent == "channel":
        parts.wechat.capabilities = PUPPET - {Capability.ROOM_MESSAGES}
    room_id = parts.room_id(qun)
    await close(parts, qun)
    assert await sent_to(parts, room_id) == ["leave"]


async def test_lost_room_is_not_left_again(parts: Parts) -> None:
    qun = await parts.group()
    room_id = parts.room_id(qun)
    await parts.write(lambda s: parts.container.room_presence.mark_lost(s, ACCOUNT, room_id))
    await close(parts, qun)
    assert await sent_to(parts, room_id) == []
    assert states(parts, qun) == (QunState.CLOSED, [QunState.CLOSED])


async def test_unfinished_room_is_not_left(parts: Parts) -> None:
    qun = await parts.container.group_lifecycle.prepare("1", "宋公明", ACCOUNT)
    await close(parts, qun)
    assert [job for job in await parts.queued() if job.body["type"] == "leave"] == []
    assert states(parts, qun) == (QunState.CLOSED, [QunState.CLOSED])


async def test_open_requests_are_refused(parts: Parts) -> None:
    qun, other = await parts.group("1"), await parts.group("2")
    now = parts.clock.now
    for group, who, state in (
        (qun, XUAN, MemberState.INVITED),
        (qun, "wxid_waits", MemberState.WAITING_FRIEND),
        (qun, "wxid_late", MemberState.EXPIRED),
        (other, XUAN, MemberState.INVITED),
    ):
        await parts.write(
            lambda s, g=group, w=who, st=state: put_membership(  # type: ignore[misc]
                s, g, now, name="", contact_id=w, state=st, expires_at=now + DAY
            )
        )
    await close(parts, qun)
    ends = {}
    for group, who in ((qun, XUAN), (qun, "wxid_waits"), (qun, "wxid_late"), (qun, SONG), (other, XUAN)):
        row = await parts.membership(group, who)
        assert row is not None
        ends[group.number, who] = (row.state, row.error)
    assert ends == {
        (qun.number, XUAN): ("refused", "group closed"),
        (qun.number, "wxid_waits"): ("refused", "group closed"),
        (qun.number, "wxid_late"): ("expired", ""),
        (qun.number, SONG): ("joined", ""),
        (other.number, XUAN): ("invited", ""),
    }


async def test_only_open_groups_are_found(parts: Parts) -> None:
    closing = parts.container.closing
    with pytest.raises(NotFound, match="group 7"):
        closing.open_group(7)
    with pytest.raises(NotFound, match="group 7"):
        await closing.close(7, "test")
    qun = await parts.group()
    assert closing.open_group(qun.number).number == qun.number
    await parts.container.groups.change(qun.number, state=QunState.LOST)
    assert closing.open_group(qun.number).state == QunState.LOST
    await close(parts, qun)
    with pytest.raises(TokenExpired, match="is closed"):
        closing.open_group(qun.number)


# ---- tags ----


async def tags(parts: Parts, qun: Qun) -> list[str]:
    query = select(QunTag.tag).where(QunTag.number == qun.number)
    return sorted(await parts.read(lambda s: s.exec(query).all()))


async def test_tags_are_replaced(parts: Parts) -> None:
    qun, other = await parts.group("1"), await parts.group("2")
    tag = parts.container.closing.tag
    await parts.write(lambda s: tag(s, other.number, ["甲"]))
    await parts.write(lambda s: tag(s, qun.number, ["甲", "乙", "甲"]))
    assert await tags(parts, qun) == sorted(["甲", "乙"])
    await parts.write(lambda s: tag(s, qun.number, ["丙"]))
    with pytest.raises(InvalidParameter):
        await parts.write(lambda s: tag(s, qun.number, ["丁", " "]))
    assert await tags(parts, qun) == ["丙"]
    await parts.write(lambda s: tag(s, qun.number, []))
    assert (await tags(parts, qun), await tags(parts, other)) == ([], ["甲"])


# ---- whether the assistant is in the rooms ----


async def lose(parts: Parts, room_id: str) -> None:
    await parts.write(lambda s: parts.container.room_presence.mark_lost(s, ACCOUNT, room_id))


async def find(parts: Parts, room_id: str) -> None:
    await parts.write(lambda s: parts.container.room_presence.mark_found(s, ACCOUNT, room_id))


async def reported(parts: Parts) -> list[tuple[str, str]]:
    events = [job.body for job in await parts.queued("hook")]
    return [(event["type"], event["data"]["state"]) for event in events if event["type"] in ("qun.lost", "qun.found")]


async def test_group_is_lost_with_its_last_room(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK])
    qun = await parts.group()
    await parts.container.group_lifecycle.open_next_room(qun, "test")
    first, second = (room.room_id or "" for room in parts.container.groups.rooms(qun))
    await lose(parts, "unknown@chatroom")
    for room_id, state in ((first, "active"), (first, "active"), (second, "lost"), (second, "lost")):
        await lose(parts, room_id)
        assert states(parts, qun)[0] == state
    assert await reported(parts) == [("qun.lost", "active"), ("qun.lost", "lost")]
    await find(parts, "unknown@chatroom")
    for _ in range(2):
        await find(parts, second)
        assert states(parts, qun) == (QunState.ACTIVE, [QunState.LOST, QunState.ACTIVE])
    assert (await reported(parts))[2:] == [("qun.found", "active")]
    assert len(await parts.queued_texts(SONG)) == 3


@pytest.mark.parametrize("lost", [True, False])
async def test_room_with_a_new_id_is_found(open_parts: OpenParts, lost: bool) -> None:
    parts = await open_parts(webhooks=[HOOK])
    qun = await parts.group()
    old = parts.room_id(qun)
    if lost:
        await lose(parts, old)
    room: QunRoom = parts.container.groups.all_rooms(qun)[0]
    await parts.write(lambda s: parts.container.room_presence.move(s, room, "new@chatroom", XUAN))
    kept = parts.container.groups.by_number(qun.number)
    assert kept is not None and (kept.owner_id, kept.state) == (XUAN, QunState.ACTIVE)
    assert parts.room_id(qun) == "new@chatroom"
    assert parts.container.groups.by_room(ACCOUNT, old) is None
    assert ("qun.found" in dict(await reported(parts))) is lost
