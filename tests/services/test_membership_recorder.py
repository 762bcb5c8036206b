"""Joins and leaves: each is counted, reported and welcomed once, whatever its origin or repetitions."""

from __future__ import annotations

from typing import Any

import pytest

from errors import GroupFull, InviteFailed, MemberBlacklisted
from models.groups import MemberRecord, MemberState, Qun
from services.groups.membership_rows import put_membership
from tests.services.parts import ACCOUNT, SONG, XUAN, ZHI, OpenParts, Parts
from wechat.entities import Room

HOOK = {"name": "erp", "url": "http://127.0.0.1:9/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="}
DAY = 86400.0


async def record_join(parts: Parts, qun: Qun, *who: str) -> list[str]:
    return await parts.write(lambda s: parts.container.recorder.record_joins(s, qun, parts.room_id(qun), *who))


async def record_leave(parts: Parts, qun: Qun, who: str = XUAN, **how: Any) -> bool:
    room = how.pop("room", parts.room_id(qun))
    return await parts.write(lambda s: parts.container.recorder.record_leave(s, qun, room, who, **how))


def add_people(parts: Parts, many: int) -> list[str]:
    """Add people; return their ids."""
    return [parts.wechat.knows(f"wxid_{number}", f"路人{number}").id for number in range(many)]


async def emitted_events(parts: Parts) -> list[tuple[str, Any]]:
    """The events for business systems: type and person."""
    return [(job.body["type"], job.body["data"].get("contact_id")) for job in await parts.queued("hook")]


async def daily_counts(parts: Parts, qun: Qun) -> tuple[int, int]:
    await parts.container.daily_stats.drain()
    days = await parts.container.daily_stats.days(qun.number, 1)
    return sum(day.joins for day in days), sum(day.leaves for day in days)


# ---- the welcome ----


@pytest.mark.parametrize(("many", "messages"), [(1, 1), (4, 4), (5, 5), (6, 1), (7, 1)])
async def test_more_than_five_joins_are_welcomed_together(parts: Parts, many: int, messages: int) -> None:
    qun = await parts.group()
    people = add_people(parts, many)
    assert await record_join(parts, qun, *people) == people
    said = [job for job in await parts.queued() if job.key == parts.room_id(qun)]
    assert len(said) == messages
    assert [who for message in said for who in message.body["mentions"]] == people
    names = [f"@路人{number}\u2005" for number in range(many)]
    assert [name for name in names if any(name in message.body["text"] for message in said)] == names


async def test_known_members_do_not_count_as_joins(parts: Parts) -> None:
    """Six are reported and one is known already: five are welcomed individually."""
    qun = await parts.group()
    people = add_people(parts, 6)
    await record_join(parts, qun, people[0])
    assert await record_join(parts, qun, *people) == people[1:]
    assert len(await parts.queued_texts(parts.room_id(qun))) == 6


async def test_nameless_person_is_not_named(parts: Parts) -> None:
    qun = await parts.group()
    await record_join(parts, qun, *add_people(parts, 5), "wxid_nobody_knows")
    (welcome,) = await parts.queued_texts(parts.room_id(qun))
    assert welcome == "欢迎 " + "".join(f"@路人{number}\u2005" for number in range(5)) + "加入宋公明的群100001！"


async def test_welcome_text_of_group_and_disabled_welcome(parts: Parts) -> None:
    qun = await parts.group()
    for welcome in ("{member}你好", ""):
        await parts.container.groups.change(qun.number, welcome=welcome)
        kept = parts.container.groups.by_number(qun.number)
        assert kept is not None
        await record_join(parts, kept, XUAN if welcome else "wxid_later")
    assert await parts.queued_texts(parts.room_id(qun)) == ["@黑旋风\u2005你好"]


async def test_welcome_uses_the_current_topic(parts: Parts) -> None:
    qun = await parts.group()
    parts.wechat.directory.set_topic_of(parts.room_id(qun), "新名字")
    await record_join(parts, qun, XUAN)
    assert await parts.queued_texts(parts.room_id(qun)) == ["欢迎 @黑旋风\u2005加入新名字！"]


async def test_blacklisted_person_is_removed_without_welcome(parts: Parts) -> None:
    qun = await parts.group()
    await parts.write(lambda s: s.add(MemberRecord(number=qun.number, contact_id=XUAN, blacklisted=True)))
    assert await record_join(parts, qun, XUAN, *add_people(parts, 5)) == [XUAN, *(f"wxid_{n}" for n in range(5))]
    assert [job.body["contact"] for job in await parts.queued("remove")] == [XUAN]
    assert len(await parts.queued_texts(parts.room_id(qun))) == 5, "the five are no crowd of six"


