"""What is read after a login, what is reported as found, and when rooms are read again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from errors import WeChatOffline, WeChatRefused
from protocol import CALLS
from protocol import puppet_pb2 as pb
from tests.waiting import SECONDS
from tests.wechat.scripted_wire import ME, ROOM, SONG, ScriptedAccount, contacts, lists, room
from wechat import directory_sync
from wechat.directory_sync import DirectorySync
from wechat.entities import Contact

REFUSED, OFFLINE = WeChatRefused("x", "no"), WeChatOffline("x", "gone")


@pytest.fixture
def sync(account: ScriptedAccount) -> DirectorySync:
    return account.assistant._sync


def read(account: ScriptedAccount) -> list[str]:
    """The ids of the contacts that were read."""
    return [request.id for name, request in account.wire.asked if name == "ContactPayload"]


# ---- new entries ----


async def test_first_list_is_read_without_reporting_anything(account: ScriptedAccount, sync: DirectorySync) -> None:
    account.directory.clear()
    account.directory.owner_id = ME
    lists(account, [SONG, "b"], [ROOM])
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江", friend=True), Contact("b", "李逵"))
    account.answers["RoomPayload"] = room(ME, SONG)
    await sync.read_new()
    assert set(read(account)) == {SONG, "b", ME}, "the account itself need not be listed"
    assert account.directory.unread == set()
    assert ROOM in account.directory.rooms
    assert (sync.unreported, sync.unread) == (set(), 0)
    assert "DirtyPayload" not in account.wire.names


async def test_contact_that_was_listed_first_and_is_read_later_is_not_new(
    account: ScriptedAccount, sync: DirectorySync
) -> None:
    directory: Any = account.directory
    directory.unread = None
    lists(account, [SONG])
    account.answers["ContactPayload"] = REFUSED
    await sync.read_new()
    assert (directory.unread, sync.unread) == ({SONG}, 1)
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江", friend=True))
    await sync.read_new()
    assert (directory.unread, sync.unread, sync.unreported) == (set(), 0, set())


async def test_new_friends_and_groups_are_found(account: ScriptedAccount, sync: DirectorySync) -> None:
    account.knows(Contact("old", "旧友", friend=True))
    lists(account, ["old", SONG, "b", ME], [ROOM])
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江", friend=True), Contact("b", "李逵"))
    account.answers["RoomPayload"] = room(ME, SONG)
    await sync.read_new()
    assert read(account) == [SONG, "b"], "friends and the account itself are known"
    assert sync.unreported == {SONG, ROOM}


async def test_known_stranger_is_read_past_the_cache(account: ScriptedAccount, sync: DirectorySync) -> None:
    account.knows(Contact(SONG, "宋江"))
    lists(account, [SONG, "b"])
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江", friend=True), Contact("b", friend=True))
    await sync.read_new()
    assert [request.id for name, request in account.wire.asked if name == "DirtyPayload"] == [SONG]
    assert sync.unreported == {SONG, "b"}


@pytest.mark.parametrize(("strangers", "fresh"), [(2, True), (3, False)])
async def test_many_strangers_are_read_from_the_cache(
    account: ScriptedAccount, sync: DirectorySync, monkeypatch: pytest.MonkeyPatch, strangers: int, fresh: bool
) -> None:
    """A gateway that never reports friends would otherwise cause a read of everybody."""
    assert directory_sync.MAX_UNCACHED_READS == 50
    monkeypatch.setattr(directory_sync, "MAX_UNCACHED_READS", 2)
    people = [Contact(f"p{number}", "某人") for number in range(strangers)]
    account.knows(*people)
    lists(account, [contact.id for contact in people])
    account.answers["ContactPayload"] = contacts(*people)
    await sync.read_new()
    assert ("DirtyPayload" in account.wire.names) is fresh


async def test_everybody_listed_is_a_friend_if_the_gateway_reports_none(
    account: ScriptedAccount, sync: DirectorySync
) -> None:
    account.directory.unread = {"old"}
    lists(account, [SONG, "old", "gh_1"])
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江"), Contact("old", "旧友"))
    await sync.read_new()
    assert account.directory.contacts[SONG].friend
    assert account.directory.contacts["old"].friend
    assert not account.directory.contacts["gh_1"].friend
    assert sync.unreported == {SONG}, "the other was on the first list"


async def test_unreadable_entries_are_counted(account: ScriptedAccount, sync: DirectorySync) -> None:
    lists(account, [SONG, "b"], [ROOM, "2@chatroom"])
    account.answers |= {"ContactPayload": REFUSED, "RoomPayload": REFUSED}
    await sync.read_new()
    assert sync.unread == 4
    account.answers["RoomPayload"] = room(ME)
    assert await sync.read_new_rooms() == [ROOM, "2@chatroom"]
    assert sync.unread == 0


async def test_lists_are_read_at_the_third_attempt(account: ScriptedAccount, sync: DirectorySync) -> None:
    lists(account, [])
    account.answers["ContactList"] = [REFUSED, REFUSED, CALLS["ContactList"].response(ids=[])]
    account.answers["RoomList"] = [REFUSED, REFUSED, REFUSED]
    with pytest.raises(WeChatRefused):
        await sync.read_new()


# ---- known entries ----


async def test_known_entries_that_changed_are_found(account: ScriptedAccount, sync: DirectorySync) -> None:
    account.joins(SONG)
    account.joins(SONG, room_id="2@chatroom")
    account.knows(Contact("b", "李逵"), Contact("c", "吴用", friend=True), Contact("d", "武松"))
    account.answers["RoomPayload"] = lambda request: (
        room(ME, SONG, "new") if request.id == ROOM else room(ME, SONG, room_id="2@chatroom")
    )
    account.answers["ContactPayload"] = contacts(
        Contact("b", "李逵", friend=True), Contact("c", "吴用", friend=True), Contact("d", "武松")
    )
    await sync.read_again([ROOM, "2@chatroom"], ["b", "c", "d", "e"])
    assert sync.unreported == {ROOM, "b"}
    contacts_read = account.wire.names[account.wire.names.index("ContactPayload") :]
    assert set(contacts_read) == {"ContactPayload"}, "contacts are read from the cache"


async def test_contact_that_is_unknown_meanwhile_may_be_a_new_friend(
    account: ScriptedAccount, sync: DirectorySync
) -> None:
    account.answers["ContactPayload"] = contacts(Contact("b", "李逵", friend=True))
    await sync.read_again([], ["b"])
    assert sync.unreported == {"b"}


async def test_unreadable_known_entries_are_skipped(account: ScriptedAccount, sync: DirectorySync) -> None:
    account.joins(SONG)
    account.answers["RoomList"] = CALLS["RoomList"].response(ids=[ROOM])
    account.answers["RoomPayload"] = REFUSED
    account.answers["ContactPayload"] = lambda request: (
        REFUSED if request.id == "b" else pb.ContactPayloadResponse(name="吴用", friend=True)
    )
    await sync.read_again([ROOM], ["b", "c"])
    assert sync.unreported == {"c"}
    assert ROOM in account.directory.rooms
    for call in ("ContactPayload", "RoomPayload"):
        account.answers[call] = OFFLINE
        with pytest.raises(WeChatOffline):
            await sync.read_again([ROOM] if call == "RoomPayload" else [], ["b"])


async def test_reads_in_the_background_are_spread(
    account: ScriptedAccount, sync: DirectorySync, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    account.joins(SONG)
    account.answers["RoomPayload"] = room(ME, SONG)
    monkeypatch.setattr("wechat.directory_sync.asyncio.sleep", sleep)
    sync._pause = 2.0
    await sync.read_again([ROOM], ["b"])
    assert pauses == [2.0, 0.2]


async def test_group_is_lost_when_it_is_unreadable_and_three_lists_lack_it(
    account: ScriptedAccount, sync: DirectorySync
) -> None:
    account.directory.absences.confirm_interval = timedelta(0)
    account.joins(SONG)
    lists(account, [])
    account.answers["RoomPayload"] = REFUSED
    changed = []
    for _ in range(3):
        await sync.read_again([ROOM], [])
        changed.append(ROOM in sync.unreported)
    assert changed == [False, False, True]
    assert ROOM not in account.directory.rooms


# ---- doubtful absences ----


async def test_room_is_read_again_until_its_change_is_certain(account: ScriptedAccount, sync: DirectorySync) -> None:
    account.directory.absences.confirm_interval = timedelta(0)
    account.joins(SONG)
    account.answers["RoomPayload"] = room(ME)
    await sync._reader.read_room(ROOM)
    assert SONG in account.directory.rooms[ROOM].member_ids
    await asyncio.wait_for(sync.recheck_rooms(), SECONDS)
    assert sync.unreported == {ROOM}
    assert account.directory.rooms[ROOM].member_ids == {ME}


async def test_recheck_waits_until_an_absence_is_due(
    account: ScriptedAccount, sync: DirectorySync, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.joins(SONG)
    account.answers["RoomPayload"] = room(ME)
    pauses: list[float] = []
    rechecking = asyncio.create_task(sync.recheck_rooms())
    await asyncio.sleep(0)
    assert account.wire.asked == []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        account.directory.absences.confirm_interval = timedelta(0)

    monkeypatch.setattr("wechat.directory_sync.asyncio.sleep", sleep)
    account.directory.absences.record_missing(ROOM, [SONG], datetime.now(UTC), ME)
    await asyncio.wait_for(rechecking, SECONDS)
    assert len(pauses) == 1
    assert 3000 < pauses[0] <= 3600
    assert sync.unreported == {ROOM}


async def test_unchanged_room_is_looked_at_later(account: ScriptedAccount, sync: DirectorySync) -> None:
    account.joins(SONG)
    account.answers["RoomPayload"] = room(ME)
    begun = datetime.now(UTC)
    account.directory.absences.record_missing(ROOM, [SONG], begun - timedelta(hours=2), ME)
    account.directory.absences.record_missing("2@chatroom", ["x"], begun - timedelta(hours=3), ME)

    def answer(request: Any) -> Any:
        return REFUSED if request.id == "2@chatroom" else room(ME)

    account.answers |= {"RoomPayload": answer, "RoomList": CALLS["RoomList"].response(ids=["2@chatroom"])}
    await asyncio.wait_for(sync.recheck_rooms(), SECONDS)
    assert sync.unreported == {ROOM}
    due = account.directory.absences.next()
    assert due is not None
    assert due[0] == "2@chatroom"
    assert due[1] > begun + timedelta(minutes=30), "the unreadable one was tried first, and is tried again later"
