"""Rows of memberships: written, and assigned to people who become known under another id."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from models.groups import Membership, MembershipSource, MemberState, Qun
from services.groups.membership_rows import (
    STRANGER_SUFFIX,
    adopt_pending,
    earlier_ids,
    membership_of,
    move,
    put_membership,
    reassign_request,
)
from tests.services.parts import ACCOUNT, XUAN, Parts

DAY = 86400.0


async def put(
    parts: Parts, qun: Qun, contact_id: str | None, state: str = MemberState.WAITING_FRIEND, **values: Any
) -> int:
    fields = {"name": "黑旋风", "source": MembershipSource.MESSAGE, "expires_at": parts.clock.now + DAY, **values}
    row = await parts.write(
        lambda s: put_membership(s, qun, parts.clock.now, contact_id=contact_id, state=state, **fields)
    )
    assert row.id
    return row.id


async def rows(parts: Parts) -> dict[int, Membership]:
    """Those of 黑旋风, by id."""
    stored = await parts.read(lambda s: s.exec(select(Membership).where(Membership.name == "黑旋风")).all())
    return {row.id or 0: row for row in stored}


async def adopted(parts: Parts, *names: str, account: str = ACCOUNT) -> list[int]:
    """The ids of the rows that 黑旋风 is to be added by."""
    now = parts.clock.now
    found = await parts.write(lambda s: adopt_pending(s, account, XUAN, names, now))
    return [row.id or 0 for row in found]


# ---- writing ----


async def test_row_is_inserted_and_updated(parts: Parts) -> None:
    qun, began = await parts.group(), parts.clock.now
    number = await put(parts, qun, XUAN, error="busy", room_id="room")
    row = (await rows(parts))[number]
    assert (row.who, row.contact_id, row.account, row.number) == (XUAN, XUAN, ACCOUNT, qun.number)
    assert (row.state, row.error, row.room_id) == (MemberState.WAITING_FRIEND, "busy", "room")
    assert (row.created_at, row.updated_at, row.expires_at) == (began, began, began + DAY)
    parts.clock.now += 5
    later = await parts.write(
        lambda s: put_membership(s, qun, parts.clock.now, name="", contact_id=XUAN, state=MemberState.JOINED)
    )
    assert (later.id, later.name, later.state, later.error) == (number, "黑旋风", MemberState.JOINED, "")
    assert (later.created_at, later.updated_at, later.expires_at) == (began, began + 5, None)
    assert later.room_id == "room", "what is not given stays"


async def test_row_of_a_name_is_not_that_of_a_person(parts: Parts) -> None:
    first, second = await parts.group("1"), await parts.group("2")
    numbers = [await put(parts, first, None), await put(parts, first, XUAN), await put(parts, second, None)]
    assert len(set(numbers)) == 3
    row = await parts.read(lambda s: membership_of(s, first.number, "name:黑旋风"))
    assert row is not None and (row.id, row.contact_id) == (numbers[0], None)
    assert await parts.read(lambda s: membership_of(s, second.number, XUAN)) is None


async def test_row_is_moved_to_another_state(parts: Parts) -> None:
    qun = await parts.group()
    number = await put(parts, qun, XUAN)
    now = parts.clock.now

    await parts.write(lambda s: move(s, s.get_one(Membership, number), now + 1, MemberState.INVITED, "owner", now + 9))
    row = (await rows(parts))[number]
    assert (row.state, row.error, row.updated_at, row.expires_at) == (MemberState.INVITED, "owner", now + 1, now + 9)


# ---- new friends ----


@pytest.mark.parametrize(
    ("who", "state", "left", "is_adopted"),
    [
        (XUAN, MemberState.WAITING_FRIEND, 1.0, True),
        (None, MemberState.WAITING_FRIEND, 1.0, True),
        (None, MemberState.WAITING_FRIEND, 0.0, False),
        ("wxid_other", MemberState.WAITING_FRIEND, 1.0, False),
        (XUAN, MemberState.ADDING, 1.0, False),
        (f"v1{STRANGER_SUFFIX}", MemberState.ADDING, 1.0, True),
        (f"v1{STRANGER_SUFFIX}", MemberState.REQUESTED, 1.0, True),
        (f"v1{STRANGER_SUFFIX}", MemberState.INVITED, 1.0, False),
        (f"v1{STRANGER_SUFFIX}x", MemberState.ADDING, 1.0, False),
        (None, MemberState.INVITED, 1.0, False),
    ],
)
async def test_which_requests_a_new_friend_adopts(
    parts: Parts, who: str | None, state: str, left: float, is_adopted: bool
) -> None:
    qun = await parts.group()
    number = await put(parts, qun, who, state, expires_at=parts.clock.now + left)
    parts.clock.now += 0.5 if left else 0.0
    assert await adopted(parts, "name:黑旋风", f"v1{STRANGER_SUFFIX}", f"v1{STRANGER_SUFFIX}x") == (
        [number] if is_adopted else []
    )
    row = (await rows(parts))[number]
    if is_adopted:
        assert (row.who, row.contact_id, row.state, row.updated_at) == (
            XUAN, XUAN, MemberState.REQUESTED, parts.clock.now,
        )  # fmt: skip
    else:
        assert (row.contact_id, row.state) == (who, state)


async def test_requests_of_other_accounts_and_names_are_left_alone(parts: Parts) -> None:
    await put(parts, await parts.group(), None)
    assert await adopted(parts, "name:黑旋风", account="weimi1002") == []
    assert await adopted(parts, "name:九纹龙") == []


@pytest.mark.parametrize(
    ("source", "after"),
    [(MembershipSource.REST, MembershipSource.FRIEND), (MembershipSource.MESSAGE, MembershipSource.MESSAGE)],
)
async def test_caller_of_rest_no_longer_waits_for_a_new_friend(parts: Parts, source: str, after: str) -> None:
    number = await put(parts, await parts.group(), None, source=source)
    await adopted(parts, "name:黑旋风")
    assert (await rows(parts))[number].source == after


@pytest.mark.parametrize(
    ("state", "goes_on"),
    [
        (MemberState.JOINED, False),
        (MemberState.INVITED, False),
        (MemberState.ADDING, False),
        (MemberState.LEFT, True),
        (MemberState.REFUSED, True),
    ],
)
async def test_request_by_name_refers_to_the_persons_own_row(parts: Parts, state: str, goes_on: bool) -> None:
    qun = await parts.group()
    mine = await put(parts, qun, XUAN, state)
    by_name = await put(parts, qun, None)
    assert await adopted(parts, "name:黑旋风") == ([mine] if goes_on else [])
    after = await rows(parts)
    assert (after[mine].state, after[mine].who) == (MemberState.REQUESTED if goes_on else state, XUAN)
    assert (after[by_name].state, after[by_name].who) == (MemberState.EXPIRED, "name:黑旋风")
    assert after[by_name].contact_id == XUAN, "its id still leads to the membership"


async def test_two_requests_of_a_person_go_on_as_one(parts: Parts) -> None:
    qun, other = await parts.group("1"), await parts.group("2")
    mine, elsewhere = await put(parts, qun, XUAN), await put(parts, other, XUAN)
    await put(parts, qun, None)
    assert await adopted(parts, "name:黑旋风") == [mine, elsewhere]


@pytest.mark.parametrize(
    ("ids", "values", "found"),
    [
        (["xuan01"], {}, ["xuan01"]),
        (["other01"], {}, []),
        ([f"v1{STRANGER_SUFFIX}"], {}, [f"v1{STRANGER_SUFFIX}"]),
        ([f"v1{STRANGER_SUFFIX}", "xuan01"], {}, [f"v1{STRANGER_SUFFIX}", "xuan01"]),
        ([f"v1{STRANGER_SUFFIX}", f"v2{STRANGER_SUFFIX}"], {}, []),
        ([f"v1{STRANGER_SUFFIX}", f"v2{STRANGER_SUFFIX}", "xuan01"], {}, ["xuan01"]),
        ([f"v1{STRANGER_SUFFIX}"], {"name": "九纹龙"}, []),
        ([f"v1{STRANGER_SUFFIX}"], {"source": MembershipSource.REST}, []),
        ([f"v1{STRANGER_SUFFIX}"], {"state": MemberState.INVITED}, []),
        ([XUAN], {}, []),
    ],
)
async def test_earlier_ids_of_a_new_friend(
    parts: Parts, ids: list[str], values: dict[str, Any], found: list[str]
) -> None:
    qun = await parts.group()
    for contact_id in ids:
        await put(parts, qun, contact_id, **values)
    read = parts.read
    assert await read(lambda s: earlier_ids(s, ACCOUNT, XUAN, "xuan01", "黑旋风")) == set(found)
    assert await read(lambda s: earlier_ids(s, "weimi1002", XUAN, "xuan01", "黑旋风")) == set()


async def test_nameless_friend_has_no_temporary_id(parts: Parts) -> None:
    qun = await parts.group()
    await put(parts, qun, f"v1{STRANGER_SUFFIX}", name="")
    assert await parts.read(lambda s: earlier_ids(s, ACCOUNT, XUAN, "", "")) == set()


# ---- people who joined ----


@pytest.mark.parametrize(
    ("state", "called", "is_theirs"),
    [
        (MemberState.WAITING_FRIEND, ("", "黑旋风"), True),
        (MemberState.INVITED, ("黑旋风",), True),
        (MemberState.REQUESTED, ("黑旋风",), False),
        (MemberState.INVITED, (), False),
        (MemberState.INVITED, ("九纹龙",), False),
    ],
)
async def test_request_by_name_is_assigned_to_who_joined(
    parts: Parts, state: str, called: tuple[str, ...], is_theirs: bool
) -> None:
    qun, other = await parts.group("1"), await parts.group("2")
    numbers = [await put(parts, group, None, state) for group in (qun, other)]
    await parts.write(lambda s: reassign_request(s, qun.number, XUAN, *called))
    after = await rows(parts)
    assert [after[number].contact_id for number in numbers] == [XUAN if is_theirs else None, None]
    assert after[numbers[0]].who == (XUAN if is_theirs else "name:黑旋风")


async def test_request_named_by_the_id_is_assigned(parts: Parts) -> None:
    qun = await parts.group()
    await put(parts, qun, None, name=XUAN)
    await parts.write(lambda s: reassign_request(s, qun.number, XUAN))
    row = await parts.membership(qun, XUAN)
    assert row is not None and row.contact_id == XUAN
