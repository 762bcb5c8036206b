"""Reading contacts and groups: retries, sharing, caches, and what ends up in the directory."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from errors import WeChatError, WeChatOffline, WeChatRefused, WeChatTooFast, WeChatUnknown
from protocol import puppet_pb2 as pb
from tests.wechat.scripted_wire import ME, ROOM, SONG, ScriptedAccount, contacts, room
from wechat import directory_reader
from wechat.directory_reader import DirectoryReader, contact_of, is_official, is_transient, with_retries
from wechat.entities import Contact, Room

LOST, REFUSED = WeChatUnknown("ContactPayload", "timeout"), WeChatRefused("ContactPayload", "no")


@pytest.fixture
def reader(account: ScriptedAccount) -> DirectoryReader:
    return account.assistant._reader


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1.0]
    monkeypatch.setattr(directory_reader, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


# ---- retries ----


@pytest.mark.parametrize(
    ("error", "transient"),
    [(LOST, True), (REFUSED, True), (WeChatTooFast("x"), False), (WeChatOffline("x"), False), (OSError(), False)],
)
def test_lost_and_refused_reads_are_transient(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient


@pytest.mark.parametrize("failures", [0, 1, 2])
async def test_read_succeeds_at_the_third_attempt(
    account: ScriptedAccount, reader: DirectoryReader, failures: int
) -> None:
    account.answers["ContactPayload"] = [*[LOST] * failures, pb.ContactPayloadResponse(name="宋江")]
    assert (await with_retries(lambda: reader.read_contact(SONG))).name == "宋江"


async def test_third_failure_is_raised(account: ScriptedAccount, reader: DirectoryReader) -> None:
    account.answers["ContactPayload"] = [LOST, LOST, REFUSED, pb.ContactPayloadResponse(name="宋江")]
    with pytest.raises(WeChatRefused):
        await with_retries(lambda: reader.read_contact(SONG))
    assert len(account.wire.asked) == 3


@pytest.mark.parametrize("error", [WeChatTooFast("x"), WeChatOffline("x")])
async def test_other_errors_are_not_retried(
    account: ScriptedAccount, reader: DirectoryReader, error: WeChatError
) -> None:
    account.answers["ContactPayload"] = error
    with pytest.raises(type(error)):
        await with_retries(lambda: reader.read_contact(SONG))
    assert len(account.wire.asked) == 1


# ---- contacts ----


async def test_unknown_contact_is_read_once_for_all_callers(account: ScriptedAccount, reader: DirectoryReader) -> None:
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江", "公明", "jishiyu", True))
    found = await asyncio.gather(*(reader.contact(SONG) for _ in range(3)))
    assert found == [Contact(SONG, "宋江", "公明", "jishiyu", True)] * 3
    assert await reader.contact(SONG) is account.directory.contacts[SONG]
    assert account.wire.asked == [("ContactPayload", pb.Id(id=SONG))]


async def test_nameless_contact_is_read_again_every_two_seconds(
    account: ScriptedAccount, reader: DirectoryReader, now: list[float]
) -> None:
    account.knows(Contact(SONG))
    assert (await reader.contact(SONG)).name == ""
    assert account.wire.names == ["DirtyPayload", "ContactPayload"]
    now[0] += 1.9
    await reader.contact(SONG)
    assert len(account.wire.asked) == 2
    now[0] += 0.1
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江"))
    assert (await reader.contact(SONG)).name == "宋江"


async def test_nameless_contact_that_cannot_be_read_stays_nameless(
    account: ScriptedAccount, reader: DirectoryReader, now: list[float]
) -> None:
    account.knows(Contact(SONG))
    account.answers["ContactPayload"] = REFUSED
    assert await reader.contact(SONG) == Contact(SONG)
    now[0] += 2
    account.answers["ContactPayload"] = WeChatOffline("ContactPayload")
    with pytest.raises(WeChatOffline):
        await reader.contact(SONG)


async def test_list_of_nameless_people_is_bounded(
    account: ScriptedAccount, reader: DirectoryReader, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_reader, "MAX_REREAD", 2)
    for id in ("a", "b", "c"):
        account.knows(Contact(id))
        await reader.contact(id)
    assert set(reader._reread_at) == {"c"}


async def test_fresh_read_drops_the_gateways_cache_first(account: ScriptedAccount, reader: DirectoryReader) -> None:
    await reader.read_contact(SONG)
    await reader.read_contact(SONG, fresh=True)
    assert account.wire.names == ["ContactPayload", "DirtyPayload", "ContactPayload"]
    assert account.wire.asked[1][1] == pb.DirtyPayloadRequest(type=pb.DIRTY_CONTACT, id=SONG)


async def test_gateway_without_a_cache_may_refuse_to_drop_it(account: ScriptedAccount, reader: DirectoryReader) -> None:
    account.answers["DirtyPayload"] = WeChatRefused("DirtyPayload", "UNIMPLEMENTED")
    assert (await reader.read_contact(SONG, fresh=True)).id == SONG
    account.answers["DirtyPayload"] = LOST
    with pytest.raises(WeChatUnknown):
        await reader.read_contact(SONG, fresh=True)


@pytest.mark.parametrize(
    ("id", "type", "official"),
    [("wxid_a", 1, False), ("wxid_a", 2, True), ("wxid_a", 3, False), ("gh_a", 1, True), ("weixin", 1, True)],
)
def test_official_accounts_are_recognised(id: str, type: int, official: bool) -> None:
    payload = pb.ContactPayloadResponse(name="a\nb", alias="c\td", weixin="w", friend=True, avatar="u", type=type)
    assert contact_of(id, payload) == Contact(id, "a b", "c d", "w", True, official, "u")


def test_official_accounts_are_recognised_by_id() -> None:
    assert is_official("gh_1")
    assert is_official("filehelper")
    assert not is_official("wxid_gh_1")


# ---- groups ----


async def test_unknown_group_is_read(account: ScriptedAccount, reader: DirectoryReader) -> None:
    account.answers["RoomPayload"] = [LOST, room(ME, SONG, topic="梁\n山")]
    read = await reader.room(ROOM)
    assert read == Room(ROOM, "梁 山", SONG, (), {ME, SONG})
    assert await reader.room(ROOM) == read
    assert account.wire.names == ["RoomPayload", "RoomPayload"]


async def test_members_are_read_separately_where_the_payload_has_none(
    account: ScriptedAccount, reader: DirectoryReader
) -> None:
    account.answers["RoomPayload"] = room()
    account.answers["RoomMemberList"] = pb.RoomMemberListResponse(member_ids=[ME, "b"])
    assert (await reader.read_room(ROOM)).member_ids == {ME, "b"}
    assert account.wire.names == ["RoomPayload", "RoomMemberList"]


async def test_fresh_read_of_a_group_drops_its_members_too(account: ScriptedAccount, reader: DirectoryReader) -> None:
    account.answers["RoomPayload"] = room(ME)
    await reader.read_room(ROOM, fresh=True)
    assert [request.type for name, request in account.wire.asked if name == "DirtyPayload"] == [
        pb.DIRTY_ROOM,
        pb.DIRTY_ROOM_MEMBER,
    ]
    assert account.wire.names[-1] == "RoomPayload"


async def test_result_is_what_was_read_while_the_directory_keeps_doubtful_members(
    account: ScriptedAccount, reader: DirectoryReader
) -> None:
    account.joins(SONG)
    account.answers["RoomPayload"] = room(ME)
    assert (await reader.read_room(ROOM)).member_ids == {ME}
    assert account.directory.rooms[ROOM].member_ids == {ME, SONG}


async def test_group_that_was_left_during_the_reading_stays_forgotten(
    account: ScriptedAccount, reader: DirectoryReader
) -> None:
    def leave(_request: Any) -> pb.RoomPayloadResponse:
        account.directory.drop_room(ROOM)
        return room(ME, SONG)

    account.joins(SONG)
    account.answers["RoomPayload"] = leave
    await reader.read_room(ROOM)
    assert ROOM not in account.directory.rooms


# ---- many ----


async def test_failed_reads_of_many_are_skipped(account: ScriptedAccount, reader: DirectoryReader) -> None:
    account.answers["ContactPayload"] = lambda request: REFUSED if request.id == "b" else pb.ContactPayloadResponse()
    await reader.read_each(["a", "b", "c"], reader.read_contact)
    assert {"a", "c"} <= account.directory.contacts.keys()
    assert "b" not in account.directory.contacts
    assert account.wire.names.count("ContactPayload") == 5, "b is tried three times"


async def test_loss_of_the_connection_ends_all_reads(account: ScriptedAccount, reader: DirectoryReader) -> None:
    account.answers["ContactPayload"] = WeChatOffline("ContactPayload", "gone")
    with pytest.raises(WeChatOffline, match="gone"):
        await reader.read_each([f"p{number}" for number in range(99)], reader.read_contact)
    assert len(account.wire.asked) < 99


async def test_reads_at_once_leave_room_for_other_calls(reader: DirectoryReader) -> None:
    running, most = 0, 0

    async def read(_id: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await reader.read_each(map(str, range(100)), read)
    assert most == 24
