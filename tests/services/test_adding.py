"""Adding a person to a room: the result is what WeChat shows within a time limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import select

from errors import (
    AssistantOffline,
    GroupFull,
    InviteFailed,
    TooManyRequests,
    WeChatError,
    WeChatNeedsConfirmation,
    WeChatOffline,
    WeChatRefused,
    WeChatTooFast,
    WeChatUnknown,
)
from models.durable import Action
from models.groups import Membership, MemberState, Qun
from services.groups.adding import AddResult
from services.groups.membership_rows import put_membership
from tests.doubles import InMemoryWeChat
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts
from wechat.entities import Room
from wechat.interface import State

ROOM = "room@chatroom"


class ScriptedWeChat(InMemoryWeChat):
    """Adds no one; `shows`: whether the next reading has the person, `grows_to`: the size of the room by then."""

    def __init__(self) -> None:
        super().__init__(ACCOUNT)
        self.shows = False
        self.grows_to = 0
        self.waits: list[float] = []

    async def add_member(self, room_id: str, contact_id: str) -> None:
        await self._call("add_member")

    async def wait_member(self, room_id: str, contact_id: str, timeout: float) -> bool:
        self.waits.append(timeout)
        room = self.directory.rooms[room_id]
        late = {f"late{number}" for number in range(self.grows_to - len(room.member_ids))}
        self.directory.put_room(replace(room, member_ids=room.member_ids | late))  # read again, as another object
        return self.shows


async def made(open_parts: OpenParts, members: int = 3, **groups: Any) -> tuple[Parts, ScriptedWeChat, Room]:
    wechat = ScriptedWeChat()
    parts = await open_parts(wechat, groups={"direct_add_limit": 5, "confirm_seconds": 8, **groups})
    room = Room(ROOM, "群", "", (), {f"m{number}" for number in range(members)})
    wechat.directory.put_room(room)
    await parts.group()
    return parts, wechat, room


async def row_of(parts: Parts, state: str = MemberState.ADDING) -> Membership:
    """A request for 黑旋风 in this state."""
    qun, now = group_of(parts), parts.clock.now
    return await parts.write(
        lambda s: put_membership(s, qun, now, name="黑旋风", contact_id=XUAN, state=state, expires_at=now + 60)
    )


def group_of(parts: Parts) -> Qun:
    qun = parts.container.groups.by_number(100001)
    assert qun is not None
    return qun


async def state_of(parts: Parts) -> str:
    row = await parts.membership(group_of(parts), XUAN)
    return row.state if row else ""


async def add(parts: Parts, room: Room, state: str = MemberState.ADDING, *, may_wait: bool = False) -> AddResult:
    adder = parts.container.memberships._adder
    return await adder.add(group_of(parts), room, await row_of(parts, state), "api", may_wait=may_wait)


async def outcomes(parts: Parts) -> list[tuple[str, str]]:
    actions = await parts.read(lambda s: s.exec(select(Action).where(Action.kind == "add")).all())
    return [(action.outcome, action.seen) for action in actions]


async def test_person_seen_in_room_has_joined(open_parts: OpenParts) -> None:
    parts, wechat, room = await made(open_parts)
    wechat.shows = True
    assert await add(parts, room) is AddResult.JOINED
    assert wechat.waits == [8]
    assert await state_of(parts) == MemberState.ADDING, "nobody is invited"
    assert await outcomes(parts) == [("done", "joined")]


async def test_person_not_seen_in_small_room_is_an_error(open_parts: OpenParts) -> None:
    parts, _, room = await made(open_parts, members=4)
    with pytest.raises(InviteFailed, match=f"{XUAN} not seen in {ROOM}"):
        await add(parts, room)
    assert await outcomes(parts) == [("failed", "not seen in the room")]


@pytest.mark.parametrize(("grown", "invited"), [(4, False), (5, True), (6, True)])
async def test_room_grown_meanwhile_uses_its_new_size(open_parts: OpenParts, grown: int, invited: bool) -> None:
    """It was below the limit when the call began; WeChat decides by its current size."""
    parts, wechat, room = await made(open_parts, members=4)
    wechat.grows_to = grown
    if not invited:
        with pytest.raises(InviteFailed):
            await add(parts, room)
        return
    assert await add(parts, room) is AddResult.INVITED
    assert await outcomes(parts) == [("invited", "invited")]


async def test_room_gone_meanwhile_uses_its_old_size(open_parts: OpenParts) -> None:
    parts, wechat, room = await made(open_parts, members=4)

    async def gone(*_given: object) -> bool:
        wechat.directory.drop_room(ROOM)
        return False

    wechat.wait_member = gone  # type: ignore[method-assign, assignment]
    with pytest.raises(InviteFailed, match="not seen"):
        await add(parts, room)


@pytest.mark.parametrize(("confirm", "waited"), [(8, 2.0), (2.5, 2.0), (1.5, 1.5)])
async def test_large_room_is_checked_from_the_lower_limit(open_parts: OpenParts, confirm: float, waited: float) -> None:
    parts, wechat, room = await made(open_parts, members=5, confirm_seconds=confirm)
    assert await add(parts, room) is AddResult.INVITED
    assert wechat.waits == [waited]
    assert await state_of(parts) == MemberState.INVITED, "noted before the look, in case of a crash"


async def test_large_room_may_add_directly(open_parts: OpenParts) -> None:
    parts, wechat, room = await made(open_parts, members=5)
    wechat.shows = True
    assert await add(parts, room) is AddResult.JOINED


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("需要群主确认", AddResult.OWNER_ASKED),
        ("errcode -2028", AddResult.OWNER_ASKED),
        ("需要对方确认", AddResult.INVITED),
    ],
)
async def test_confirmation_by_person_or_owner(open_parts: OpenParts, text: str, result: AddResult) -> None:
    parts, wechat, room = await made(open_parts)
    wechat.fails["add_member"] = WeChatNeedsConfirmation("RoomAdd", text)
    assert await add(parts, room) is result
    assert wechat.waits == []
    assert await outcomes(parts) == [("invited", result.value)]


@pytest.mark.parametrize("shown", [True, False])
async def test_lost_response_is_settled_by_reading_back(open_parts: OpenParts, shown: bool) -> None:
    parts, wechat, room = await made(open_parts)
    wechat.fails["add_member"] = WeChatUnknown("RoomAdd", "no answer in time")
    wechat.shows = shown
    if shown:
        assert await add(parts, room) is AddResult.JOINED
    else:
        with pytest.raises(InviteFailed, match="no answer in time"):
            await add(parts, room)
    assert wechat.waits == [2.0]


@pytest.mark.parametrize(
    ("error", "raised", "retry_after"),
    [
        (WeChatOffline("RoomAdd"), AssistantOffline, 5.0),
        (WeChatTooFast("RoomAdd", "操作过于频繁"), TooManyRequests, 60),
        (WeChatRefused("RoomAdd", "群人数已达上限"), GroupFull, None),
        (WeChatRefused("RoomAdd", "群已满"), GroupFull, None),
        (WeChatRefused("RoomAdd", "你无权拉人"), InviteFailed, None),
    ],
)
async def test_rejection_maps_to_api_error(
    open_parts: OpenParts, error: WeChatError, raised: type[Exception], retry_after: float | None
) -> None:
    parts, wechat, room = await made(open_parts)
    wechat.fails["add_member"] = error
    with pytest.raises(raised) as caught:
        await add(parts, room)
    assert getattr(caught.value, "retry_after", None) == retry_after
    assert caught.value.__cause__ is error
    slow = parts.container.accounts.rate_limiter(ACCOUNT).slow_down_factor
    assert slow == (2.0 if isinstance(error, WeChatTooFast) else 1.0)
    assert [outcome for outcome, _ in await outcomes(parts)] == ["failed"]


async def test_offline_account_attempts_nothing(open_parts: OpenParts) -> None:
    parts, wechat, room = await made(open_parts)
    wechat.state = State.CONNECTING
    with pytest.raises(AssistantOffline):
        await add(parts, room)
    assert "add_member" not in wechat.calls


# ---- the pace ----

PACE = {"enabled": True, "add_seconds": 0.2, "request_seconds": 0.1}


async def paced(open_parts: OpenParts, **pacing: Any) -> tuple[Parts, ScriptedWeChat, Room]:
    wechat = ScriptedWeChat()
    wechat.shows = True
    parts = await open_parts(wechat, pacing={**PACE, **pacing})
    room = Room(ROOM, "群", "", (), {"m"})
    wechat.directory.put_room(room)
    await parts.group()
    await add(parts, room)
    return parts, wechat, room


async def test_request_with_too_long_a_wait_is_rejected(open_parts: OpenParts) -> None:
    parts, wechat, room = await paced(open_parts)
    with pytest.raises(TooManyRequests) as caught:
        await add(parts, room)
    assert caught.value.retry_after == pytest.approx(0.2)
    assert wechat.calls.count("add_member") == 1


async def test_request_waits_up_to_the_limit(open_parts: OpenParts) -> None:
    parts, wechat, room = await paced(open_parts, add_seconds=0.125, request_seconds=0.125)
    assert await add(parts, room) is AddResult.JOINED
    assert wechat.calls.count("add_member") == 2


async def test_background_request_waits_for_its_turn(open_parts: OpenParts) -> None:
    parts, wechat, room = await paced(open_parts)
    assert await add(parts, room, may_wait=True) is AddResult.JOINED
    assert wechat.calls.count("add_member") == 2


async def test_withdrawn_request_is_not_executed(open_parts: OpenParts) -> None:
    parts, wechat, room = await paced(open_parts)
    with pytest.raises(InviteFailed, match="taken back"):
        await add(parts, room, MemberState.REFUSED, may_wait=True)
    assert wechat.calls.count("add_member") == 1
    assert len(await outcomes(parts)) == 1
