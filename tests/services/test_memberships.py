"""Requests to add a person: responses, stored rows, and failures."""

from __future__ import annotations

from typing import Any

import pytest

from errors import (
    AssistantOffline,
    GroupFull,
    InviteFailed,
    MemberAmbiguous,
    MemberBlacklisted,
    TokenExpired,
    TokenInvalid,
    WeChatNeedsConfirmation,
    WeChatOffline,
    WeChatRefused,
)
from models.groups import MemberRecord, MemberState, Qun, QunState
from services.groups.lifecycle import new_token
from services.groups.membership_rows import put_membership
from services.groups.memberships import Approved, JoinResult
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts
from wechat.interface import State

DAY = 86400.0
HOOK = {"name": "erp", "url": "http://127.0.0.1:9/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="}


async def request(parts: Parts, qun: Qun, member: str = "黑旋风", *, later: bool = False) -> JoinResult:
    return await parts.container.join_requests.join(qun.token, member, "api", later=later)


async def keep(parts: Parts, qun: Qun, state: str, who: str = XUAN, **values: Any) -> int:
    given = {"source": "message", "expires_at": parts.clock.now + DAY, **values}
    now = parts.clock.now
    row = await parts.write(lambda s: put_membership(s, qun, now, name="黑旋风", contact_id=who, state=state, **given))
    return row.id or 0


async def state(parts: Parts, qun: Qun, who: str = XUAN) -> tuple[str, str]:
    row = await parts.membership(qun, who)
    return (row.state, row.error) if row else ("", "")


# ---- the token ----


async def test_token_resolves_to_its_group(parts: Parts) -> None:
    qun = await parts.group()
    of = parts.container.groups.joinable_by
    assert of(qun.token).number == qun.number
    with pytest.raises(TokenInvalid):
        of(new_token())
    for change, error in (
        ({"state": QunState.LOST}, InviteFailed),
        ({"state": QunState.CLOSED}, TokenExpired),
        ({"state": QunState.ACTIVE, "token_expires_at": parts.clock.now - 1}, TokenExpired),
    ):
        await parts.container.groups.change(qun.number, **change)
        with pytest.raises(error):
            of(qun.token)


# ---- by REST ----


async def test_repeated_request_of_member_returns_ok(parts: Parts) -> None:
    qun = await parts.group()
    first = await request(parts, qun)
    assert first.approved is Approved.OK and first.account == ACCOUNT and first.id
    assert await request(parts, qun) == first
    assert parts.wechat.calls.count("add_member") == 1
    assert await state(parts, qun) == (MemberState.JOINED, "")


async def test_invited_person_is_not_invited_again_until_expiry(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK], groups={"pending_days": 2})
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatNeedsConfirmation("RoomAdd", "需要群主确认")
    first = await request(parts, qun)
    assert first.approved is Approved.INVITED
    assert await state(parts, qun) == (MemberState.INVITED, "owner")
    row = await parts.membership(qun, XUAN)
    assert row is not None and row.expires_at == parts.clock.now + 2 * DAY
    assert await request(parts, qun) == first
    assert parts.wechat.calls.count("add_member") == 1
    events = [one.body["type"] for one in await parts.queued("hook")]
    assert events.count("member.invited") == 1
    parts.clock.now += 2 * DAY
    await request(parts, qun)
    assert parts.wechat.calls.count("add_member") == 2


async def test_stranger_is_pending_and_recorded_once(open_parts: OpenParts) -> None:
    parts = await open_parts(groups={"pending_days": 2})
    qun = await parts.group()
    parts.wechat.knows("wxid_new", "九纹龙", friend=False)
    first = await request(parts, qun, "九纹龙")
    assert first.approved is Approved.PENDING
    assert "look_for" in parts.wechat.calls, "they may have become a friend a moment ago"
    assert await request(parts, qun, "九纹龙") == first
    assert await state(parts, qun, "name:九纹龙") == (MemberState.WAITING_FRIEND, "")
    parts.clock.now += 2 * DAY
    assert (await request(parts, qun, "九纹龙")).approved is Approved.PENDING
    row = await parts.membership(qun, "name:九纹龙")
    assert row is not None and row.expires_at == parts.clock.now + 2 * DAY, "it waits anew"


