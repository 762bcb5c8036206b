"""Warnings, the blacklist and removals by owners and admins; who is exempt from them."""

from __future__ import annotations

from typing import Any

import pytest

from config.texts import fill
from errors import InvalidParameter, NotSupported
from models.durable import Outcome
from models.groups import MemberRecord, Qun
from services.moderation.member_actions import MemberExempt
from services.moderation.member_records import warnings_in
from tests.doubles import SELF
from tests.services.moderated_groups import record
from tests.services.parts import SONG, STAFF, XUAN, ZHI, OpenParts, Parts
from tests.services.room_wechat import actions
from wechat.entities import Contact, Room
from wechat.interface import PUPPET, Capability

PERSON = Contact(XUAN, "黑旋风")


async def member(open_parts: OpenParts, **groups: Any) -> tuple[Parts, Qun]:
    """A group that 黑旋风 is in."""
    parts = await open_parts(groups=groups)
    qun = await parts.group()
    parts.members(qun).add(XUAN)
    return parts, qun


async def warn(parts: Parts, qun: Qun, **more: str) -> int:
    room_id, sanctions = parts.room_id(qun), parts.container.sanctions
    return await parts.write(lambda s: sanctions.warn(s, qun, room_id, XUAN, "黑旋风", "理由", "guard", **more))


async def removals(parts: Parts) -> list[tuple[str, dict[str, Any]]]:
    return [(job.key, job.body) for job in await parts.queued("remove")]


# ---- warnings ----


async def test_warnings_lead_to_the_removal(open_parts: OpenParts) -> None:
    parts, qun = await member(open_parts, warn_limit=3)
    texts, room_id = parts.container.config.texts, parts.room_id(qun)
    assert [await warn(parts, qun) for _ in range(2)] == [1, 2]
    said = [job for job in await parts.queued() if job.key == room_id]
    assert [job.body["text"] for job in said] == [
        fill(texts.warned, member="黑旋风", reason="理由", count=count, limit=3) for count in (1, 2)
    ]
    assert [job.body["mentions"] for job in said] == [[XUAN]] * 2
    assert await removals(parts) == []
    assert not (await record(parts, qun)).blacklisted
    parts.clock.now += 5
    assert await warn(parts, qun, rule="word") == 3
    assert len(await parts.queued_texts(room_id)) == 2
    assert await removals(parts) == [(XUAN, {"number": qun.number, "contact": XUAN, "reason": "理由", "who": "guard"})]
    kept = await record(parts, qun)
    assert (kept.warnings, kept.blacklisted, kept.name, kept.updated_at) == (3, True, "黑旋风", parts.clock.now)
    entries = await actions(parts, "warn")
    assert [(entry.who, entry.target, entry.outcome) for entry in entries] == [("guard", XUAN, Outcome.DONE)] * 3
    number = str(qun.number)
    assert entries[0].detail == {"number": number, "reason": "理由", "count": "1"}
    assert entries[2].detail == {"number": number, "reason": "理由", "count": "3", "rule": "word"}
    (entry,) = await actions(parts, "blacklist")
    assert (entry.who, entry.target, entry.detail) == ("guard", XUAN, {"number": number, "reason": "理由"})


async def test_first_warning_may_be_the_last(open_parts: OpenParts) -> None:
    parts, qun = await member(open_parts, warn_limit=1)
    assert await warn(parts, qun) == 1
    assert len(await removals(parts)) == 1


async def test_warnings_start_again_after_removal_from_the_blacklist(open_parts: OpenParts) -> None:
    parts, qun = await member(open_parts, warn_limit=2)
    container = parts.container
    await warn(parts, qun)
    await warn(parts, qun)
    await parts.write(lambda s: s.get_one(MemberRecord, (qun.number, XUAN)).sqlmodel_update({"removal_told": True}))
    assert [record.contact_id for record in await container.sanctions.blacklisted(qun)] == [XUAN]
    assert container.blacklist.holds(qun.number, XUAN)
    await parts.write(lambda s: container.member_actions.unblacklist(s, qun, XUAN, "person:x"))
    kept = await record(parts, qun)
    assert (kept.warnings, kept.blacklisted, kept.removal_told, kept.name) == (0, False, False, "黑旋风")
    assert not container.blacklist.holds(qun.number, XUAN)
    assert await container.sanctions.blacklisted(qun) == []
    (entry,) = await actions(parts, "forgive")
    assert (entry.who, entry.target, entry.outcome, entry.detail) == (
        "person:x", XUAN, Outcome.DONE, {"number": str(qun.number)},
    )  # fmt: skip
    assert await warn(parts, qun) == 1


async def test_blacklist_and_warnings_are_of_one_group(open_parts: OpenParts) -> None:
    parts, qun = await member(open_parts, warn_limit=5)
    other = await parts.group("2")
    await warn(parts, qun)
    await parts.write(lambda s: parts.container.sanctions.blacklist(s, other, STAFF, "店长", "理由", "x"))
    assert await parts.read(lambda s: warnings_in(s, qun.number, [XUAN, STAFF])) == {XUAN: 1}
    assert await parts.read(lambda s: warnings_in(s, other.number, [XUAN, STAFF])) == {}
    assert await parts.read(lambda s: warnings_in(s, qun.number, [STAFF])) == {}
    assert await parts.container.sanctions.blacklisted(qun) == []
    assert [record.contact_id for record in await parts.container.sanctions.blacklisted(other)] == [STAFF]


# ---- who is exempt ----


