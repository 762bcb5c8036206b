"""What WeChat shows is compared with the database: missed joins and leaves, lost and recovered rooms."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from errors import WeChatOffline, WeChatRefused, WeChatUnknown
from models.groups import MemberState, Qun, QunState
from services.groups import reconciliation
from services.groups.membership_rows import put_membership
from services.groups.reconciliation import Reconciler
from tests.doubles import SELF
from tests.services.parts import ACCOUNT, SONG, STAFF, XUAN, ZHI, OpenParts, Parts
from tests.services.room_wechat import RoomWeChat, open_rooms
from wechat.entities import Room


async def opened(open_parts: OpenParts) -> tuple[Parts, RoomWeChat, Qun]:
    """A group whose members were read an hour ago."""
    parts, wechat = await open_rooms(open_parts)
    qun = await parts.group()
    shows(parts, qun, SELF, SONG, ZHI)
    wechat.calls.clear()
    wechat.fresh.clear()
    return parts, wechat, qun


def shows(parts: Parts, qun: Qun, *members: str) -> None:
    """WeChat shows these members, without an event."""
    directory, room_id = parts.wechat.directory, parts.room_id(qun)
    directory.rooms[room_id] = replace(directory.rooms[room_id], member_ids=set(members))
    directory._read[room_id] = datetime.now(UTC) - timedelta(hours=1)


def reconciler(parts: Parts) -> Reconciler:
    return parts.container.reconcile


async def reconcile(parts: Parts) -> list[str]:
    return await reconciler(parts).account(ACCOUNT)


async def state(parts: Parts, qun: Qun, who: str) -> str:
    row = await parts.membership(qun, who)
    return row.state if row else ""


def confirm_absences(parts: Parts) -> None:
    """Absences count at the first reading that lacks a person."""
    parts.wechat.directory.absences.record_missing = lambda *_args, **_more: set()


def group_of(parts: Parts, qun: Qun) -> Qun:
    found = parts.container.groups.by_number(qun.number)
    assert found is not None
    return found


# ---- joins and leaves ----


async def test_missed_joins_and_leaves_are_recorded(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts)
    confirm_absences(parts)
    shows(parts, qun, SELF, SONG, XUAN)
    assert await reconcile(parts) == []
    assert [await state(parts, qun, who) for who in (SONG, XUAN, ZHI, SELF)] == ["joined", "joined", "left", ""]
    (today,) = await parts.container.daily_stats.days(qun.number, 1)
    assert (today.joins, today.leaves) == (1, 1)
    await reconcile(parts)
    assert (await parts.container.daily_stats.days(qun.number, 1)) == [today], "each once"
    assert wechat.calls == [], "all was known"


async def test_absence_needs_more_than_one_reading(open_parts: OpenParts) -> None:
    parts, _, qun = await opened(open_parts)
    shows(parts, qun, SELF, SONG)
    await reconcile(parts)
    assert await state(parts, qun, ZHI) == MemberState.JOINED
    assert ZHI in parts.members(qun)


async def test_room_not_read_since_the_start_is_not_compared(open_parts: OpenParts) -> None:
    """It may be older than the database."""
    parts, _, qun = await opened(open_parts)
    shows(parts, qun, SELF, SONG, ZHI, XUAN)
    del parts.wechat.directory._read[parts.room_id(qun)]
    await reconcile(parts)
    assert await state(parts, qun, XUAN) == ""


@pytest.mark.parametrize("room_state", [QunState.MAKING, QunState.CLOSED])
async def test_rooms_being_made_and_closed_ones_are_skipped(open_parts: OpenParts, room_state: QunState) -> None:
    parts, wechat, qun = await opened(open_parts)
    room = parts.container.groups.all_rooms(qun)[0]
    await parts.write(lambda s: parts.container.groups.patch_room(s, room, state=room_state))
    wechat.directory.rooms[room.room_id] = replace(wechat.directory.rooms[room.room_id], member_ids={SELF, XUAN})
    await reconcile(parts)
    assert (await state(parts, qun, XUAN), wechat.calls) == ("", [])


async def test_groups_of_other_accounts_are_skipped(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts)
    shows(parts, qun, SELF, SONG, ZHI, XUAN)
    parts.container.accounts.add(RoomWeChat().whole())
    other = RoomWeChat()
    other.account = "weimi1002"
    parts.container.accounts.add(other.whole())
    await reconciler(parts).account("weimi1002")
    assert (await state(parts, qun, XUAN), wechat.calls, other.calls) == ("", [], [])


async def test_unknown_members_are_read_for_their_names(open_parts: OpenParts, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, wechat, qun = await opened(open_parts)
    monkeypatch.setattr(reconciliation, "MAX_READ", 3)
    known = "new-4"
    await parts.write(lambda s: parts.container.recorder.record_joins(s, qun, parts.room_id(qun), known))
    asked: list[str] = []

    async def contact(contact_id: str, *, fresh: bool = False) -> object:
        asked.append(contact_id)
        if contact_id == "new-1":
            raise WeChatUnknown("Contact")
        return wechat.knows(contact_id, f"名字{contact_id}")

    wechat.contact = contact  # type: ignore[assignment, method-assign]
    shows(parts, qun, SELF, SONG, ZHI, "new-5", "new-3", known, "new-1", "new-2")
    await reconcile(parts)
    assert asked == ["new-1", "new-2", "new-3"], "not the known one, and no more than the limit"
    rows = [await parts.membership(qun, f"new-{number}") for number in (1, 2, 3, 5)]
    assert [row.name if row else None for row in rows] == ["", "名字new-2", "名字new-3", ""]


# ---- rooms that WeCom made ----


@pytest.mark.parametrize(
    ("join_state", "group_state", "is_adopted"),
    [
        ("100001", QunState.ACTIVE, True),
        ("100001", QunState.CLOSED, False),
        ("100002", QunState.ACTIVE, False),
        ("", QunState.ACTIVE, False),
        ("x1", QunState.ACTIVE, False),
    ],
)
async def test_room_made_by_wecom_becomes_a_further_room(
    open_parts: OpenParts, join_state: str, group_state: QunState, is_adopted: bool
) -> None:
    parts, wechat, qun = await opened(open_parts)
    await parts.container.groups.change(qun.number, state=group_state)
    wechat.directory.put_room(Room("second@chatroom", "群二", SELF, (), {SELF, XUAN}, join_state), datetime.now(UTC))
    for _ in range(2):
        await reconcile(parts)
    further = parts.container.groups.all_rooms(qun)[1:]
    assert [(room.room_id, room.ordinal, room.topic, room.state, room.account) for room in further] == (
        [("second@chatroom", 2, "群二", QunState.ACTIVE, ACCOUNT)] if is_adopted else []
    )
    assert await state(parts, qun, XUAN) == (MemberState.JOINED if is_adopted else "")


async def test_adopted_room_without_a_topic_has_that_of_the_group(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts)
    wechat.directory.put_room(Room("second@chatroom", "", SELF, (), {SELF}, str(qun.number)))
    await reconcile(parts)
    assert [room.topic for room in parts.container.groups.all_rooms(qun)] == [qun.topic] * 2


# ---- lost and recovered rooms ----


async def test_room_that_wechat_no_longer_has_is_lost_and_found(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts)
    room_id = parts.room_id(qun)
    room = wechat.directory.rooms[room_id]
    wechat.directory.drop_room(room_id)
    wechat.fails["room"] = WeChatRefused("Room", "not a member")
    await reconcile(parts)
    assert group_of(parts, qun).state == QunState.LOST
    wechat.calls.clear()
    await reconcile(parts)
    assert wechat.calls == [], "a lost room is not read again"
    del wechat.fails["room"]
    wechat.directory.put_room(room, datetime.now(UTC))
    await reconcile(parts)
    assert group_of(parts, qun).state == QunState.ACTIVE


@pytest.mark.parametrize("error", [WeChatUnknown("Room", "no answer"), WeChatOffline("Room")])
async def test_unreadable_room_is_not_lost(
    open_parts: OpenParts, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    parts, wechat, qun = await opened(open_parts)
    room_id = parts.room_id(qun)
    wechat.directory.drop_room(room_id)
    wechat.fails["room"] = error
    await reconcile(parts)
    assert group_of(parts, qun).state == QunState.ACTIVE
    assert ("could not read room" in caplog.text) is isinstance(error, WeChatUnknown)
    with pytest.raises(type(error)):
        await reconciler(parts).room(ACCOUNT, room_id)


async def test_room_that_refuses_but_is_listed_is_not_lost(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts)
    wechat.fails["room"] = WeChatRefused("Room", "busy")
    wechat.listed = True
    with pytest.raises(WeChatRefused):
        await reconciler(parts).room(ACCOUNT, parts.room_id(qun))
    assert group_of(parts, qun).state == QunState.ACTIVE
    wechat.listed = False
    assert await reconciler(parts).room(ACCOUNT, parts.room_id(qun)) is None
    assert group_of(parts, qun).state == QunState.LOST


async def test_room_without_the_assistant_is_lost(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts)
    shows(parts, qun, SONG, ZHI, XUAN)
    assert await reconciler(parts).room(ACCOUNT, parts.room_id(qun)) is None
    assert group_of(parts, qun).state == QunState.LOST
    assert await state(parts, qun, XUAN) == "", "members are no longer compared"
    await reconcile(parts)
    assert (group_of(parts, qun).state, await state(parts, qun, XUAN)) == (QunState.LOST, "")
    assert wechat.fresh == [True]


async def test_room_is_read_and_compared(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts)
    shows(parts, qun, SELF, SONG, ZHI, XUAN)
    room = await reconciler(parts).room(ACCOUNT, parts.room_id(qun))
    assert room is not None and room.id == parts.room_id(qun)
    assert await state(parts, qun, XUAN) == MemberState.JOINED
    assert wechat.fresh == [True]
    assert await reconciler(parts).room(ACCOUNT, "other@chatroom") is None, "of no group"
    wechat.self_id = ""
    assert await reconciler(parts).room(ACCOUNT, parts.room_id(qun)) is None, "nobody is logged in"
    assert (wechat.fresh, group_of(parts, qun).state) == ([True], QunState.ACTIVE)


# ---- new friends ----


async def test_new_friends_with_waiting_requests_are_returned(open_parts: OpenParts) -> None:
    parts, wechat, qun = await opened(open_parts)
    wechat.knows("wxid_stranger", "九纹龙", friend=False)
    for contact_id in ("wxid_one", "wxid_two"):
        wechat.knows(contact_id, "双名")
    waiting, later = MemberState.WAITING_FRIEND, parts.clock.now + 60
    for name, who, row_state in (
        ("黑旋风", None, waiting), ("旧名", STAFF, waiting), ("九纹龙", "wxid_stranger", waiting),
        ("双名", None, waiting), ("智多星", None, MemberState.INVITED),
    ):  # fmt: skip
        await parts.write(
            lambda s, name=name, who=who, row_state=row_state: put_membership(  # type: ignore[misc]
                s, qun, parts.clock.now, name=name, contact_id=who, state=row_state, expires_at=later
            )
        )
    assert sorted(await reconcile(parts)) == sorted([XUAN, STAFF])
