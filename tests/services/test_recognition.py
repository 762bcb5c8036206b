"""Rooms that seem to be those of groups under new ids: proposed, confirmed or rejected."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from config.texts import fill
from errors import WeChatUnknown
from models.groups import Membership, MemberState, ProposalState, Qun, QunRoom, QunState, RoomProposal
from services.groups import recognition
from services.groups.recognition import GroupRecognition
from tests.doubles import SELF
from tests.services.parts import ACCOUNT, SONG, STAFF, XUAN, ZHI, OpenParts, Parts
from wechat.entities import Room

NEW = "new@chatroom"
NAMES = {"new_song": "宋公明", "new_zhi": "智多星", "new_xuan": "黑旋风"}


async def opened(open_parts: OpenParts, *members: str, **names: str) -> tuple[Parts, Qun]:
    """A group with 黑旋风 whose room WeChat shows only under another id, with other ids of its members."""
    parts = await open_parts(admins=[STAFF])
    qun = await parts.group()
    room_id = parts.room_id(qun)
    await parts.write(lambda s: parts.container.recorder.record_joins(s, qun, room_id, XUAN))
    parts.wechat.directory.drop_room(room_id)
    for contact_id, name in {**NAMES, **names}.items():
        parts.wechat.knows(contact_id, name)
    shows(parts, qun.topic, *(members or NAMES))
    return parts, qun


def shows(parts: Parts, topic: str, *members: str, room_id: str = NEW) -> None:
    parts.wechat.directory.put_room(Room(room_id, topic, "", (), {SELF, *members}))


def recogniser(parts: Parts) -> GroupRecognition:
    return parts.container.recognition


async def propose(parts: Parts) -> int:
    return await recogniser(parts).propose_rooms(ACCOUNT)


async def proposals(parts: Parts) -> list[RoomProposal]:
    return list(await parts.read(lambda s: s.exec(select(RoomProposal)).all()))


async def confirm(parts: Parts, account: str = ACCOUNT, number: int = 1) -> Qun | None:
    return await parts.write(lambda s: recogniser(parts).confirm(s, account, number))


async def memberships(parts: Parts) -> dict[str, tuple[str, str, str | None]]:
    """State, name and room by WeChat id."""
    rows = await parts.read(lambda s: s.exec(select(Membership)).all())
    return {row.who: (row.state, row.name, row.room_id) for row in rows}


# ---- proposals ----


async def test_room_is_proposed_to_the_admins_once(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts)
    assert await propose(parts) == 1
    (row,) = await proposals(parts)
    assert (row.account, row.room_id, row.owner_id, row.state) == (ACCOUNT, NEW, "new_song", ProposalState.WAITING)
    assert row.room == parts.container.groups.all_rooms(qun)[0].id
    text = fill(
        parts.container.config.texts.room_recognised,
        topic=qun.topic, number=qun.number, owner="宋公明", members=4, same=3, id=1,
    )  # fmt: skip
    assert await parts.queued_texts(STAFF) == [text]
    assert await propose(parts) == 0
    assert (await parts.queued_texts(STAFF), len(await proposals(parts))) == ([text], 1)
    (waiting,) = await parts.read(lambda s: recogniser(parts).waiting(s, ACCOUNT))
    assert (waiting[0].id, waiting[1].number) == (1, qun.number)
    assert await parts.read(lambda s: recogniser(parts).waiting(s, "weimi1002")) == []


async def test_proposal_without_a_reachable_admin_is_logged(
    open_parts: OpenParts, caplog: pytest.LogCaptureFixture
) -> None:
    parts, qun = await opened(open_parts)
    parts.wechat.directory.drop_contact(STAFF)
    assert await propose(parts) == 1
    assert await parts.queued_texts(STAFF) == []
    assert f"group {qun.number} has another WeChat id; an admin must send /认领 1" in caplog.text


@pytest.mark.parametrize(
    ("members", "is_proposed"),
    [
        (("new_song", "new_zhi"), True),  # two of three names
        (("new_song",), False),
        (("new_song", "wxid_a", "wxid_b"), False),
        (("new_zhi", "new_xuan"), False),  # without the owner
        (("new_song", "new_zhi", "wxid_namesake"), False),  # two that are called like the owner
    ],
)
async def test_names_of_the_members_must_agree(
    open_parts: OpenParts, members: tuple[str, ...], is_proposed: bool
) -> None:
    parts, _ = await opened(open_parts, *members, wxid_a="甲", wxid_b="乙", wxid_namesake="宋公明")
    assert await propose(parts) == is_proposed


async def test_half_of_the_names_are_enough(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, "new_song", "new_zhi")
    room_id = parts.container.groups.all_rooms(qun)[0].room_id or ""
    await parts.write(lambda s: parts.container.recorder.record_joins(s, qun, room_id, STAFF))
    assert await propose(parts) == 1


async def test_former_members_and_nameless_ones_do_not_count(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, "new_song")
    room_id = parts.container.groups.all_rooms(qun)[0].room_id or ""
    await parts.write(lambda s: parts.container.recorder.record_joins(s, qun, room_id, "wxid_nameless"))
    assert await propose(parts) == 0
    await parts.write(lambda s: parts.container.recorder.record_leave(s, qun, room_id, ZHI))
    assert await propose(parts) == 1, "one of two names"


async def test_group_without_known_members_is_not_recognised(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts)
    room_id = parts.container.groups.all_rooms(qun)[0].room_id or ""
    for who in (SONG, ZHI, XUAN):
        await parts.write(lambda s, who=who: parts.container.recorder.record_leave(s, qun, room_id, who))  # type: ignore[misc]
    assert await propose(parts) == 0


@pytest.mark.parametrize("state", [QunState.ACTIVE, QunState.LOST, QunState.CLOSED, QunState.MAKING])
async def test_rooms_of_closed_groups_are_not_looked_for(open_parts: OpenParts, state: QunState) -> None:
    parts, qun = await opened(open_parts)
    room = parts.container.groups.all_rooms(qun)[0]
    await parts.write(lambda s: parts.container.groups.patch_room(s, room, state=state))
    assert await propose(parts) == (state in (QunState.ACTIVE, QunState.LOST))


@pytest.mark.parametrize("topic", ["", "别的群"])
async def test_topic_must_agree(open_parts: OpenParts, topic: str) -> None:
    parts, qun = await opened(open_parts)
    parts.wechat.directory.drop_room(NEW)
    if not topic:
        room = parts.container.groups.all_rooms(qun)[0]
        await parts.write(lambda s: parts.container.groups.patch_room(s, room, topic=""))
    shows(parts, topic, *NAMES)
    assert await propose(parts) == 0


async def test_room_that_wechat_still_shows_is_not_missing(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts)
    shows(parts, qun.topic, SONG, ZHI, XUAN, room_id=parts.container.groups.all_rooms(qun)[0].room_id or "")
    assert await propose(parts) == 0


async def test_room_of_another_group_is_not_proposed(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts)
    room = QunRoom(number=qun.number, ordinal=2, account=ACCOUNT, room_id=NEW, topic="x", state=QunState.ACTIVE)
    await parts.write(lambda s: parts.container.groups.insert_room(s, room))
    assert await propose(parts) == 0


async def test_groups_of_other_accounts_are_not_proposed(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts)
    qun.account = "weimi1002"
    assert await propose(parts) == 0


async def test_two_similar_rooms_are_not_proposed(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts)
    shows(parts, qun.topic, *NAMES, room_id="twin@chatroom")
    assert await propose(parts) == 0


async def test_unknown_members_are_read(open_parts: OpenParts, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, _ = await opened(open_parts)
    monkeypatch.setattr(recognition, "MAX_READ", 2)
    for contact_id in NAMES:
        parts.wechat.directory.drop_contact(contact_id)
    asked: list[str] = []

    async def contact(contact_id: str, **_more: Any) -> Any:
        asked.append(contact_id)
        if contact_id == "new_song":
            raise WeChatUnknown("Contact")
        return parts.wechat.knows(contact_id, NAMES[contact_id])

    parts.wechat.contact = contact  # type: ignore[method-assign]
    assert await propose(parts) == 0, "the owner's name is still unknown"
    assert asked == ["new_song", "new_xuan"]
    parts.wechat.knows("new_song", "宋公明")
    assert await propose(parts) == 1
    assert asked == ["new_song", "new_xuan", "new_zhi"]


# ---- confirmation ----


async def test_confirmed_room_is_that_of_the_group(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, *NAMES, "new_li", new_li="李铁牛")
    joins = await parts.container.daily_stats.days(qun.number, 1)
    await propose(parts)
    said = len(await parts.queued())
    assert await confirm(parts, "weimi1002") is None
    assert await confirm(parts, number=2) is None
    adopted = await confirm(parts)
    assert adopted is not None
    assert (adopted.number, adopted.owner_id, adopted.state) == (qun.number, "new_song", QunState.ACTIVE)
    assert parts.room_id(qun) == NEW
    assert await memberships(parts) == {
        who: (MemberState.JOINED, name, NEW) for who, name in {**NAMES, "new_li": "李铁牛"}.items()
    }
    assert await parts.container.daily_stats.days(qun.number, 1) == joins
    assert len(await parts.queued()) == said, "nobody is welcomed"
    assert [row.state for row in await proposals(parts)] == [ProposalState.CONFIRMED]
    assert await confirm(parts) is None, "only once"
    assert await parts.read(lambda s: recogniser(parts).waiting(s, ACCOUNT)) == []


async def test_indistinguishable_members_get_new_rows(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts)
    await propose(parts)
    parts.wechat.knows("new_twin", "黑旋风")
    shows(parts, qun.topic, *NAMES, "new_twin")
    await confirm(parts)
    after = await memberships(parts)
    assert after[XUAN][0] == MemberState.LEFT
    assert {who: after[who][0] for who in ("new_song", "new_zhi", "new_xuan", "new_twin")} == dict.fromkeys(
        ("new_song", "new_zhi", "new_xuan", "new_twin"), MemberState.JOINED
    )
    assert SONG not in after and ZHI not in after


async def test_members_with_the_same_name_get_new_rows(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts)
    room_id = parts.container.groups.all_rooms(qun)[0].room_id or ""
    parts.wechat.knows("wxid_twin", "黑旋风")
    await parts.write(lambda s: parts.container.recorder.record_joins(s, qun, room_id, "wxid_twin"))
    await propose(parts)
    await confirm(parts)
    after = await memberships(parts)
    assert [after[who][0] for who in (XUAN, "wxid_twin", "new_xuan")] == ["left", "left", "joined"]


async def test_row_that_exists_under_the_new_id_is_kept(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts)
    await propose(parts)
    await parts.write(lambda s: parts.container.recorder.record_joins(s, qun, NEW, "new_xuan"))
    await confirm(parts)
    after = await memberships(parts)
    assert [after[who][0] for who in (XUAN, "new_xuan", "new_zhi")] == ["left", "joined", "joined"]


@pytest.mark.parametrize("change", ["gone", "back", "taken"])
async def test_proposal_that_no_longer_applies_is_not_confirmed(open_parts: OpenParts, change: str) -> None:
    parts, qun = await opened(open_parts)
    await propose(parts)
    if change == "gone":
        parts.wechat.directory.drop_room(NEW)
    elif change == "back":
        shows(parts, qun.topic, SONG, room_id=parts.container.groups.all_rooms(qun)[0].room_id or "")
    else:
        room = QunRoom(number=qun.number, ordinal=2, account=ACCOUNT, room_id=NEW, topic="x", state=QunState.ACTIVE)
        await parts.write(lambda s: parts.container.groups.insert_room(s, room))
    assert await confirm(parts) is None
    assert (await memberships(parts))[XUAN][0] == MemberState.JOINED
    assert [row.state for row in await proposals(parts)] == [ProposalState.CONFIRMED]


async def test_rejected_room_is_not_proposed_again(open_parts: OpenParts) -> None:
    parts, _ = await opened(open_parts)
    await propose(parts)
    reject = recogniser(parts).reject
    assert [await parts.write(lambda s, id=id: reject(s, ACCOUNT, id)) for id in (2, 1, 1)] == [  # type: ignore[misc]
        False, True, False,
    ]  # fmt: skip
    assert not await parts.write(lambda s: reject(s, "weimi1002", 1))
    assert [row.state for row in await proposals(parts)] == [ProposalState.REJECTED]
    assert await confirm(parts) is None
    assert await propose(parts) == 0