async def test_warned_person_is_welcomed(parts: Parts) -> None:
    qun = await parts.group()
    await parts.write(lambda s: s.add(MemberRecord(number=qun.number, contact_id=XUAN, blacklisted=False)))
    await record_join(parts, qun, XUAN)
    assert len(await parts.queued_texts(parts.room_id(qun))) == 1


# ---- joins ----


async def test_join_is_reported_and_counted_once(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK])
    qun = await parts.group()
    for _ in range(2):
        await record_join(parts, qun, XUAN)
    row = await parts.membership(qun, XUAN)
    assert row is not None and (row.state, row.name, row.room_id) == (MemberState.JOINED, "黑旋风", parts.room_id(qun))
    assert await emitted_events(parts) == [("qun.created", None), ("member.joined", XUAN)]
    assert await daily_counts(parts, qun) == (1, 0)
    (event,) = [job.body["data"] for job in await parts.queued("hook") if job.body["type"] == "member.joined"]
    assert event == {
        "assistant": ACCOUNT, "number": qun.number, "code": "1",
        "membership": row.id, "member": "黑旋风", "contact_id": XUAN,
    }  # fmt: skip


async def test_join_in_another_room_moves_the_row(parts: Parts) -> None:
    qun = await parts.group()
    await record_join(parts, qun, XUAN)
    again = await parts.write(lambda s: parts.container.recorder.record_joins(s, qun, "room-2@chatroom", XUAN))
    row = await parts.membership(qun, XUAN)
    assert again == [] and row is not None and row.room_id == "room-2@chatroom"
    assert len(await parts.queued_texts(parts.room_id(qun))) == 1


async def test_initial_members_are_recorded(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK])
    qun = await parts.group()
    for who in (SONG, ZHI):
        row = await parts.membership(qun, who)
        assert row is not None and (row.state, row.source, row.room_id) == ("joined", "event", parts.room_id(qun))
    assert await parts.membership(qun, parts.wechat.self_id) is None
    assert await parts.queued_texts(parts.room_id(qun)) == [], "they are not welcomed"
    (event,) = await parts.queued("hook")
    assert event.body["type"] == "qun.created"
    assert (event.body["data"]["topic"], event.body["data"]["owner"]) == (qun.topic, "宋公明")
    assert event.body["data"]["url"] == parts.container.groups.url(qun)


async def test_second_room_creates_no_second_group(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK])
    qun = await parts.group()
    await record_join(parts, qun, XUAN)
    await parts.container.group_lifecycle.open_next_room(qun, "test")
    assert [kind for kind, _ in await emitted_events(parts)].count("qun.created") == 1


# ---- leaves ----


async def test_leave_is_reported_and_counted_once(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK])
    qun = await parts.group()
    await record_join(parts, qun, XUAN)
    assert [await record_leave(parts, qun), await record_leave(parts, qun)] == [True, False]
    assert (await emitted_events(parts))[-1] == ("member.left", XUAN)
    assert await daily_counts(parts, qun) == (1, 1)
    row = await parts.membership(qun, XUAN)
    assert row is not None and (row.state, row.name) == (MemberState.LEFT, "黑旋风")


async def test_removed_person_has_state_removed(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK])
    qun = await parts.group()
    await record_join(parts, qun, XUAN, ZHI)
    assert await record_leave(parts, qun, removed=True)
    assert not await record_leave(parts, qun), "a leave told after it is the same one"
    with parts.container.recorder.removing(qun, ZHI):
        await record_leave(parts, qun, ZHI)
    assert [kind for kind, _ in await emitted_events(parts)][-2:] == ["member.removed"] * 2
    row = await parts.membership(qun, ZHI)
    assert row is not None and row.state == MemberState.REMOVED


async def test_leave_after_an_earlier_removal_is_a_leave(parts: Parts) -> None:
    qun = await parts.group()
    with pytest.raises(RuntimeError), parts.container.recorder.removing(qun, XUAN):
        raise RuntimeError
    await record_join(parts, qun, XUAN)
    await record_leave(parts, qun)
    row = await parts.membership(qun, XUAN)
    assert row is not None and row.state == MemberState.LEFT


async def test_leave_of_unknown_person_is_ignored(parts: Parts) -> None:
    qun = await parts.group()
    assert await record_leave(parts, qun)
    row = await parts.membership(qun, XUAN)
    assert row is not None and (row.state, row.name) == (MemberState.LEFT, "黑旋风")
    assert await record_leave(parts, qun, "wxid_nobody_knows")


