"""States of memberships: what is open, what is retried, and how requests go on and end."""

from __future__ import annotations

from typing import Any

import pytest

from errors import AssistantOffline, GroupFull, InviteFailed, MemberBlacklisted, NotFound, WeChatOffline
from models.groups import OPEN_STATES, Membership, MembershipReason, MembershipSource, MemberState, Qun
from services.groups.membership_rows import put_membership
from services.groups.membership_states import MembershipStates
from tests.services.parts import ACCOUNT, SONG, XUAN, ZHI, OpenParts, Parts
from wechat.entities import Contact

DAY = 86400.0
PERSON = Contact(XUAN, "黑旋风", friend=True)
HOOK = {"name": "erp", "url": "http://127.0.0.1:9/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="}


async def opened(open_parts: OpenParts) -> tuple[Parts, MembershipStates, Qun]:
    """Requests wait for two days."""
    parts = await open_parts(webhooks=[HOOK], groups={"pending_days": 2})
    return parts, parts.container.membership_states, await parts.group()


async def put(parts: Parts, qun: Qun, state: str, who: str | None = XUAN, **values: Any) -> int:
    fields = {
        "name": "黑旋风", "source": MembershipSource.MESSAGE, "expires_at": parts.clock.now + 2 * DAY, **values,
    }  # fmt: skip
    row = await parts.write(lambda s: put_membership(s, qun, parts.clock.now, contact_id=who, state=state, **fields))
    return row.id or 0


async def row_of(parts: Parts, number: int) -> Membership:
    return await parts.read(lambda s: s.get_one(Membership, number))


async def events(parts: Parts) -> list[str]:
    return [kind for job in await parts.queued("hook") if (kind := job.body["type"]).startswith("member.")]


# ---- open requests ----


@pytest.mark.parametrize("state", list(MemberState))
@pytest.mark.parametrize(("left", "is_in_time"), [(1.0, True), (0.0, False), (None, False)])
async def test_request_is_pending_until_its_time(
    parts: Parts, state: MemberState, left: float | None, is_in_time: bool
) -> None:
    states = parts.container.membership_states
    until = None if left is None else parts.clock.now + left
    row = Membership(number=1, who=XUAN, account=ACCOUNT, name="x", state=state, expires_at=until)
    assert states.is_pending(row) is (is_in_time and state in OPEN_STATES)
    assert states.is_pending(row, MemberState.INVITED) is (is_in_time and state == MemberState.INVITED)
    assert not states.is_pending(None)


@pytest.mark.parametrize(("left", "days"), [(0.1, 1), (1.4, 1), (1.6, 2), (3.0, 3), (-1.0, 1)])
async def test_days_left_are_whole(parts: Parts, left: float, days: int) -> None:
    row = Membership(number=1, who="x", account=ACCOUNT, name="x", expires_at=parts.clock.now + left * DAY)
    assert parts.container.membership_states.days_left(row) == days


# ---- reading ----


async def test_request_by_name_leads_to_the_persons_membership(open_parts: OpenParts) -> None:
    parts, states, qun = await opened(open_parts)
    mine = await put(parts, qun, MemberState.JOINED)
    by_name = await put(parts, qun, MemberState.EXPIRED, None)
    assert (await states.get(by_name)).id == by_name, "it is nobody's yet"
    await parts.write(lambda s: s.get_one(Membership, by_name).sqlmodel_update({"contact_id": XUAN}))
    assert [(await states.get(number)).id for number in (by_name, mine)] == [mine, mine]
    with pytest.raises(NotFound, match="membership 4711"):
        await states.get(4711)


async def test_membership_of_a_person_is_found(open_parts: OpenParts) -> None:
    parts, states, qun = await opened(open_parts)
    other = await parts.group("2")
    assert await states.id_of(qun, XUAN) is None
    number = await put(parts, qun, MemberState.JOINED)
    assert [await states.id_of(qun, XUAN) for _ in range(2)] == [number] * 2
    assert await states.id_of(other, XUAN) is None
    found = await states.find(qun, XUAN)
    assert found is not None and found.id == number
    assert await states.find(other, XUAN) is None


@pytest.mark.parametrize("state", list(MemberState))
async def test_open_and_former_memberships(open_parts: OpenParts, state: MemberState) -> None:
    parts, states, qun = await opened(open_parts)
    number = await put(parts, qun, state)
    await put(parts, await parts.group("2"), MemberState.LEFT, ZHI)
    assert await states.is_open(number) is (state in OPEN_STATES)
    assert await states.former_members(qun) == ([XUAN] if state in (MemberState.LEFT, MemberState.REMOVED) else [])


