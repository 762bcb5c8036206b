"""What an account reads again while it is online."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from errors import WeChatOffline, WeChatRefused
from protocol import CALLS
from protocol import puppet_pb2 as pb
from protocol.supervision import end
from tests.waiting import until
from tests.wechat.scripted_wire import ME, ROOM, SONG, ScriptedAccount, contacts, room
from wechat import directory_updates
from wechat.entities import Contact
from wechat.interface import State

REFUSED, OFFLINE = WeChatRefused("x", "no"), WeChatOffline("x", "gone")


@contextlib.asynccontextmanager
async def running(account: ScriptedAccount) -> AsyncIterator[None]:
    """The tasks of an account that is online, without a connection."""
    account.state(State.ONLINE)
    account.updates._online.set()
    tasks = [
        asyncio.create_task(account.updates.refresh()),
        asyncio.create_task(account.updates.recheck_absences()),
    ]
    try:
        yield
    finally:
        await end(tasks)


@pytest.fixture
def friend(account: ScriptedAccount) -> ScriptedAccount:
    """An account with one friend and one group."""
    account.knows(Contact(SONG, "宋江", friend=True))
    account.joins(SONG)
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江", friend=True), Contact(ME, "小秘"))
    account.answers["RoomPayload"] = room(ME, SONG)
    return account


async def test_outdated_entries_are_read_one_after_the_other(friend: ScriptedAccount) -> None:
    updates = friend.updates
    friend.answers["RoomPayload"] = room(ME, SONG, topic="新")
    async with running(friend):
        updates.read_again("contact", SONG)
        updates.read_again("contact", SONG)
        updates.read_again("room", ROOM)
        updates.read_again("room", "9@chatroom")
        updates.read_again("late-room", ROOM)
        await until(lambda: not updates._stale and not updates._is_stale.is_set())
        assert friend.wire.names == [
            "ContactPayload",
            "RoomPayload",
            "DirtyPayload",
            "DirtyPayload",
            "RoomPayload",
        ]
        assert friend.directory.rooms[ROOM].topic == "新"


async def test_nothing_is_read_before_the_account_is_online(friend: ScriptedAccount) -> None:
    friend.updates.read_again("contact", SONG)
    async with running(friend):
        friend.updates._online.clear()
        for _ in range(5):
            await asyncio.sleep(0)
        assert friend.wire.asked == []
        friend.updates._online.set()
        await until(lambda: friend.wire.asked)


async def test_failed_readings_do_not_stop_the_others(friend: ScriptedAccount) -> None:
    friend.answers["ContactPayload"] = [REFUSED, OFFLINE, pb.ContactPayloadResponse(name="新", friend=True)]
    async with running(friend):
        for _ in range(3):
            friend.updates.read_again("contact", SONG)
            await until(lambda: not friend.updates._stale)
        await until(lambda: friend.directory.contacts[SONG].name == "新")


async def test_lists_are_read_again_and_new_friends_reported(friend: ScriptedAccount) -> None:
    friend.answers["ContactList"] = CALLS["ContactList"].response(ids=[SONG, ME, "bb"])
    friend.answers["RoomList"] = CALLS["RoomList"].response(ids=[ROOM])
    friend.answers["ContactPayload"] = contacts(Contact("bb", "李逵", friend=True))
    async with running(friend):
        friend.updates.read_again(*directory_updates.STALE_LISTS)
        await friend.listener.until(lambda: friend.listener.syncs)
    assert friend.listener.syncs == [(None, {"bb"})]


async def test_found_friends_are_reported_and_an_empty_report_is_not(friend: ScriptedAccount) -> None:
    async with running(friend):
        friend.updates.read_again(*directory_updates.UNREPORTED_CHANGES)
        await until(lambda: not friend.updates._is_stale.is_set())
        assert friend.listener.syncs == []
        friend.updates.found_friends(["bb"])
        await friend.listener.until(lambda: friend.listener.syncs)
    assert friend.listener.syncs == [(None, {"bb"})]


async def test_confirmed_absence_is_reported(friend: ScriptedAccount) -> None:
    friend.directory.absences.confirm_interval = timedelta(0)
    friend.answers["RoomPayload"] = [OFFLINE, room(ME), room(ME), room(ME)]
    async with running(friend):
        friend.directory.absences.record_missing(ROOM, [SONG], datetime.now(UTC), ME)
        await friend.listener.until(lambda: friend.listener.syncs)
        assert friend.listener.syncs == [(None, {ROOM})]