async def test_member_of_another_room_stays_a_member(parts: Parts) -> None:
    qun = await parts.group()
    await parts.container.group_lifecycle.open_next_room(qun, "test")
    second = parts.container.groups.rooms(qun)[1].room_id or ""
    parts.wechat.directory.put_room(Room(second, "宋公明的群100001·2", "", (), {XUAN, SONG}))
    await record_join(parts, qun, XUAN)
    assert not await record_leave(parts, qun)
    row = await parts.membership(qun, XUAN)
    assert row is not None and (row.state, row.room_id) == (MemberState.JOINED, second)
    assert await record_leave(parts, qun, room=second), "they are in no other room than the one they leave"


@pytest.mark.parametrize(("reported_at", "ends"), [(-1.0, False), (0.0, True), (1.0, True)])
async def test_leave_before_the_next_request_does_not_end_it(parts: Parts, reported_at: float, ends: bool) -> None:
    qun = await parts.group()
    now = parts.clock.now
    await parts.write(lambda s: put_membership(s, qun, now, name="黑旋风", contact_id=XUAN, state=MemberState.INVITED))
    assert await record_leave(parts, qun, reported_at=now + reported_at) is ends
    row = await parts.membership(qun, XUAN)
    assert row is not None and row.state == (MemberState.LEFT if ends else MemberState.INVITED)


async def test_late_leave_event_ends_the_membership(parts: Parts) -> None:
    qun = await parts.group()
    await record_join(parts, qun, XUAN)
    assert await record_leave(parts, qun, reported_at=parts.clock.now - 5)


# ---- notices to owners and people ----


async def test_lost_and_found_rooms_are_reported(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK])
    qun = await parts.group()
    room, notices = parts.container.groups.rooms(qun)[0], parts.container.recorder._notices
    texts = parts.container.config.texts
    await parts.write(lambda s: notices.report_lost(s, qun, room))
    await parts.write(lambda s: notices.report_found(s, qun, room))
    facts = {"topic": room.topic, "number": qun.number}
    assert await parts.queued_texts(SONG) == [texts.group_lost.format(**facts), texts.group_found.format(**facts)]
    events = [job.body for job in await parts.queued("hook")][-2:]
    assert [event["type"] for event in events] == ["qun.lost", "qun.found"]
    data = {"assistant": ACCOUNT, "number": qun.number, "code": "1", "topic": room.topic, "state": "active"}
    assert [event["data"] for event in events] == [data, data]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (GroupFull("1"), "group_full"),
        (MemberBlacklisted("x"), "blacklisted"),
        (InviteFailed("no"), "join_failed"),
    ],
)
async def test_reason_text_of_failed_join(parts: Parts, error: Exception, text: str) -> None:
    qun = await parts.group()
    await parts.write(lambda s: parts.container.recorder._notices.notify_outcome(s, qun, XUAN, error))
    assert await parts.queued_texts(XUAN) == [getattr(parts.container.config.texts, text).format(topic=qun.topic)]


@pytest.mark.parametrize(("reason", "text"), [("owner", "waiting_owner"), ("", "invited")])
async def test_invited_person_is_notified_how_to_join(open_parts: OpenParts, reason: str, text: str) -> None:
    parts = await open_parts(groups={"pending_days": 4})
    qun = await parts.group()
    now = parts.clock.now
    await parts.write(
        lambda s: put_membership(s, qun, now, name="", contact_id=XUAN, state=MemberState.INVITED, error=reason)
    )
    await parts.write(lambda s: parts.container.recorder._notices.notify_outcome(s, qun, XUAN, None))
    assert await parts.queued_texts(XUAN) == [
        getattr(parts.container.config.texts, text).format(topic=qun.topic, days=4)
    ]


async def test_refusal_is_stored_and_reported_with_its_reason(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK])
    qun = await parts.group()
    now = parts.clock.now
    row = await parts.write(
        lambda s: put_membership(
            s, qun, now, name="黑旋风", contact_id=XUAN, state=MemberState.INVITED, expires_at=now + DAY
        )
    )
    parts.clock.now += 5
    await parts.write(lambda s: parts.container.recorder.record_refusal(s, qun, row, "too late"))
    kept = await parts.membership(qun, XUAN)
    assert kept is not None
    assert (kept.state, kept.error, kept.expires_at, kept.updated_at) == ("refused", "too late", None, now + 5)
    event = (await parts.queued("hook"))[-1].body
    assert (event["type"], event["data"]["reason"], event["data"]["contact_id"]) == ("member.refused", "too late", XUAN)
