"""Removals of people from groups: verified in WeChat, recorded, and refused where they cannot be done."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from errors import (
    AssistantOffline,
    InviteFailed,
    NotFound,
    NotSupported,
    WeChatError,
    WeChatOffline,
    WeChatRefused,
    WeChatTooFast,
    WeChatUnknown,
)
from models.durable import Outcome
from models.groups import MembershipReason, MemberState, Qun, QunState
from services.groups.membership_rows import put_membership
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts
from tests.services.room_wechat import actions
from tests.waiting import until
from wechat.interface import PUPPET, Capability, State


async def join(parts: Parts, qun: Qun, room_id: str) -> None:
    parts.wechat.directory.rooms[room_id].member_ids.add(XUAN)
    await parts.write(lambda s: parts.container.recorder.record_joins(s, qun, room_id, XUAN))


async def member(parts: Parts) -> Qun:
    """A group that 黑旋风 is in."""
    qun = await parts.group()
    await join(parts, qun, parts.room_id(qun))
    return qun


async def requested(parts: Parts, qun: Qun, state: str = MemberState.REQUESTED, contact_id: str | None = XUAN) -> int:
    now = parts.clock.now
    row = await parts.write(
        lambda s: put_membership(
            s, qun, now, name="黑旋风", contact_id=contact_id, state=state, source="message", expires_at=now + 60
        )
    )
    return row.id or 0


async def row_state(parts: Parts, qun: Qun, who: str = XUAN) -> tuple[str, str]:
    row = await parts.membership(qun, who)
    assert row is not None
    return row.state, row.error


async def remove(parts: Parts, qun: Qun) -> list[str]:
    return await parts.container.removals.remove(qun, XUAN, "person:x")


async def end(parts: Parts, qun: Qun) -> None:
    row = await parts.membership(qun, XUAN)
    assert row is not None
    await parts.container.removals.end_membership(row.id or 0, "rest:erp")


# ---- remove ----


async def test_person_is_removed_from_every_room(parts: Parts) -> None:
    qun = await member(parts)
    second = (await parts.container.group_lifecycle.open_next_room(qun, "test")).room_id or ""
    await join(parts, qun, second)
    assert await remove(parts, qun) == [parts.room_id(qun), second]
    assert XUAN not in parts.members(qun) | parts.wechat.directory.rooms[second].member_ids
    assert await row_state(parts, qun) == (MemberState.REMOVED, "")
    entries = await actions(parts, "remove")
    assert [(entry.account, entry.who, entry.target, entry.outcome, entry.detail) for entry in entries] == [
        (ACCOUNT, "person:x", XUAN, Outcome.DONE, {"number": str(qun.number)})
    ] * 2


async def test_removal_of_somebody_absent_does_nothing(parts: Parts) -> None:
    qun = await parts.group()
    parts.wechat.capabilities = PUPPET - {Capability.REMOVE_MEMBER}
    assert await remove(parts, qun) == []
    assert "remove_member" not in parts.wechat.calls


async def test_channel_without_removals_refuses(parts: Parts) -> None:
    qun = await member(parts)
    parts.wechat.capabilities = PUPPET - {Capability.REMOVE_MEMBER}
    with pytest.raises(NotSupported):
        await remove(parts, qun)
    assert "remove_member" not in parts.wechat.calls
    assert await actions(parts, "remove") == []


@pytest.mark.parametrize(
    ("error", "readable", "factor"),
    [
        (WeChatRefused("RoomDel", "无权移出"), True, 1.0),
        (WeChatTooFast("RoomDel", "频繁"), True, 2.0),
        (WeChatUnknown("RoomDel", "no answer in time"), False, 1.0),
    ],
)
async def test_failed_removal_is_recorded_and_raised(
    parts: Parts, error: WeChatError, readable: bool, factor: float
) -> None:
    qun = await member(parts)
    parts.wechat.fails["remove_member"] = error
    if not readable:
        parts.wechat.fails["room"] = WeChatUnknown("Room")
    with pytest.raises(type(error)):
        await remove(parts, qun)
    assert [(action.outcome, action.seen) for action in await actions(parts, "remove")] == [
        (Outcome.FAILED, str(error))
    ]
    assert await row_state(parts, qun) == (MemberState.JOINED, "")
    assert parts.container.accounts.rate_limiter(ACCOUNT).slow_down_factor == factor
    await parts.write(lambda s: parts.container.recorder.record_leave(s, qun, parts.room_id(qun), XUAN))
    assert (await row_state(parts, qun))[0] == MemberState.LEFT, "a later leave is no removal"


@pytest.mark.parametrize(
    ("error", "factor"), [(WeChatUnknown("RoomDel"), 1.0), (WeChatTooFast("RoomDel", "频繁"), 2.0)]
)
async def test_removal_that_took_effect_despite_an_error_is_done(
    parts: Parts, error: WeChatError, factor: float
) -> None:
    qun = await member(parts)

    async def remove_member(room_id: str, contact_id: str) -> None:
        parts.members(qun).discard(contact_id)
        raise error

    parts.wechat.remove_member = remove_member  # type: ignore[method-assign]
    assert await remove(parts, qun) == [parts.room_id(qun)]
    assert [action.outcome for action in await actions(parts, "remove")] == [Outcome.DONE]
    assert await row_state(parts, qun) == (MemberState.REMOVED, "")
    assert parts.container.accounts.rate_limiter(ACCOUNT).slow_down_factor == factor


# ---- the end of a membership ----


async def test_unknown_membership_and_group_are_not_found(parts: Parts) -> None:
    with pytest.raises(NotFound, match="membership 7"):
        await parts.container.removals.end_membership(7, "api")
    qun = await member(parts)
    parts.container.groups.drop(ACCOUNT)
    with pytest.raises(NotFound, match=f"group {qun.number}"):
        await end(parts, qun)


async def test_member_is_removed_and_the_repeated_call_does_nothing(parts: Parts) -> None:
    qun = await member(parts)
    for _ in range(2):
        await end(parts, qun)
        assert await row_state(parts, qun) == (MemberState.REMOVED, "")
    assert XUAN not in parts.members(qun)
    assert [action.who for action in await actions(parts, "remove")] == ["rest:erp"]


async def test_request_by_name_is_withdrawn_without_wechat(parts: Parts) -> None:
    qun = await parts.group()
    number = await requested(parts, qun, MemberState.WAITING_FRIEND, None)
    parts.wechat.state = State.CONNECTING
    await parts.container.removals.end_membership(number, "api")
    assert await row_state(parts, qun, "name:黑旋风") == (MemberState.REFUSED, MembershipReason.WITHDRAWN)


async def test_offline_account_removes_nobody_and_ends_no_request(parts: Parts) -> None:
    qun = await parts.group()
    await requested(parts, qun, MemberState.INVITED)
    parts.wechat.state = State.CONNECTING
    with pytest.raises(AssistantOffline):
        await remove(parts, qun)
    with pytest.raises(AssistantOffline):
        await end(parts, qun)
    assert await row_state(parts, qun) == (MemberState.INVITED, "")


async def test_open_request_of_a_person_is_withdrawn(parts: Parts) -> None:
    qun = await parts.group()
    await requested(parts, qun, MemberState.INVITED)
    parts.wechat.calls.clear()
    await end(parts, qun)
    assert await row_state(parts, qun) == (MemberState.REFUSED, MembershipReason.WITHDRAWN)
    assert parts.wechat.calls == ["room"], "they may be in it: it has not been read since the start"


async def test_invited_person_who_has_come_in_is_removed(parts: Parts) -> None:
    qun = await parts.group()
    await requested(parts, qun, MemberState.INVITED)
    parts.members(qun).add(XUAN)
    await end(parts, qun)
    assert XUAN not in parts.members(qun)


async def test_request_is_withdrawn_also_if_the_removal_fails(parts: Parts) -> None:
    """WeChat may show people before their join is recorded."""
    qun = await parts.group()
    await requested(parts, qun, MemberState.INVITED)
    parts.members(qun).add(XUAN)
    parts.wechat.fails["remove_member"] = WeChatRefused("RoomDel", "无权移出")
    with pytest.raises(InviteFailed, match="无权移出"):
        await end(parts, qun)
    assert await row_state(parts, qun) == (MemberState.REFUSED, MembershipReason.WITHDRAWN)


async def test_nobody_is_removed_from_a_lost_group_but_requests_end(parts: Parts) -> None:
    qun = await member(parts)
    await parts.container.groups.change(qun.number, state=QunState.LOST)
    with pytest.raises(InviteFailed, match=f"group {qun.number} is lost"):
        await end(parts, qun)
    assert await row_state(parts, qun) == (MemberState.JOINED, "")
    parts.members(qun).discard(XUAN)
    await requested(parts, qun)
    await end(parts, qun)
    assert (await row_state(parts, qun))[0] == MemberState.REFUSED


def mark_read(parts: Parts, qun: Qun) -> None:
    """The members were read since the start, but not recently."""
    room = parts.wechat.directory.rooms[parts.room_id(qun)]
    parts.wechat.directory.put_room(room, datetime.now(UTC) - timedelta(hours=1))


@pytest.mark.parametrize(
    ("is_member", "reads", "state"), [(True, 1, MemberState.LEFT), (False, 0, MemberState.REFUSED)]
)
async def test_member_whom_wechat_does_not_show_has_left(
    parts: Parts, is_member: bool, reads: int, state: MemberState
) -> None:
    """The room of a member is read again, because they may have come back."""
    qun = await (member(parts) if is_member else parts.group())
    if not is_member:
        await requested(parts, qun)
    parts.members(qun).discard(XUAN)
    mark_read(parts, qun)
    parts.wechat.calls.clear()
    await end(parts, qun)
    assert parts.wechat.calls == ["room"] * reads
    assert (await row_state(parts, qun))[0] == state


async def test_rooms_not_read_since_the_start_are_read(parts: Parts) -> None:
    qun = await parts.group()
    await requested(parts, qun)

    async def room(room_id: str, *, fresh: bool = False) -> Any:
        parts.members(qun).add(XUAN)  # only this reading shows them
        mark_read(parts, qun)
        return parts.wechat.directory.rooms[room_id]

    parts.wechat.room = room  # type: ignore[method-assign]
    await end(parts, qun)
    assert XUAN not in parts.members(qun)


async def test_refused_removal_is_the_error_of_the_interface(parts: Parts) -> None:
    qun = await member(parts)
    error = parts.wechat.fails["remove_member"] = WeChatRefused("RoomDel", "not the owner")
    with pytest.raises(InviteFailed, match="not the owner") as caught:
        await end(parts, qun)
    assert caught.value.__cause__ is error
    assert await row_state(parts, qun) == (MemberState.JOINED, "")


async def test_lost_connection_is_raised_as_such(parts: Parts) -> None:
    qun = await member(parts)
    parts.wechat.fails["remove_member"] = WeChatOffline("RoomDel")
    with pytest.raises(WeChatOffline):
        await end(parts, qun)
    assert await row_state(parts, qun) == (MemberState.JOINED, "")


async def test_person_who_comes_in_by_a_running_call_is_removed(open_parts: OpenParts) -> None:
    parts = await open_parts(groups={"confirm_seconds": 60})
    qun = await parts.group()
    parts.wechat.holds["add_member"] = asyncio.Event()
    adding = asyncio.create_task(parts.container.join_requests.join(qun.token, "黑旋风", "api"))
    await parts.wechat.reached("add_member")
    ending = asyncio.create_task(end(parts, qun))

    async def withdrawn() -> bool:
        return await row_state(parts, qun) == (MemberState.REFUSED, MembershipReason.WITHDRAWN)

    await until(withdrawn, "withdrawn at once")
    for _ in range(2):
        await parts.write(lambda _s: None)  # time in which it would end
    assert not ending.done(), "it waits for the answer of WeChat"
    parts.wechat.holds["add_member"].set()
    await asyncio.wait((adding, ending))
    assert ending.exception() is None
    assert XUAN not in parts.members(qun)
