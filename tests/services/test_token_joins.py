"""Join tokens sent by people: replies and stored requests."""

from __future__ import annotations

import pytest

from models.groups import MemberRecord, MemberState, Qun
from services.groups.membership_rows import put_membership
from services.groups.token_joins import TokenJoins
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts
from tests.services.sent_tokens import BAD, DAY, send_request, send_token
from tests.waiting import until
from wechat.interface import State

# ---- a token from a friend ----


async def test_friend_is_added_after_the_reply(parts: Parts) -> None:
    qun = await parts.group()
    assert "正在拉您进群“宋公明的群100001”" in (await send_token(parts, qun.token)).reply
    await until(lambda: not parts.container.token_joins._tasks, "added")
    assert XUAN in parts.members(qun)
    row = await parts.membership(qun, XUAN)
    assert row is not None and (row.state, row.source, row.name) == (MemberState.JOINED, "message", "黑旋风")


async def test_nothing_happens_before_the_commit(parts: Parts) -> None:
    qun = await parts.group()
    decision = await parts.container.token_joins.token_sent(ACCOUNT, XUAN, qun.token)
    assert decision.write is not None and decision.after is not None
    assert XUAN not in parts.members(qun)
    await parts.write(decision.write)
    row = await parts.membership(qun, XUAN)
    assert row is not None and (row.state, row.expires_at) == (MemberState.REQUESTED, None)


async def test_group_of_another_account_is_not_found(parts: Parts) -> None:
    qun = await parts.group()
    kept = parts.container.groups.by_number(qun.number)
    assert kept is not None
    kept.account = "weimi1002"
    assert (await send_token(parts, qun.token)).reply == BAD


async def test_existing_member_is_told(parts: Parts) -> None:
    qun = await parts.group()
    parts.members(qun).add(XUAN)
    assert (await send_token(parts, qun.token)).reply == "您已经在“宋公明的群100001”里了。"
    assert (await send_request(parts, qun.token)).may_accept


async def test_blacklisted_person_is_told_and_not_accepted(parts: Parts) -> None:
    qun = await parts.group()
    await parts.write(lambda s: s.add(MemberRecord(number=qun.number, contact_id=XUAN, blacklisted=True)))
    await parts.container.blacklist.load()
    expected = parts.container.config.texts.blacklisted.format(topic="宋公明的群100001")
    assert (await send_token(parts, qun.token)).reply == expected
    answer = await send_request(parts, qun.token)
    assert (answer.reply, answer.may_accept) == (expected, False)


async def invite(parts: Parts, qun: Qun, expires_in: float, error: str = "") -> None:
    now = parts.clock.now
    await parts.write(
        lambda s: put_membership(
            s,
            qun,
            now,
            name="黑旋风",
            contact_id=XUAN,
            state=MemberState.INVITED,
            expires_at=now + expires_in,
            error=error,
        )
    )


@pytest.mark.parametrize(("left", "days"), [(3 * DAY, "3"), (1.6 * DAY, "2"), (1.0, "1")])
async def test_invited_person_is_told_the_remaining_days(parts: Parts, left: float, days: str) -> None:
    qun = await parts.group()
    await invite(parts, qun, left)
    texts = parts.container.config.texts
    assert (await send_token(parts, qun.token)).reply == texts.invited.format(topic=qun.topic, days=days)
    assert parts.wechat.calls.count("add_member") == 0


async def test_person_waiting_for_the_owner_is_told(parts: Parts) -> None:
    qun = await parts.group()
    await invite(parts, qun, DAY, "owner")
    assert (await send_token(parts, qun.token)).reply == parts.container.config.texts.waiting_owner.format(
        topic=qun.topic
    )


@pytest.mark.parametrize("left", [0.0, -1.0])
async def test_expired_invitation_is_renewed(parts: Parts, left: float) -> None:
    qun = await parts.group()
    await invite(parts, qun, left)
    assert "正在拉您进群" in (await send_token(parts, qun.token)).reply