@pytest.mark.parametrize(
    ("state", "source", "is_due"),
    [
        (MemberState.REQUESTED, MembershipSource.MESSAGE, True),
        (MemberState.ADDING, MembershipSource.ASYNC, True),
        (MemberState.REQUESTED, MembershipSource.REST, False),
        (MemberState.INVITED, MembershipSource.MESSAGE, False),
        (MemberState.WAITING_FRIEND, MembershipSource.MESSAGE, False),
    ],
)
async def test_interrupted_requests_go_on(open_parts: OpenParts, state: str, source: str, is_due: bool) -> None:
    parts, states, qun = await opened(open_parts)
    number = await put(parts, qun, state, source=source)
    assert [row.id for row in await states.interrupted(ACCOUNT)] == ([number] if is_due else [])
    assert await states.interrupted("weimi1002") == []


@pytest.mark.parametrize(
    ("failed_after", "since", "is_due"),
    [(0, 299, False), (0, 300, True), (200, 299, False), (200, 300, True), (1000, 999, False), (1000, 1000, True)],
)
async def test_failed_request_waits_longer_each_time(
    open_parts: OpenParts, failed_after: float, since: float, is_due: bool
) -> None:
    """`failed_after`: seconds between the request and its last failure, `since`: between that and now."""
    parts, states, qun = await opened(open_parts)
    until = parts.clock.now + 2 * DAY
    parts.clock.now += failed_after
    await put(parts, qun, MemberState.REQUESTED, error="busy", expires_at=until)
    parts.clock.now += since
    assert len(await states.interrupted(ACCOUNT)) == is_due


async def test_failed_request_without_a_time_is_retried_at_once(open_parts: OpenParts) -> None:
    parts, states, qun = await opened(open_parts)
    await put(parts, qun, MemberState.REQUESTED, error="busy", expires_at=None)
    assert len(await states.interrupted(ACCOUNT)) == 1


async def test_queued_request_is_retried_although_a_rest_caller_repeats_it(open_parts: OpenParts) -> None:
    """Each of two callers may have its call before the other; who does not wait was promised a retry."""
    parts, states, qun = await opened(open_parts)
    room = parts.container.groups.wechat_rooms(qun)[0]
    await states.record_adding(qun, room, PERSON, MembershipSource.REST, None)
    assert await states.interrupted(ACCOUNT) == []
    queued = await states.queue(qun, PERSON)
    await states.record_adding(qun, room, PERSON, MembershipSource.REST, queued.expires_at)
    assert [row.id for row in await states.interrupted(ACCOUNT)] == [queued.id]


# ---- steps ----


@pytest.mark.parametrize(("state", "waits"), [(MemberState.REQUESTED, None), (MemberState.WAITING_FRIEND, 2 * DAY)])
async def test_person_asks_to_join(open_parts: OpenParts, state: MemberState, waits: float | None) -> None:
    parts, states, qun = await opened(open_parts)
    await parts.write(lambda s: states.ask(s, qun, XUAN, "黑旋风", state))
    row = await states.find(qun, XUAN)
    assert row is not None
    assert (row.state, row.source, row.name) == (state, MembershipSource.MESSAGE, "黑旋风")
    assert row.expires_at == (waits and parts.clock.now + waits)


async def test_open_invitation_by_code_is_kept(open_parts: OpenParts) -> None:
    parts, states, qun = await opened(open_parts)
    for contact_id in (None, XUAN):
        first = await states.invite_by_code(qun, "黑旋风", contact_id)
        assert (first.state, first.contact_id, first.name) == (MemberState.INVITED, contact_id, "黑旋风")
        assert first.expires_at == parts.clock.now + 2 * DAY
        parts.clock.now += DAY
        again = await states.invite_by_code(qun, "黑旋风", contact_id)
        assert (again.id, again.expires_at) == (first.id, first.expires_at)
    assert await events(parts) == ["member.invited"] * 2
    parts.clock.now += 2 * DAY
    assert (await states.invite_by_code(qun, "黑旋风", XUAN)).expires_at == parts.clock.now + 2 * DAY
    assert len(await events(parts)) == 3


async def test_stranger_waits_once_under_any_of_their_keys(open_parts: OpenParts) -> None:
    parts, states, qun = await opened(open_parts)
    by_id = await states.wait_for_friend(qun, "黑旋风", PERSON, ())
    assert (by_id.who, by_id.contact_id, by_id.state) == (XUAN, XUAN, MemberState.WAITING_FRIEND)
    assert by_id.expires_at == parts.clock.now + 2 * DAY
    assert (await states.wait_for_friend(qun, "黑旋风", None, [PERSON])).id == by_id.id
    by_name = await states.wait_for_friend(qun, "黑旋风", None, [Contact(ZHI)])
    assert (by_name.who, by_name.contact_id) == ("name:黑旋风", None)
    assert (await states.wait_for_friend(qun, "黑旋风", Contact(ZHI), ())).id == by_name.id