async def test_ambiguous_name_is_rejected(parts: Parts) -> None:
    qun = await parts.group()
    parts.wechat.knows("wxid_other", "黑旋风")
    with pytest.raises(MemberAmbiguous):
        await request(parts, qun)


@pytest.mark.parametrize("later", [False, True])
async def test_blacklisted_person_is_rejected(parts: Parts, later: bool) -> None:
    qun = await parts.group()
    await parts.write(lambda s: s.add(MemberRecord(number=qun.number, contact_id=XUAN, blacklisted=True)))
    await parts.container.blacklist.load()
    with pytest.raises(MemberBlacklisted):
        await request(parts, qun, later=later)
    assert await state(parts, qun) == ("", "")
    assert "add_member" not in parts.wechat.calls


async def test_offline_account_adds_nobody(parts: Parts) -> None:
    qun = await parts.group()
    parts.wechat.state = State.CONNECTING
    with pytest.raises(AssistantOffline):
        await request(parts, qun)


# ---- for callers that do not wait ----


async def test_background_request_is_queued_once(open_parts: OpenParts) -> None:
    parts = await open_parts(groups={"pending_days": 3})
    qun = await parts.group()
    parts.wechat.state = State.CONNECTING  # nothing of it needs WeChat now
    first = await request(parts, qun, later=True)
    assert first.approved is Approved.QUEUED
    row = await parts.membership(qun, XUAN)
    assert row is not None
    assert (row.state, row.source, row.expires_at) == (MemberState.REQUESTED, "async", parts.clock.now + 3 * DAY)
    assert await request(parts, qun, later=True) == first
    assert "add_member" not in parts.wechat.calls


@pytest.mark.parametrize(
    ("kept", "left", "approved"),
    [(MemberState.INVITED, DAY, "invited"), (MemberState.ADDING, DAY, "queued"), (MemberState.INVITED, 0.0, "queued")],
)
async def test_open_request_is_answered_from_its_row(parts: Parts, kept: str, left: float, approved: str) -> None:
    qun = await parts.group()
    number = await keep(parts, qun, kept, expires_at=parts.clock.now + left)
    answer = await request(parts, qun, later=True)
    assert (answer.approved, answer.id) == (approved, number)
    assert (await state(parts, qun))[0] == (kept if left else MemberState.REQUESTED)


async def test_existing_member_returns_ok_at_once(parts: Parts) -> None:
    qun = await parts.group()
    parts.members(qun).add(XUAN)
    assert (await request(parts, qun, later=True)).approved is Approved.OK


# ---- what a failure leaves ----


@pytest.mark.parametrize(
    ("words", "raised", "left"),
    [
        ("群已满", GroupFull, (MemberState.REFUSED, "GroupFull")),
        ("你无权拉人", InviteFailed, (MemberState.REQUESTED, "RoomAdd: 你无权拉人")),
    ],
)
async def test_retryable_and_final_errors(
    parts: Parts, words: str, raised: type[Exception], left: tuple[str, str]
) -> None:
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatRefused("RoomAdd", words)
    with pytest.raises(raised):
        await request(parts, qun)
    state_, why = await state(parts, qun)
    assert state_ == left[0]
    assert left[1].split(" ")[-1] in why


async def test_gateway_loss_does_not_end_the_request(parts: Parts) -> None:
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatOffline("RoomAdd")
    with pytest.raises(AssistantOffline):
        await request(parts, qun)
    assert await state(parts, qun) == (MemberState.REQUESTED, "")