async def test_other_open_request_restarts(parts: Parts) -> None:
    qun = await parts.group()
    assert (await send_request(parts, qun.token)).reply == ""
    assert "正在拉您进群" in (await send_token(parts, qun.token)).reply


# ---- a token in a friend request ----


async def test_request_is_kept_until_friend(open_parts: OpenParts) -> None:
    parts = await open_parts(groups={"pending_days": 3})
    qun = await parts.group()
    decision = await send_request(parts, qun.token, "wxid_new")
    assert (decision.reply, decision.may_accept) == ("", True)
    row = await parts.membership(qun, "wxid_new")
    assert row is not None
    assert (row.state, row.expires_at) == (MemberState.WAITING_FRIEND, parts.clock.now + 3 * DAY)


async def test_new_friend_is_added_once_wechat_shows_friendship(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take seconds; the directory is asked first, then WeChat itself."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            parts.wechat.knows("wxid_new", "九纹龙")

    parts.wechat.knows("wxid_new", "九纹龙", friend=False)
    qun = await parts.group()
    await send_request(parts, qun.token, "wxid_new")
    monkeypatch.setattr("services.groups.token_joins.asyncio.sleep", sleep)
    await parts.container.token_joins._became_friend(ACCOUNT, "wxid_new")
    assert pauses[:3] == [0.0, 0.5, 2.0]
    assert 5.0 not in pauses
    assert "wxid_new" in parts.members(qun)


async def test_person_never_shown_as_friend_is_tried_anyway(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    parts.wechat.knows("wxid_new", "九纹龙", friend=False)
    qun = await parts.group()
    await send_request(parts, qun.token, "wxid_new")
    monkeypatch.setattr("services.groups.token_joins.asyncio.sleep", sleep)
    await parts.container.token_joins._became_friend(ACCOUNT, "wxid_new")
    assert pauses[:4] == [0.0, 0.5, 2.0, 5.0]
    assert "wxid_new" in parts.members(qun)


# ---- going on ----


async def store_membership(parts: Parts, qun: Qun, state: str, who: str = XUAN) -> int:
    now = parts.clock.now
    row = await parts.write(
        lambda s: put_membership(
            s, qun, now, name=who, contact_id=who, state=state, source="message", expires_at=now + DAY
        )
    )
    return row.id or 0


@pytest.mark.parametrize("state", [MemberState.REQUESTED, MemberState.ADDING])
async def test_requests_left_by_a_crash_are_continued(parts: Parts, state: str) -> None:
    qun = await parts.group()
    await store_membership(parts, qun, state)
    parts.clock.now += 3600
    assert await parts.container.token_joins.resume_all() == 1
    await until(lambda: XUAN in parts.members(qun), "added")


async def test_offline_account_is_not_resumed(parts: Parts) -> None:
    qun = await parts.group()
    await store_membership(parts, qun, MemberState.REQUESTED)
    parts.clock.now += 3600
    parts.wechat.state = State.CONNECTING
    assert await parts.container.token_joins.resume_all() == 0


@pytest.mark.parametrize(("state", "added"), [(MemberState.REQUESTED, True), (MemberState.REFUSED, False)])
async def test_only_stored_requests_are_continued(parts: Parts, state: str, added: bool) -> None:
    qun = await parts.group()
    number = await store_membership(parts, qun, state)
    await parts.container.token_joins._resume_one(number)
    assert (XUAN in parts.members(qun)) is added


async def test_failure_is_logged_and_stops_nothing(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    qun = await parts.group()
    parts.wechat.fails["contact"] = ValueError("bug")
    number = await store_membership(parts, qun, MemberState.REQUESTED)
    parts.container.token_joins.resume_soon(number)
    await until(lambda: "joining a group failed" in caplog.text, "logged")
    assert not parts.container.token_joins._tasks


async def test_stop_cancels_running_joins(parts: Parts) -> None:
    joins: TokenJoins = parts.container.token_joins
    joins.became_friend_soon(ACCOUNT, XUAN)
    await joins.stop()
    assert not [task for task in joins._tasks if not task.done()]
