"""Admission of people to groups: what WeChat shows at the time of the call decides."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from errors import (
    AssistantOffline,
    InviteFailed,
    MemberAmbiguous,
    MemberBlacklisted,
    WeChatError,
    WeChatOffline,
    WeChatRefused,
    WeChatUnknown,
)
from models.groups import MemberRecord, MembershipSource, MemberState, Qun, QunState
from services.groups.membership_rows import put_membership
from services.groups.memberships import JoinOutcome, JoinResult
from tests.services.parts import ACCOUNT, XUAN, Parts
from wechat.interface import PUPPET, Capability


async def store_membership(parts: Parts, qun: Qun, state: str, **values: Any) -> int:
    fields = {"source": MembershipSource.MESSAGE, "expires_at": parts.clock.now + 60, **values}
    row = await parts.write(
        lambda s: put_membership(s, qun, parts.clock.now, name="黑旋风", contact_id=XUAN, state=state, **fields)
    )
    return row.id or 0


async def admit(parts: Parts, qun: Qun) -> JoinResult:
    person = parts.wechat.directory.contacts[XUAN]
    return await parts.container.memberships.admit(qun, person, source=MembershipSource.REST, actor="api")


async def state(parts: Parts, qun: Qun) -> str:
    row = await parts.membership(qun, XUAN)
    return row.state if row else ""


async def blacklist(parts: Parts, qun: Qun, who: str) -> None:
    await parts.write(lambda s: s.add(MemberRecord(number=qun.number, contact_id=who, blacklisted=True)))
    await parts.container.blacklist.load()


# ---- whom a request is for ----


async def test_request_waits_for_wechat_by_default(parts: Parts) -> None:
    first, second = await parts.group("1"), await parts.group("2")
    by_token = await parts.container.join_requests.join(first.token, "黑旋风", "api")
    directly = await parts.container.join_requests.join_group(second, "黑旋风", "api")
    assert (by_token.outcome, directly.outcome) == (JoinOutcome.OK, JoinOutcome.OK)


@pytest.mark.parametrize("state", [QunState.LOST, QunState.CLOSED])
async def test_only_active_groups_can_be_joined(parts: Parts, state: QunState) -> None:
    qun = await parts.group()
    qun = await parts.container.groups.change(qun.number, state=state)
    with pytest.raises(InviteFailed, match=f"group {qun.number} is {state}"):
        await parts.container.join_requests.join_group(qun, "黑旋风", "api")


async def test_friend_with_a_strangers_nickname_is_meant(parts: Parts) -> None:
    qun = await parts.group()
    parts.wechat.knows("wxid_stranger", "黑旋风", friend=False)
    assert (await parts.container.join_requests.join_group(qun, "黑旋风", "api")).outcome is JoinOutcome.OK
    assert XUAN in parts.members(qun)


async def test_member_who_is_no_friend_may_be_meant_too(parts: Parts) -> None:
    qun = await parts.group()
    await parts.container.group_lifecycle.open_next_room(qun, "test")
    parts.wechat.knows("wxid_member", "黑旋风", friend=False)
    parts.members(qun).add("wxid_member")
    with pytest.raises(MemberAmbiguous):
        await parts.container.join_requests.join_group(qun, "黑旋风", "api")


@pytest.mark.parametrize(("name", "is_rejected"), [("wxid_stranger", True), ("stranger01", True), ("九纹龙", False)])
async def test_blacklisted_stranger_is_recognised_by_unique_names_only(
    parts: Parts, name: str, is_rejected: bool
) -> None:
    """Anybody may have their nickname."""
    qun = await parts.group()
    parts.wechat.knows("wxid_stranger", "九纹龙", friend=False, weixin="stranger01")
    await blacklist(parts, qun, "wxid_stranger")
    if is_rejected:
        with pytest.raises(MemberBlacklisted):
            await parts.container.join_requests.join_group(qun, name, "api")
    else:
        answer = await parts.container.join_requests.join_group(qun, name, "api")
        assert answer.outcome is JoinOutcome.PENDING


async def test_channel_that_adds_nobody_answers_with_an_invitation(parts: Parts) -> None:
    qun = await parts.group()
    parts.wechat.capabilities = PUPPET | {Capability.JOIN_BY_CODE}
    answers = [
        await parts.container.join_requests.join_group(qun, name, "api", later=later)
        for name in ("黑旋风", "九纹龙")
        for later in (False, True)
    ]
    assert [answer.outcome for answer in answers] == [JoinOutcome.INVITED] * 4
    assert len({answer.id for answer in answers}) == 2
    assert "add_member" not in parts.wechat.calls
    assert (await admit(parts, qun)).id == answers[0].id


# ---- the admission ----


async def test_invited_person_who_is_in_the_group_has_joined(parts: Parts) -> None:
    qun = await parts.group()
    number = await store_membership(parts, qun, MemberState.INVITED)
    parts.members(qun).add(XUAN)
    assert await admit(parts, qun) == JoinResult(JoinOutcome.OK, ACCOUNT, number)
    assert await state(parts, qun) == MemberState.JOINED
    assert "add_member" not in parts.wechat.calls


async def test_blacklisted_person_is_not_admitted(parts: Parts) -> None:
    qun = await parts.group()
    await store_membership(parts, qun, MemberState.REQUESTED)
    await blacklist(parts, qun, XUAN)
    with pytest.raises(MemberBlacklisted):
        await admit(parts, qun)
    assert await state(parts, qun) == MemberState.REFUSED


@pytest.mark.parametrize(
    ("error", "raised"), [(WeChatOffline("Room"), WeChatOffline), (WeChatUnknown("Room"), InviteFailed)]
)
async def test_unreadable_group_leaves_the_request_open(
    parts: Parts, error: WeChatError, raised: type[Exception]
) -> None:
    qun = await parts.group()
    await store_membership(parts, qun, MemberState.ADDING)
    parts.wechat.fails["room"] = error
    with pytest.raises(raised):
        await admit(parts, qun)
    assert await state(parts, qun) == MemberState.REQUESTED


async def test_refusal_for_an_unreadable_person_is_a_failure(parts: Parts) -> None:
    """Whether they have deleted the assistant cannot be told."""
    qun = await parts.group()
    parts.wechat.fails |= {"add_member": WeChatRefused("RoomAdd", "失败"), "contact": WeChatUnknown("Contact")}
    with pytest.raises(InviteFailed):
        await admit(parts, qun)
    assert await state(parts, qun) == MemberState.REQUESTED


async def test_time_of_a_request_is_kept(parts: Parts) -> None:
    qun = await parts.group()
    await store_membership(parts, qun, MemberState.REQUESTED, expires_at=parts.clock.now + 7)
    parts.wechat.fails["add_member"] = WeChatOffline("RoomAdd")
    with pytest.raises(AssistantOffline):
        await admit(parts, qun)
    row = await parts.membership(qun, XUAN)
    assert row is not None and row.expires_at == parts.clock.now + 7


async def test_running_request_is_shared_and_not_interrupted(parts: Parts) -> None:
    qun = await parts.group()
    await store_membership(parts, qun, MemberState.REQUESTED)
    memberships = parts.container.memberships
    assert [row.contact_id for row in await memberships.interrupted(ACCOUNT)] == [XUAN]
    hold = parts.wechat.holds["add_member"] = asyncio.Event()
    adding = [asyncio.create_task(admit(parts, qun)) for _ in range(2)]
    await parts.wechat.reached("add_member")
    row = await parts.membership(qun, XUAN)
    assert row is not None
    await parts.write(lambda s: s.merge(row).sqlmodel_update({"source": MembershipSource.MESSAGE}))
    assert await memberships.interrupted(ACCOUNT) == []
    hold.set()
    first, second = await asyncio.gather(*adding)
    assert first == second
    assert parts.wechat.calls.count("add_member") == 1


# ---- going on ----


async def test_new_friend_with_a_strangers_name_is_added(parts: Parts) -> None:
    """Only namesakes among the friends make a name ambiguous."""
    qun = await parts.group()
    await parts.container.join_requests.join_group(qun, "九纹龙", "api")
    parts.wechat.knows("wxid_new", "九纹龙")
    parts.wechat.knows("wxid_stranger", "九纹龙", friend=False)
    await parts.container.memberships.became_friend(ACCOUNT, "wxid_new")
    assert "wxid_new" in parts.members(qun)


@pytest.mark.parametrize("call", ["room", "add_member"])
async def test_request_waits_for_the_connection(parts: Parts, call: str) -> None:
    qun = await parts.group()
    await store_membership(parts, qun, MemberState.REQUESTED)
    row = await parts.membership(qun, XUAN)
    assert row is not None
    parts.wechat.fails[call] = WeChatOffline("x")
    assert await parts.container.memberships.resume(row) is None
    await parts.write(lambda _s: None)  # a notice would follow in a separate write
    assert await parts.queued_texts(XUAN) == []
    assert await state(parts, qun) == MemberState.REQUESTED
