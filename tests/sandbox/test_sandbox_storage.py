"""Persistence of a world."""

from __future__ import annotations

from pathlib import Path

import pytest

import sandbox
from sandbox.world.model import Kind
from sandbox.world.storage import StateStore
from sandbox.world.world import SONG, WENLONG, XUANFENG, ZHIDUO, World
from tests.sandbox.client import Client
from tests.sandbox.conftest import ACCOUNT, BOT
from tests.waiting import until


def test_complete_state_survives_save_and_load(world: World, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "world.json"
    room = world.rooms.create(SONG, [ZHIDUO, BOT], "梁山")
    world.rooms.set_admins(SONG, room.id, [ZHIDUO])
    world.joins.add(SONG, room.id, XUANFENG)
    world.rooms.leave(XUANFENG, room.id)
    world.people.set_alias(BOT, SONG, "群主")
    world.people.ask(WENLONG, BOT, "你好")
    card = world.joins.add(BOT, room.id, XUANFENG, card=True)
    world.joins.qr_code(BOT, room.id)
    world.chats.send_media(SONG, room.id, Kind.IMAGE, "a.png", b"png")
    said = world.chats.say(SONG, room.id, "在吗", [BOT])
    world.chats.mark_read(SONG, room.id)
    world.accounts.logout(ACCOUNT)
    world.save(path)
    again = World.load(path, clock=world.clock)
    assert again.state == world.state
    assert again.chats.by_wire_id(ACCOUNT, world.chats.wire_id(ACCOUNT, said)).text == said.text
    assert again.chats.history(ZHIDUO, room.id) == world.chats.history(ZHIDUO, room.id)
    assert card is not None
    assert again.joins.tap(XUANFENG, card.id)
    assert again.people.by_weixin("jishiyu") is again.people.get(SONG)


def test_new_ids_after_load_are_unused(tmp_path: Path) -> None:
    world = World.default([ACCOUNT], seed=1)
    first = world.rooms.create(SONG, [ZHIDUO, BOT], "一")
    said = world.chats.say(SONG, BOT, "一")
    world.save(tmp_path / "w.json")
    again = World.load(tmp_path / "w.json", seed=1)
    assert again.rooms.create(SONG, [ZHIDUO, BOT], "二").id != first.id
    assert again.chats.say(SONG, BOT, "二").seq > said.seq


@pytest.mark.parametrize("content", ["[]", "{}", '{"format": 99}', "nonsense"])
def test_invalid_file_is_rejected(tmp_path: Path, content: str) -> None:
    path = tmp_path / "w.json"
    path.write_text(content)
    with pytest.raises(OSError, match="to start with a new world"):
        World.load(path)


async def test_delivered_messages_are_readable_after_restart(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    first = await sandbox.start([ACCOUNT], port=0, state=path, token="insecure_x")
    client = Client(first.servers[ACCOUNT].port, token="insecure_x")
    async with client.events() as events:
        await events.ready()
        first.world.chats.say(SONG, BOT, "记住我")
        told = await events.payload("message")
    client.close()
    await first.stop()
    await first.stop()
    second = await sandbox.start([ACCOUNT, "weimi1002"], port=0, state=path, token="insecure_x")
    client = Client(second.servers[ACCOUNT].port, token="insecure_x")
    assert (await client("MessagePayload", id=told["messageId"])).text == "记住我"
    assert second.world.people.are_friends(SONG, "wxid_weimi1002")
    client.close()
    await second.stop()


async def test_changes_are_saved_without_stop(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    running = await sandbox.start([ACCOUNT], port=0, state=path)
    for n in range(3):
        running.world.chats.say(SONG, BOT, f"第{n}条")
        await until(lambda n=n: path.exists() and f"第{n}条" in path.read_text())
    await running.stop()


async def test_taken_port_closes_opened_servers(tmp_path: Path) -> None:
    running = await sandbox.start([ACCOUNT], port=0)
    taken = int(running.url.rpartition(":")[2])
    with pytest.raises(OSError):
        await sandbox.start([ACCOUNT], port=taken, state=tmp_path / "w.json")
    assert (tmp_path / "w.json").exists()
    await running.stop()


def test_crowd_is_created_quickly_within_the_rules() -> None:
    world = World.default([ACCOUNT], seed=1)
    crowd = world.add_crowd(ACCOUNT, 5000)
    rooms = [world.add_room(BOT, [person.id for person in crowd[n * 16 : n * 16 + 16]], f"群{n}") for n in range(300)]
    assert len(world.accounts.person(ACCOUNT).friends) == 5004
    assert world.rooms.of(crowd[0].id) == [rooms[0]]
    world.chats.say(crowd[0].id, rooms[0].id, "大家好")
    world.joins.add(BOT, rooms[0].id, crowd[20].id)
    assert len(rooms[0].members) == 18


async def test_failed_save_does_not_fail_stop(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "folder" / "world.json"
    keeper = StateStore(world.state, path)
    keeper.start()
    path.parent.write_text("a full disk would do as well")
    await keeper.stop()
    assert "could not save the sandbox's state" in caplog.text


async def test_kill_9_loses_nothing_that_was_notified(tmp_path: Path) -> None:
    """Everything reported by an event or a response survives kill -9; message ids are never reused."""
    path = tmp_path / "world.json"
    world = World.default([ACCOUNT], seed=1)
    store = StateStore(world.state, path)
    world.on_change = store.start()
    newcomer = world.people.create("史进")
    world.people.befriend(newcomer.id, BOT)
    said = [world.chats.say(newcomer.id, BOT, f"第{n}句") for n in range(5)]
    picture = world.chats.send_media(SONG, BOT, Kind.IMAGE, "a.png", b"png")
    again = World.load(path)  # nothing of the process was awaited: as if it had been killed here
    assert [again.state.messages[message.seq].text for message in said] == [message.text for message in said]
    assert again.state.media[again.state.messages[picture.seq].media].data == b"png"
    assert again.chats.say(SONG, BOT, "neu").seq > picture.seq
    assert newcomer.id in again.people.get(BOT).friends
    await store.stop()
    assert World.load(path).state.messages == world.state.messages


async def test_torn_line_ends_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    world = World.default([ACCOUNT], seed=1)
    store = StateStore(world.state, path)
    world.on_change = store.start()
    said = world.chats.say(SONG, BOT, "eins")
    with (tmp_path / "world.json.journal").open("ab") as file:
        file.write(b'{"message": {"se')
    assert World.load(path).state.messages[said.seq].text == "eins"
    await store.stop()
