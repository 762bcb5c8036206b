"""Requests continued in the background: new friends, notices to the requester, full rooms, and expiry."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from errors import (
    GroupFull,
    WeChatNeedsConfirmation,
    WeChatOffline,
    WeChatRefused,
)
from models.groups import Membership, MemberState, Qun, QunState
from services.groups.memberships import JoinOutcome, JoinResult
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts
from tests.services.stored_memberships import request, state, store_membership

# ---- going on ----


async def test_new_friend_is_added_to_every_approved_group(parts: Parts) -> None:
    first, second = await parts.group("1"), await parts.group("2")
    parts.wechat.knows("wxid_new", "九纹龙", friend=False)
    for qun in (first, second):
        await request(parts, qun, "九纹龙")
    parts.wechat.knows("wxid_new", "九纹龙")
    await parts.container.memberships.became_friend(ACCOUNT, "wxid_new")
    for qun in (first, second):
        assert "wxid_new" in parts.members(qun)
        assert (await state(parts, qun, "wxid_new"))[0] == MemberState.JOINED


async def test_ambiguous_pending_name_adds_nobody(parts: Parts) -> None:
    qun = await parts.group()
    await request(parts, qun, "九纹龙")
    parts.wechat.knows("wxid_new", "九纹龙")
    parts.wechat.knows("wxid_namesake", "九纹龙")
    await parts.container.memberships.became_friend(ACCOUNT, "wxid_new")
    assert "add_member" not in parts.wechat.calls
    (row,) = await parts.read(lambda s: s.exec(select(Membership).where(Membership.name == "九纹龙")).all())
    assert row.state == MemberState.WAITING_FRIEND, "the request stays open"


async def continue_requests(parts: Parts, qun: Qun, **values: Any) -> JoinResult | None:
    await store_membership(parts, qun, MemberState.REQUESTED, **values)
    row = await parts.membership(qun, XUAN)
    assert row is not None
    answer = await parts.container.memberships.resume(row)
    await parts.write(lambda _s: None)  # the notice follows in a separate write
    return answer


@pytest.mark.parametrize(
    ("values", "told"), [({}, True), ({"source": "async"}, False), ({"error": "failed before"}, False)]
)
async def test_requester_is_notified_once_of_the_failure(parts: Parts, values: dict[str, Any], told: bool) -> None:
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatRefused("RoomAdd", "你无权拉人")
    assert await continue_requests(parts, qun, **values) is None
    text = parts.container.config.texts.join_failed.format(topic=qun.topic)
    assert await parts.queued_texts(XUAN) == ([text] if told else [])


@pytest.mark.parametrize(("source", "told"), [("message", True), ("async", False)])
async def test_requester_is_notified_of_the_invitation(parts: Parts, source: str, told: bool) -> None:
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatNeedsConfirmation("RoomAdd", "需要对方确认")
    answer = await continue_requests(parts, qun, source=source)
    assert answer is not None and answer.outcome is JoinOutcome.INVITED
    assert len(await parts.queued_texts(XUAN)) == told


async def test_nobody_is_notified_while_gateway_is_offline(parts: Parts) -> None:
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatOffline("RoomAdd")
    assert await continue_requests(parts, qun) is None
    assert await parts.queued_texts(XUAN) == []


async def test_request_for_a_lost_group_is_not_continued(parts: Parts) -> None:
    qun = await parts.group()
    await parts.container.groups.change(qun.number, state=QunState.LOST)
    assert await continue_requests(parts, qun) is None
    assert "add_member" not in parts.wechat.calls


# ---- rooms ----


@pytest.mark.parametrize("overflow", [False, True])
async def test_full_room_overflows_where_allowed(open_parts: OpenParts, overflow: bool) -> None:
    parts = await open_parts(groups={"capacity": 4, "overflow": overflow})
    qun = await parts.group()
    parts.members(qun).add("wxid_somebody")
    if overflow:
        assert (await request(parts, qun)).outcome is JoinOutcome.OK
        rooms = [room.room_id for room in parts.container.groups.rooms(qun)]
        assert len(rooms) == 2 and XUAN in parts.wechat.directory.rooms[rooms[1]].member_ids
    else:
        with pytest.raises(GroupFull):
            await request(parts, qun)
    assert parts.container.memberships._seats._held == {}


# ---- ends ----


async def test_expired_requests_end(parts: Parts) -> None:
    qun = await parts.group()
    await store_membership(parts, qun, MemberState.INVITED, expires_at=parts.clock.now)
    await store_membership(parts, qun, MemberState.INVITED, "wxid_later", expires_at=parts.clock.now + 1)
    assert await parts.container.membership_states.expire() == 1
    assert (await state(parts, qun))[0] == MemberState.EXPIRED
    assert (await state(parts, qun, "wxid_later"))[0] == MemberState.INVITED