async def test_admission_passes_through_its_states(open_parts: OpenParts) -> None:
    parts, states, qun = await opened(open_parts)
    room = parts.wechat.directory.rooms[parts.room_id(qun)]
    row = await states.record_adding(qun, room, PERSON, MembershipSource.REST, None)
    assert (row.state, row.source, row.room_id) == (MemberState.ADDING, MembershipSource.REST, room.id)
    assert row.expires_at == parts.clock.now + 2 * DAY
    number = row.id or 0
    assert (await states.record_adding(qun, room, PERSON, MembershipSource.REST, 7.0)).expires_at == 7.0
    await states.record_inviting(number)
    kept = await row_of(parts, number)
    assert (kept.state, kept.error, kept.expires_at) == (MemberState.INVITED, "", parts.clock.now + 2 * DAY)
    assert await events(parts) == [], "WeChat has not been asked yet"
    await states.record_invitation(qun, number, by_owner=True)
    assert (await row_of(parts, number)).error == MembershipReason.OWNER_MUST_CONFIRM
    await states.record_invitation(qun, number, by_owner=False)
    assert (await row_of(parts, number)).error == ""
    assert await events(parts) == ["member.invited"] * 2
    await states.record_join(qun, room.id, XUAN)
    assert (await row_of(parts, number)).state == MemberState.JOINED
    for late in (states.record_inviting(number), states.record_invitation(qun, number, by_owner=False)):
        await late
        assert (await row_of(parts, number)).state == MemberState.JOINED
    await states.record_leave(qun, room.id, XUAN)
    assert (await row_of(parts, number)).state == MemberState.LEFT
    assert await events(parts) == ["member.invited"] * 2 + ["member.joined", "member.left"]


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (GroupFull("x"), MemberState.REFUSED, MembershipReason.GROUP_FULL),
        (MemberBlacklisted("x"), MemberState.REFUSED, MembershipReason.BLACKLISTED),
        (InviteFailed("你无权拉人"), MemberState.REQUESTED, str(InviteFailed("你无权拉人"))),
        (AssistantOffline("x"), MemberState.REQUESTED, ""),
        (WeChatOffline("x"), MemberState.REQUESTED, ""),
    ],
)
@pytest.mark.parametrize("until", [5.0, None])
async def test_failure_ends_a_request_or_is_retried(
    open_parts: OpenParts, error: Exception, state: str, reason: str, until: float | None
) -> None:
    parts, states, qun = await opened(open_parts)
    number = await put(parts, qun, MemberState.ADDING, expires_at=until and parts.clock.now + until)
    await states.record_failure(qun, XUAN, error)
    row = await row_of(parts, number)
    assert (row.state, row.error) == (state, reason)
    is_refused = state == MemberState.REFUSED
    assert row.expires_at == (None if is_refused else parts.clock.now + (until or 2 * DAY))
    assert await events(parts) == ["member.refused"] * is_refused


async def test_failure_changes_no_ended_request(open_parts: OpenParts) -> None:
    parts, states, qun = await opened(open_parts)
    number = await put(parts, qun, MemberState.JOINED)
    for who in (XUAN, "wxid_unknown"):
        await states.record_failure(qun, who, GroupFull("x"))
    assert (await row_of(parts, number)).state == MemberState.JOINED


@pytest.mark.parametrize("is_in_room", [True, False])
async def test_member_is_withdrawn_only_if_in_no_room(open_parts: OpenParts, is_in_room: bool) -> None:
    parts, states, qun = await opened(open_parts)
    who = SONG if is_in_room else XUAN
    number = await put(parts, qun, MemberState.JOINED, who, room_id=parts.room_id(qun))
    await states.withdraw(qun, number)
    assert (await row_of(parts, number)).state == (MemberState.JOINED if is_in_room else MemberState.LEFT)


async def test_requests_past_their_time_expire(open_parts: OpenParts) -> None:
    parts, states, qun = await opened(open_parts)
    now = parts.clock.now
    late = [await put(parts, qun, state, f"wxid_{state}", expires_at=now) for state in OPEN_STATES]
    kept = [
        await put(parts, qun, MemberState.INVITED, "wxid_later", expires_at=now + 1),
        await put(parts, qun, MemberState.JOINED, "wxid_in", expires_at=now),
        await put(parts, qun, MemberState.REQUESTED, "wxid_timeless", expires_at=None),
    ]
    assert await states.expire() == len(late)
    assert [(await row_of(parts, number)).state for number in late] == [MemberState.EXPIRED] * len(late)
    assert MemberState.EXPIRED not in [(await row_of(parts, number)).state for number in kept]
    assert await states.expire() == 0
