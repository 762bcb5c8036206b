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
from models.groups import MemberRecord, MemberState, QunState
from services.groups.lifecycle import new_token
from services.groups.memberships import JoinOutcome
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts
from tests.services.stored_memberships import DAY, request, state, store_membership
from wechat.interface import State

HOOK = {"name": "erp", "url": "http://127.0.0.1:9/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="}


# ---- the group of a token ----


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
    assert first.outcome is JoinOutcome.OK and first.account == ACCOUNT and first.id
    assert await request(parts, qun) == first
    assert parts.wechat.calls.count("add_member") == 1
    assert await state(parts, qun) == (MemberState.JOINED, "")


async def test_invited_person_is_not_invited_again_until_expiry(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK], groups={"pending_days": 2})
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatNeedsConfirmation("RoomAdd", "需要群主确认")
    first = await request(parts, qun)
    assert first.outcome is JoinOutcome.INVITED
    assert await state(parts, qun) == (MemberState.INVITED, "owner")
    row = await parts.membership(qun, XUAN)
    assert row is not None and row.expires_at == parts.clock.now + 2 * DAY
    assert await request(parts, qun) == first
    assert parts.wechat.calls.count("add_member") == 1
    events = [job.body["type"] for job in await parts.queued("hook")]
    assert events.count("member.invited") == 1
    parts.clock.now += 2 * DAY
    await request(parts, qun)
    assert parts.wechat.calls.count("add_member") == 2


async def test_stranger_is_pending_and_recorded_once(open_parts: OpenParts) -> None:
    parts = await open_parts(groups={"pending_days": 2})
    qun = await parts.group()
    parts.wechat.knows("wxid_new", "九纹龙", friend=False)
    first = await request(parts, qun, "九纹龙")
    assert first.outcome is JoinOutcome.PENDING
    assert "look_for" in parts.wechat.calls, "they may have become a friend a moment ago"
    assert await request(parts, qun, "九纹龙") == first
    assert await state(parts, qun, "name:九纹龙") == (MemberState.WAITING_FRIEND, "")
    parts.clock.now += 2 * DAY
    assert (await request(parts, qun, "九纹龙")).outcome is JoinOutcome.PENDING
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
    assert first.outcome is JoinOutcome.QUEUED
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
    number = await store_membership(parts, qun, kept, expires_at=parts.clock.now + left)
    answer = await request(parts, qun, later=True)
    assert (answer.outcome, answer.id) == (approved, number)
    assert (await state(parts, qun))[0] == (kept if left else MemberState.REQUESTED)


async def test_existing_member_returns_ok_at_once(parts: Parts) -> None:
    qun = await parts.group()
    parts.members(qun).add(XUAN)
    assert (await request(parts, qun, later=True)).outcome is JoinOutcome.OK


# ---- what a failure leaves ----


@pytest.mark.parametrize(
    ("text", "raised", "left"),
    [
        ("群已满", GroupFull, (MemberState.REFUSED, "GroupFull")),
        ("你无权拉人", InviteFailed, (MemberState.REQUESTED, "RoomAdd: 你无权拉人")),
    ],
)
async def test_retryable_and_final_errors(
    parts: Parts, text: str, raised: type[Exception], left: tuple[str, str]
) -> None:
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatRefused("RoomAdd", text)
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
    assert (await request(parts, qun)).outcome is JoinOutcome.PENDING
    assert (await state(parts, qun))[0] == MemberState.WAITING_FRIEND


async def test_person_found_to_be_a_stranger_is_pending(parts: Parts) -> None:
    """The call had no effect and no error; reading the person again shows a stranger."""
    qun = await parts.group()
    parts.wechat.fails["add_member"] = WeChatRefused("RoomAdd", "失败")

    async def contact(contact_id: str, *, fresh: bool = False) -> Any:
        return parts.wechat.knows(contact_id, "黑旋风", friend=False) if fresh else None

    parts.wechat.contact = contact  # type: ignore[method-assign]
    assert (await request(parts, qun)).outcome is JoinOutcome.PENDING
