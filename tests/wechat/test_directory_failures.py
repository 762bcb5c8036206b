"""Reads of the directory that fail: groups and contacts that cannot be read, calls that fail."""

from __future__ import annotations

from typing import Any

import pytest

from errors import WeChatRefused, WeChatTooFast
from sandbox.gateway.server import PuppetServer
from sandbox.world.world import SONG, XUANFENG, ZHIDUO, World
from tests.wechat.conftest import TOKEN, Connect
from tests.wechat.directory_restarts import ME, reported_changes, restart
from tests.wechat.recording_listener import RecordedAccount


async def test_unreadable_group_does_not_abort_the_sync(
    server: PuppetServer, world: World, recorded: RecordedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (world.add_room(SONG, [ME, ZHIDUO], topic) for topic in ("一", "二"))
    await recorded.assistant.read_new_rooms()
    puppet = recorded.assistant._puppet_client
    read, read_list, refused = puppet.room_payload, puppet.room_list, []

    async def room_payload(id: str) -> Any:
        if id != first.id:
            return await read(id)
        refused.append(id)
        raise WeChatRefused("RoomPayload", "no")

    async def room_list() -> list[str]:
        if refused:
            refused.clear()
            raise WeChatTooFast("RoomList", "操作过于频繁")
        return await read_list()

    monkeypatch.setattr(puppet, "room_payload", room_payload)
    monkeypatch.setattr(puppet, "room_list", room_list)
    await restart(server, recorded, lambda: world.rooms.admit_members(second, [XUANFENG], SONG))
    assert XUANFENG in recorded.assistant.directory.rooms[second.id].member_ids
    assert first.id in recorded.assistant.directory.rooms


async def test_unreadable_group_is_not_lost(server: PuppetServer, world: World, recorded: RecordedAccount) -> None:
    room = world.add_room(SONG, [ME, ZHIDUO], "读不到")
    await recorded.assistant.read_new_rooms()
    await restart(server, recorded, lambda: world.faults.call("RoomPayload", "fail"))
    assert reported_changes(recorded) == set()
    assert room.id in recorded.assistant.directory.rooms


async def test_failing_calls_only_delay_the_sync(server: PuppetServer, world: World, connect: Connect) -> None:
    world.add_crowd("weimi1001", 50)
    world.faults.call("ContactPayload", "fail", probability=0.2)
    world.faults.call("ContactList", "fail", count=4)
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False)
    await recorded.online()
    friends = [c for c in recorded.assistant.directory.contacts.values() if c.friend]
    assert len(friends) >= 50  # of 54: one in 125 fails three times


async def test_unreadable_contact_is_read_later(
    server: PuppetServer, world: World, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wechat.directory_updates.REREAD_PAUSE", 0.05)
    room = world.add_room(SONG, [ME, ZHIDUO], "读得晚")
    world.faults.call("RoomPayload", "fail", count=4)
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False)
    await recorded.online()
    await recorded.listener.until(lambda: room.id in reported_changes(recorded))
    assert recorded.assistant.directory.rooms[room.id].topic == "读得晚"