@pytest.mark.parametrize(
    ("who", "exempt"),
    [(XUAN, False), (SONG, True), (ZHI, True), (SELF, True), ("wxid_admin", True), ("wxid_second", True),
     ("wxid_room_admin", True), ("wxid_unknown", False)],
)  # fmt: skip
async def test_exempt_people(open_parts: OpenParts, who: str, exempt: bool) -> None:
    parts = await open_parts(groups={"companions": ["智多星", "九纹龙"]}, admins=["wxid_admin"])
    parts.wechat.knows("wxid_second", "九纹龙")
    parts.wechat.knows("wxid_stranger", "九纹龙", friend=False)
    qun = await parts.group()
    room = parts.wechat.directory.rooms[parts.room_id(qun)]
    room.member_ids |= {XUAN, "wxid_admin", "wxid_second", "wxid_room_admin"}
    room.admin_ids = ("wxid_room_admin",)
    assert parts.container.sanctions.is_exempt(qun, who) is exempt
    people = [Contact(who)]
    assert parts.container.member_actions.exempt(qun, people) == (people if exempt else [])


async def test_companion_with_a_namesake_is_not_exempt(open_parts: OpenParts) -> None:
    parts = await open_parts(groups={"companions": ["智多星", "九纹龙"]})
    for who in ("wxid_second", "wxid_third"):
        parts.wechat.knows(who, "九纹龙")
    qun = await parts.group()
    assert not parts.container.sanctions.is_exempt(qun, "wxid_second")


async def test_rights_follow_the_owner_and_admins_that_wechat_shows(parts: Parts) -> None:
    qun = await parts.group()
    room_id, people = parts.room_id(qun), (XUAN, STAFF, SONG)

    def exempt(owner_id: str, admin_ids: tuple[str, ...], *members: str) -> list[bool]:
        parts.wechat.directory.put_room(Room(room_id, qun.topic, owner_id, admin_ids, {SELF, ZHI, *members}))
        return [parts.container.sanctions.is_exempt(qun, who) for who in people]

    assert exempt(XUAN, (STAFF,), *people) == [True, True, False], "not who owned it before"
    assert exempt(XUAN, (), STAFF) == [True, False, False], "an owner who is in no room"
    assert exempt(SELF, (), XUAN, STAFF) == [False, False, True], "the assistant owns it for them"


# ---- actions of owners and admins ----


async def test_member_is_warned_where_they_are(open_parts: OpenParts) -> None:
    parts, qun = await member(open_parts)
    act = parts.container.member_actions
    assert await parts.write(lambda s: act.warn(s, qun, PERSON, "理由", "x", "elsewhere@chatroom")) == 1
    parts.members(qun).discard(XUAN)
    assert await parts.write(lambda s: act.warn(s, qun, PERSON, "理由", "x", "elsewhere@chatroom")) == 2
    with pytest.raises(InvalidParameter, match="not a member"):
        await parts.write(lambda s: act.warn(s, qun, PERSON, "理由", "x"))
    assert [job.key for job in await parts.queued()] == [parts.room_id(qun), "elsewhere@chatroom"]


async def test_exempt_people_are_left_alone(open_parts: OpenParts) -> None:
    parts, qun = await member(open_parts)
    act, owner = parts.container.member_actions, Contact(SONG, "宋公明")
    with pytest.raises(MemberExempt):
        await parts.write(lambda s: act.warn(s, qun, owner, "理由", "x"))
    with pytest.raises(MemberExempt):
        await parts.write(lambda s: act.blacklist(s, qun, owner, "理由", "x"))
    with pytest.raises(MemberExempt):
        await act.remove(qun, SONG, "x")
    with pytest.raises(MemberExempt):
        await act.ban(qun, owner, "理由", "x")
    assert await parts.container.sanctions.blacklisted(qun) == []
    assert SONG in parts.members(qun)


@pytest.mark.parametrize("missing", [Capability.ROOM_MESSAGES, Capability.REMOVE_MEMBER])
async def test_channel_may_not_support_sanctions(open_parts: OpenParts, missing: Capability) -> None:
    parts, qun = await member(open_parts)
    parts.wechat.capabilities = PUPPET - {missing}
    act = parts.container.member_actions
    if missing is Capability.ROOM_MESSAGES:
        with pytest.raises(NotSupported):
            await parts.write(lambda s: act.warn(s, qun, PERSON, "理由", "x"))
        await parts.write(lambda s: act.blacklist(s, qun, PERSON, "理由", "x"))
    else:
        with pytest.raises(NotSupported):
            await act.ban(qun, PERSON, "理由", "x")
        assert await parts.write(lambda s: act.warn(s, qun, PERSON, "理由", "x")) == 1


async def test_banned_person_is_removed_at_once(open_parts: OpenParts) -> None:
    parts, qun = await member(open_parts)
    await parts.container.member_actions.ban(qun, PERSON, "理由", "x")
    assert XUAN not in parts.members(qun)
    assert parts.container.blacklist.holds(qun.number, XUAN)
    assert (await record(parts, qun)).blacklisted
    assert [action.kind for action in await actions(parts, "blacklist", "remove")] == ["blacklist", "remove"]
    assert await removals(parts) == [], "they are gone already"


async def test_removed_person_may_join_again(open_parts: OpenParts) -> None:
    parts, qun = await member(open_parts)
    await parts.container.member_actions.remove(qun, XUAN, "x")
    assert XUAN not in parts.members(qun)
    assert not parts.container.blacklist.holds(qun.number, XUAN)