async def test_person_who_deleted_the_assistant_is_pending(parts: Parts) -> None:
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatRefused("RoomAdd", "对方不是你的好友")
    assert (await request(parts, qun)).approved is Approved.PENDING
    assert (await state(parts, qun))[0] == MemberState.WAITING_FRIEND


async def test_person_found_to_be_a_stranger_is_pending(parts: Parts) -> None:
    """The call had no effect and no error; reading the person again shows a stranger."""
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatRefused("RoomAdd", "失败")

    async def contact(contact_id: str, *, fresh: bool = False) -> Any:
        return parts.wechat.knows(contact_id, "黑旋风", friend=False) if fresh else None

    parts.wechat.contact = contact  # type: ignore[method-assign]
    assert (await request(parts, qun)).approved is Approved.PENDING


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
    assert "wxid_new" not in parts.members(qun)


async def go_on(parts: Parts, qun: Qun, **values: Any) -> JoinResult | None:
    await keep(parts, qun, MemberState.REQUESTED, **values)
    row = await parts.membership(qun, XUAN)
    assert row is not None
    answer = await parts.container.memberships.resume(row)
    await parts.write(lambda _s: None)  # what is told follows in a write of its own
    return answer


@pytest.mark.parametrize(
    ("values", "told"), [({}, True), ({"source": "async"}, False), ({"error": "failed before"}, False)]
)
async def test_requester_is_notified_once_of_the_failure(parts: Parts, values: dict[str, Any], told: bool) -> None:
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatRefused("RoomAdd", "你无权拉人")
    assert await go_on(parts, qun, **values) is None
    words = parts.container.config.texts.join_failed.format(topic=qun.topic)
    assert await parts.queued_texts(XUAN) == ([words] if told else [])


@pytest.mark.parametrize(("source", "told"), [("message", True), ("async", False)])
async def test_requester_is_notified_of_the_invitation(parts: Parts, source: str, told: bool) -> None:
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatNeedsConfirmation("RoomAdd", "需要对方确认")
    answer = await go_on(parts, qun, source=source)
    assert answer is not None and answer.approved is Approved.INVITED
    assert len(await parts.queued_texts(XUAN)) == told


async def test_nobody_is_notified_while_gateway_is_offline(parts: Parts) -> None:
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatOffline("RoomAdd")
    assert await go_on(parts, qun) is None
    assert await parts.queued_texts(XUAN) == []


async def test_request_for_a_lost_group_is_not_continued(parts: Parts) -> None:
    qun = await parts.group()
    await parts.container.groups.change(qun.number, state=QunState.LOST)
    assert await go_on(parts, qun) is None
    assert "add_member" not in parts.wechat.calls


# ---- rooms ----


@pytest.mark.parametrize("overflow", [False, True])
async def test_full_room_overflows_where_allowed(open_parts: OpenParts, overflow: bool) -> None:
    parts = await open_parts(groups={"capacity": 4, "overflow": overflow})
    qun = await parts.group()
    parts.members(qun).add("wxid_somebody")
    if overflow:
        assert (await request(parts, qun)).approved is Approved.OK
        rooms = [room.room_id for room in parts.container.groups.rooms(qun)]
        assert len(rooms) == 2 and XUAN in parts.wechat.directory.rooms[rooms[1]].member_ids
    else:
        with pytest.raises(GroupFull):
            await request(parts, qun)
    assert parts.container.memberships._seats._held == {}


# ---- ends ----


async def test_expired_requests_end(parts: Parts) -> None:
    qun = await parts.group()
    await keep(parts, qun, MemberState.INVITED, expires_at=parts.clock.now)
    await keep(parts, qun, MemberState.INVITED, "wxid_later", expires_at=parts.clock.now + 1)
    assert await parts.container.membership_states.expire() == 1
    assert (await state(parts, qun))[0] == MemberState.EXPIRED
    assert (await state(parts, qun, "wxid_later"))[0] == MemberState.INVITED
