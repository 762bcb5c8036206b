"""Groups in memory: looking them up, counting, owners, lists, daily numbers, the blacklist."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import select

from errors import InvalidParameter, MemberBlacklisted, NotFound, WeChatUnknown
from models.groups import MemberRecord, Qun, QunRoom, QunState
from services.groups import group_owners
from services.groups.daily_stats import DayStats
from services.groups.group_counts import counts_of
from services.groups.group_rows import active_rooms, every_group, named_group
from services.groups.lists import QunFilter, list_quns
from services.paging import PageRequest
from tests.doubles import SELF
from tests.services.parts import ACCOUNT, SONG, XUAN, ZHI, OpenParts, Parts
from tests.services.room_wechat import open_rooms
from wechat.interface import PUPPET, Capability

# ---- looking up ----


async def test_group_is_named_by_number_or_code(parts: Parts) -> None:
    groups = parts.container.groups
    first, second = await parts.group("甲"), await parts.group("100001")
    assert [groups.named(name) for name in (100001, "甲", 7, "7", "²", "无")] == [
        groups.by_number(first.number), groups.by_code("甲"), None, None, None, None,
    ]  # fmt: skip
    named = groups.named("100002")
    assert named is not None and named.code == second.code
    with pytest.raises(InvalidParameter):
        groups.named("100001")
    await parts.group("100003")
    third = groups.named("100003")
    assert third is not None and third.number == 100003, "its code is its own number"


async def test_dropped_groups_are_forgotten_and_loaded_again(parts: Parts) -> None:
    groups = parts.container.groups
    qun = await parts.group()
    room_id = parts.room_id(qun)
    assert groups.drop("weimi1002") == []
    for loads in (None, [ACCOUNT]):
        assert groups.drop(ACCOUNT) == [qun.number]
        assert [groups.by_number(qun.number), groups.by_code("1"), groups.by_token(qun.token)] == [None] * 3
        assert [groups.by_public_id(qun.public_id), groups.by_room(ACCOUNT, room_id)] == [None] * 2
        assert (list(groups), groups.all_rooms(qun)) == ([], [])
        await groups.load(["weimi1002"])
        assert list(groups) == []
        await groups.load(loads)
        assert groups.by_room(ACCOUNT, room_id) is groups.by_number(qun.number) is groups.by_code("1") is not None
    assert [room.room_id for room in groups.all_rooms(qun)] == [room_id]


async def test_active_rooms_of_a_group(parts: Parts) -> None:
    groups = parts.container.groups
    qun = await parts.group()
    await parts.container.group_lifecycle.open_next_room(qun, "test")
    first, second = (room.room_id or "" for room in groups.rooms(qun))
    await parts.write(lambda s: groups.patch_room(s, groups.all_rooms(qun)[0], state=QunState.LOST))
    assert [room.room_id for room in groups.rooms(qun)] == [second]
    assert len(groups.all_rooms(qun)) == 2
    assert [groups.is_active(ACCOUNT, room_id) for room_id in (first, second, "x")] == [False, True, False]
    parts.wechat.directory.drop_room(second)
    assert groups.wechat_rooms(qun) == []


async def test_token_expires_at_its_time(parts: Parts) -> None:
    groups, now = parts.container.groups, parts.clock.now
    qun = await parts.group()
    for at, expired in ((None, False), (now, True), (now + 1, False), (now - 1, True)):
        changed = await groups.change(qun.number, token_expires_at=at)
        assert groups.token_expired(changed) is expired


async def test_changes_of_tokens_and_closed_rooms_are_followed(parts: Parts) -> None:
    groups = parts.container.groups
    qun = await parts.group()
    room_id, before = parts.room_id(qun), qun.token
    for token in ("other", "other"):
        changed = await groups.change(qun.number, token=token)
        assert (groups.by_token(before), groups.by_token("other")) == (None, changed)
    await parts.write(lambda s: groups.patch_room(s, groups.all_rooms(qun)[0], state=QunState.CLOSED))
    assert groups.by_room(ACCOUNT, room_id) is None
    assert not groups.is_active(ACCOUNT, room_id)


async def test_groups_of_other_processes_are_not_kept(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    groups, qun = parts.container.groups, await parts.group()
    groups.drop(ACCOUNT)
    monkeypatch.setattr(parts.container.accounts, "holds", lambda account: account != ACCOUNT)
    await groups.load()
    assert (list(groups), groups.all_rooms(qun)) == ([], [])


async def test_room_with_a_new_id_replaces_the_old_one(parts: Parts) -> None:
    groups = parts.container.groups
    qun = await parts.group()
    old = parts.room_id(qun)
    room: QunRoom = groups.all_rooms(qun)[0]
    await parts.write(lambda s: groups.patch_room(s, room, room_id="new@chatroom"))
    assert groups.by_room(ACCOUNT, old) is None
    assert groups.by_room(ACCOUNT, "new@chatroom") is not None


async def test_stored_groups_of_every_account_are_found(parts: Parts) -> None:
    """Also those of accounts that this process does not serve."""
    first, second = await parts.group("甲"), await parts.group("100001")
    await parts.container.group_lifecycle.open_next_room(first, "test")
    rooms = [room.room_id for room in parts.container.groups.rooms(first)]
    parts.container.groups.drop(ACCOUNT)

    async def named(name: str | int) -> int:
        return (await parts.read(lambda s: named_group(s, name))).number

    assert [qun.number for qun in await parts.read(every_group)] == [first.number, second.number]
    assert [await named(name) for name in ("甲", 100001, 100002, "100002")] == [100001, 100001, 100002, 100002]
    for name in ("无", "7", 7, 0, -100001, "²", "-100001", 2**64, str(2**64)):
        with pytest.raises(NotFound, match=f"group {name}"):
            await named(name)
    with pytest.raises(InvalidParameter):
        await named("100001")
    await parts.write(lambda s: s.get_one(Qun, second.number).sqlmodel_update({"code": "乙"}))
    await parts.write(lambda s: s.get_one(Qun, first.number).sqlmodel_update({"code": "100001"}))
    assert await named("100001") == 100001, "its code is its own number"
    assert await parts.read(lambda s: active_rooms(s, first)) == rooms
    query = select(QunRoom).where(QunRoom.room_id == rooms[0])
    await parts.write(lambda s: s.exec(query).one().sqlmodel_update({"state": QunState.LOST}))
    assert await parts.read(lambda s: active_rooms(s, first)) == rooms[1:]


# ---- counting and owners ----


async def test_members_of_all_rooms_are_counted_once(open_parts: OpenParts) -> None:
    parts = await open_parts(groups={"capacity": 9})
    qun, container = await parts.group(), parts.container
    assert counts_of(container.groups, container.config, qun) == (3, 9)
    second = (await container.group_lifecycle.open_next_room(qun, "test")).room_id or ""
    parts.wechat.directory.rooms[second].member_ids.add(XUAN)
    assert counts_of(container.groups, container.config, qun) == (4, 18)
    parts.wechat.capabilities = PUPPET | {Capability.JOIN_BY_CODE}
    assert container.groups.member_count(qun) == 3, "the assistant is no member there"
    for room in container.groups.rooms(qun):
        parts.wechat.directory.drop_room(room.room_id or "")
    assert container.groups.member_count(qun) == 0
    prepared = await container.group_lifecycle.prepare("2", "宋公明", ACCOUNT)
    assert counts_of(container.groups, container.config, prepared) == (0, 9)


@pytest.mark.parametrize(("shown", "owner"), [("", SONG), (SELF, SONG), (XUAN, XUAN)])
async def test_owner_shown_by_wechat_counts(parts: Parts, shown: str, owner: str) -> None:
    groups, qun = parts.container.groups, await parts.group()
    parts.wechat.directory.rooms[parts.room_id(qun)].owner_id = shown
    assert (groups.owners(qun), groups.owner_to_notify(qun)) == ((owner,), owner)
    owns = parts.container.group_owners.owns
    assert [await owns(qun, parts.room_id(qun), who) for who in (owner, ZHI)] == [True, False]
    assert await parts.container.group_owners.owns_any(ACCOUNT, owner)
    assert not await parts.container.group_owners.owns_any(ACCOUNT, ZHI)
    assert not await parts.container.group_owners.owns_any("weimi1002", owner)
    parts.wechat.directory.unfriend(XUAN)
    assert groups.owner_to_notify(qun) == SONG


async def test_owner_without_a_room(parts: Parts) -> None:
    qun, other = await parts.group(), await parts.group("2")
    await parts.container.groups.change(other.number, state=QunState.LOST)
    room_id = parts.room_id(qun)
    parts.wechat.directory.drop_room(room_id)
    parts.wechat.fails["room"] = WeChatUnknown("Room")
    owners = parts.container.group_owners
    assert [await owners.owns(qun, room_id, who) for who in (SONG, ZHI)] == [True, False]
    assert [await owners.owns_any(ACCOUNT, who) for who in (SONG, ZHI)] == [True, False]
    await parts.container.groups.change(qun.number, state=QunState.LOST)
    assert not await owners.owns_any(ACCOUNT, SONG)
    await parts.container.groups.change(other.number, state=QunState.ACTIVE)
    assert await owners.owns_any(ACCOUNT, SONG), "the other group"


@pytest.mark.parametrize(("age", "reads"), [(None, 1), (60, 1), (-60, 1), (2.5, 1), (0, 0)])
async def test_owner_is_read_again_after_two_seconds(
    open_parts: OpenParts, monkeypatch: pytest.MonkeyPatch, age: float | None, reads: int
) -> None:
    """Ages in hours instead of seconds, for slow machines."""
    assert timedelta(seconds=2) == group_owners.OWNER_MAX_AGE
    monkeypatch.setattr(group_owners, "OWNER_MAX_AGE", timedelta(hours=2))
    parts, wechat = await open_rooms(open_parts)
    qun = await parts.group()
    room_id = parts.room_id(qun)
    if age is not None:
        wechat.directory._read[room_id] = datetime.now(UTC) - timedelta(hours=age)
    wechat.fresh.clear()
    assert await parts.container.group_owners.owns(qun, room_id, SONG)
    assert wechat.fresh == [True] * reads


async def test_owner_who_transferred_the_group_has_no_rights(open_parts: OpenParts) -> None:
    """Only reading the room again shows it."""
    parts, wechat = await open_rooms(open_parts)
    room = wechat.directory.rooms[parts.room_id(await parts.group())]
    wechat.during["room"] = lambda: setattr(room, "owner_id", XUAN)
    assert not await parts.container.group_owners.owns_any(ACCOUNT, SONG)
    assert await parts.container.group_owners.owns_any(ACCOUNT, XUAN)


# ---- lists ----


async def test_groups_are_listed(parts: Parts) -> None:
    quns = [await parts.group(code) for code in ("甲1", "乙_2", "丙3")]
    await parts.container.groups.change(quns[0].number, state=QunState.LOST, owner="别名")
    await parts.write(lambda s: parts.container.closing.tag(s, quns[1].number, ["vip"]))

    async def listed(**criteria: object) -> list[str]:
        page = await parts.read(lambda s: list_quns(s, QunFilter(**criteria), PageRequest(10)))  # type: ignore[arg-type]
        return [qun.code for qun in page.rows]

    assert await listed() == ["丙3", "乙_2", "甲1"]
    assert await listed(account=ACCOUNT, q="3") == ["丙3"]
    assert await listed(account="x") == []
    assert await listed(state=QunState.LOST) == ["甲1"]
    assert await listed(owner="别名") == ["甲1"]
    assert await listed(owner=SONG) == ["丙3", "乙_2", "甲1"]
    assert await listed(tag="vip") == ["乙_2"]
    assert await listed(q="_") == ["乙_2"], "it is no placeholder"
    assert await listed(q="群100003") == ["丙3"]


# ---- daily numbers ----


async def test_days_are_counted_in_the_time_zone(open_parts: OpenParts) -> None:
    parts = await open_parts(timezone="Asia/Shanghai")
    qun, stats = await parts.group(), parts.container.daily_stats
    parts.clock.now = datetime(2027, 3, 1, 15, 59, tzinfo=UTC).timestamp()
    await parts.write(lambda s: stats.count(s, qun.number, joins=2))
    await parts.write(lambda s: stats.count(s, qun.number, joins=1, leaves=3))
    parts.clock.now += 60
    for _ in range(2):
        stats.count_message(qun.number)
    stats.count_message(7)
    await stats.drain()
    assert await stats.days(qun.number, 3) == [
        DayStats("2027-02-28", 0, 0, 0), DayStats("2027-03-01", 3, 3, 0), DayStats("2027-03-02", 0, 0, 2),
    ]  # fmt: skip
    assert await stats.days(qun.number, 1, date(2027, 3, 1)) == [DayStats("2027-03-01", 3, 3, 0)]


# ---- the blacklist ----


async def test_blacklist_is_loaded_by_account(parts: Parts) -> None:
    blacklist = parts.container.blacklist
    qun, other = await parts.group("1"), await parts.group("2")
    rows = [
        MemberRecord(number=qun.number, contact_id=XUAN, blacklisted=True),
        MemberRecord(number=qun.number, contact_id=ZHI, blacklisted=False),
        MemberRecord(number=other.number, contact_id=XUAN, blacklisted=True),
    ]
    await parts.write(lambda s: s.add_all(rows))
    await blacklist.load(["weimi1002"])
    assert not blacklist.holds(qun.number, XUAN)
    await blacklist.load([ACCOUNT])
    assert [blacklist.holds(qun.number, who) for who in (XUAN, ZHI)] == [True, False]
    with pytest.raises(MemberBlacklisted):
        blacklist.raise_if_listed(qun, XUAN)
    blacklist.raise_if_listed(qun, ZHI)
    blacklist.drop([other.number])
    assert [blacklist.holds(number, XUAN) for number in (qun.number, other.number)] == [True, False]
    await blacklist.load()
    assert blacklist.holds(other.number, XUAN)

    def fails(session: object) -> None:
        blacklist.update_after_commit(session, qun.number, XUAN, is_listed=False)  # type: ignore[arg-type]
        raise ValueError

    with pytest.raises(ValueError):
        await parts.write(fails)
    assert blacklist.holds(qun.number, XUAN)
