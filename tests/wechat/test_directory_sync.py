"""The directory after a login, a restart and an absence: complete, with few reads."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from protocol import puppet_pb2 as pb
from sandbox.gateway.server import PuppetServer
from sandbox.world.world import ADMIN, SONG, WENLONG, XUANFENG, ZHIDUO, World
from tests.waiting import until
from tests.wechat.conftest import TOKEN, Connect
from tests.wechat.directory_restarts import ME, reported_changes, restart
from tests.wechat.recording_listener import RecordedAccount
from wechat.interface import State


def calls(world: World, name: str) -> list[Any]:
    return [entry for entry in world.trace.of("weimi1001") if entry["what"] == "call" and entry["name"] == name]


async def test_first_login_reads_everything_and_reports_no_change(
    server: PuppetServer, world: World, connect: Connect
) -> None:
    world.add_crowd("weimi1001", 200)
    rooms = [world.add_room(SONG, [ME, ZHIDUO, f"wxid_crowd_{n}"], f"群{n}") for n in range(20)]
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False)
    await recorded.online()
    directory = recorded.assistant.directory
    assert len([c for c in directory.contacts.values() if c.friend]) == 204
    assert [c.id for c in directory.find("jishiyu", friends=True)] == [SONG]
    assert {room.id: room.member_ids for room in directory.rooms.values()} == {r.id: set(r.members) for r in rooms}
    await recorded.listener.until(lambda: recorded.listener.syncs)
    assert recorded.listener.syncs[0] == (None, set())
    assert len(calls(world, "ContactPayload")) <= 210  # each once (and those who are no friends once more, on ready)


async def test_warm_start_reads_only_changes_before_online(
    server: PuppetServer, world: World, connect: Connect
) -> None:
    world.add_crowd("weimi1001", 100)
    room = world.add_room(SONG, [ME, ZHIDUO], "旧群")
    first = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False)
    await first.online()
    rows = json.loads(json.dumps(first.assistant.directory.snapshot()))
    await first.assistant.stop()
    world.add_crowd("weimi1001", 2, prefix="new")
    world.rooms.admit_members(room, [XUANFENG], SONG)
    world.people.rename("wxid_crowd_7", "改了名")
    before = len(calls(world, "ContactPayload"))

    second = await connect(f"127.0.0.1:{server.port}", TOKEN, rows=rows, tls=False)
    assert second.assistant.directory.find("crowd3")  # usable at once
    await second.online()
    assert len(calls(world, "ContactPayload")) - before < 20
    assert second.assistant.directory.find("new1")
    await second.listener.until(lambda: room.id in reported_changes(second))
    assert reported_changes(second) == {"wxid_new_0", "wxid_new_1", room.id}
    assert XUANFENG in second.assistant.directory.rooms[room.id].member_ids
    await until(lambda: second.assistant.directory.find("改了名"))


async def test_rows_of_another_account_are_ignored(server: PuppetServer, connect: Connect) -> None:
    rows = {"owner": "wxid_else", "contacts": [["wxid_x", "某人", "", "", True, False, ""]], "rooms": []}
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, rows=rows, tls=False)
    await recorded.online()
    assert recorded.assistant.directory.find("某人") == []


@pytest.mark.parametrize("begun", [False, True])
async def test_left_group_stays_forgotten(world: World, recorded: RecordedAccount, begun: bool) -> None:
    """Gateways return a group that the account has left, and report it as dirty at that moment."""
    room = world.add_room(SONG, [ME, ZHIDUO], "被移出")
    await recorded.assistant.read_new_rooms()
    world.faults.call("RoomPayload", "slow", ms=200, count=1)
    world.rooms.set_topic(SONG, room.id, "改了名")
    if begun:
        await until(lambda: not world.faults.calls)
    world.rooms.remove(SONG, room.id, ME)
    world.people.rename(SONG, "及时雨")  # stale entries are read in order: this one is last
    await until(lambda: recorded.assistant.directory.contacts[SONG].name == "及时雨")
    assert recorded.assistant.directory.rooms == {}


async def test_changes_while_offline_are_reported(
    server: PuppetServer, world: World, recorded: RecordedAccount
) -> None:
    grown = world.add_room(SONG, [ME, ZHIDUO], "有人来")
    shrunk = world.add_room(SONG, [ME, ZHIDUO, XUANFENG], "有人走")
    same = world.add_room(SONG, [ME, ZHIDUO], "没有变")
    lost = world.add_room(SONG, [ME, ZHIDUO], "被移出")
    await recorded.assistant.read_new_rooms()
    made: list[str] = []

    def meanwhile() -> None:
        world.rooms.admit_members(grown, [ADMIN], SONG)
        world.rooms.remove(SONG, shrunk.id, XUANFENG)
        world.rooms.remove(SONG, lost.id, ME)
        world.people.befriend(WENLONG, ME)
        made.append(world.add_room(SONG, [ME, XUANFENG], "新来的").id)

    await restart(server, recorded, meanwhile)
    assert reported_changes(recorded) == {grown.id, WENLONG, *made}
    since, _ = recorded.listener.syncs[-1]
    assert since is not None
    directory = recorded.assistant.directory
    assert ADMIN in directory.rooms[grown.id].member_ids
    # losses are believed when several readings agree
    await until(lambda: XUANFENG not in directory.rooms[shrunk.id].member_ids)
    await until(lambda: lost.id not in directory.rooms)
    assert same.id in directory.rooms
    assert [c.id for c in directory.find("九纹龙", friends=True)] == [WENLONG]
    await restart(server, recorded, lambda: None)
    assert reported_changes(recorded) == set()


async def test_friend_found_before_another_loss_is_reported(
    server: PuppetServer, world: World, recorded: RecordedAccount
) -> None:
    await recorded.listener.until(lambda: recorded.listener.syncs)

    def meanwhile() -> None:
        world.people.befriend(WENLONG, ME)
        world.faults.call("RoomList", "hang", count=1)

    server.kill()
    await recorded.listener.state(State.CONNECTING)
    meanwhile()
    await server.start()
    await until(lambda: not world.faults.calls)
    assert recorded.assistant.directory.contacts[WENLONG].friend
    await restart(server, recorded, lambda: None)
    assert reported_changes(recorded) == {WENLONG}


@pytest.mark.parametrize("times", [2, 12])
async def test_report_rejected_by_the_listener_is_repeated(
    server: PuppetServer, world: World, recorded: RecordedAccount, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr("wechat.assistant.STORE_ATTEMPTS", 3)
    monkeypatch.setattr("wechat.directory_updates.REPORT_RETRY_SECONDS", 0.1)
    await recorded.listener.until(lambda: recorded.listener.syncs)
    failures = iter([OSError("disk full")] * times)

    def fail() -> None:
        if error := next(failures, None):
            raise error

    recorded.listener.on_synced = fail
    server.kill()
    await recorded.listener.state(State.CONNECTING)
    world.people.befriend(WENLONG, ME)
    recorded.listener.syncs.clear()
    await server.start()
    await recorded.listener.until(lambda: reported_changes(recorded) == {WENLONG})


@pytest.mark.parametrize("restarted", [False, True])
async def test_contact_of_the_first_list_is_never_new(
    server: PuppetServer, world: World, connect: Connect, restarted: bool
) -> None:
    world.add_crowd("weimi1001", 5)
    world.faults.call("ContactPayload", "hang", count=3)
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False)
    await until(lambda: len(recorded.assistant.directory.contacts) >= 6)
    server.kill()
    await recorded.listener.state(State.CONNECTING)
    if restarted:
        rows = json.loads(json.dumps(recorded.assistant.directory.snapshot()))
        await recorded.assistant.stop()
        recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, rows=rows, tls=False)
    await server.start()
    await recorded.listener.until(lambda: recorded.listener.syncs)
    assert reported_changes(recorded) == set()
    assert len([c for c in recorded.assistant.directory.contacts.values() if c.friend]) == 9
    world.people.befriend(WENLONG, ME)
    server.send_raw(pb.EventResponse(type=pb.EVENT_READY, payload='{"data": "ready"}'))
    await recorded.listener.until(lambda: reported_changes(recorded))
    assert reported_changes(recorded) == {WENLONG}


async def test_events_update_the_directory_without_reads(world: World, recorded: RecordedAccount) -> None:
    room = world.add_room(SONG, [ME, ZHIDUO], "群")
    await recorded.assistant.read_new_rooms()
    world.faults.call("RoomPayload", "hang")
    world.rooms.admit_members(room, [XUANFENG, ADMIN], SONG)
    world.rooms.leave(ADMIN, room.id)
    world.rooms.set_topic(SONG, room.id, "新群名")
    await recorded.listener.raw("room-topic")
    known = recorded.assistant.directory.rooms[room.id]
    assert known.member_ids == {ME, SONG, ZHIDUO, XUANFENG}
    assert recorded.assistant.directory.room_by_topic("新群名")


async def test_duplicate_and_late_events_converge(world: World, recorded: RecordedAccount) -> None:
    room = world.add_room(SONG, [ME, ZHIDUO], "群")
    await recorded.assistant.read_new_rooms()
    world.faults.event("room-join", twice=0.5, late=0.5, late_ms=150)
    world.faults.event("room-leave", twice=0.5, late=0.5, late_ms=150)
    for _ in range(10):
        for who in (XUANFENG, ADMIN):
            world.rooms.admit_members(room, [who], SONG)
            await asyncio.sleep(0.01)
            world.rooms.remove(SONG, room.id, who)
    world.rooms.admit_members(room, [ADMIN], SONG)
    await asyncio.sleep(0.3)
    await until(lambda: recorded.assistant.directory.rooms[room.id].member_ids == set(room.members))


async def test_dirty_event_causes_one_read(server: PuppetServer, world: World, recorded: RecordedAccount) -> None:
    world.people.rename(SONG, "宋江")
    await until(lambda: recorded.assistant.directory.find("宋江"))
    assert recorded.assistant.directory.find("宋公明") == []
    # asks the gateway to drop its cache, which may cause a dirty event
    await recorded.assistant.contact(SONG, fresh=True)
    server.send_raw(pb.EventResponse(type=pb.EVENT_MESSAGE, payload='{"messageId": "mark"}'))
    await recorded.listener.raw("message")  # behind that event
    updates = recorded.assistant.directory_updates
    await until(lambda: not updates._stale and not updates._is_stale.is_set(), "nothing is left to read")
    count = len(calls(world, "ContactPayload"))
    await asyncio.sleep(0.3)
    assert len(calls(world, "ContactPayload")) == count


async def test_ready_event_reloads_the_lists(server: PuppetServer, world: World, recorded: RecordedAccount) -> None:
    """A puppet that logs in before it has its contacts sends ready when it has them."""
    person = world.add_crowd("weimi1001", 1, prefix="late")[0]
    server.send_raw(pb.EventResponse(type=pb.EVENT_READY, payload='{"data": "ready"}'))
    await recorded.listener.until(lambda: person.id in set().union(*(ids for _, ids in recorded.listener.syncs)))
    assert recorded.assistant.directory.find("late0", friends=True)
