"""Changes with a lost response or a temporarily failing read-back: the actual result is reported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from errors import WeChatUnknown
from sandbox.world.model import WorldRoom
from sandbox.world.world import SONG, XUANFENG, ZHIDUO, World
from tests.wechat.recording_listener import RecordedAccount
from wechat.assistant import Assistant

ME = "wxid_weimi1001"
CHANGES: dict[str, Callable[[Assistant, str], Awaitable[object]]] = {
    "RoomTopic": lambda bot, room: bot.set_topic(room, "新群名"),
    "RoomAnnounce": lambda bot, room: bot.set_announcement(room, "公告"),
    "RoomDel": lambda bot, room: bot.remove_member(room, XUANFENG),
    "ContactAlias": lambda bot, _room: bot.set_alias(XUANFENG, "铁牛"),
}


@pytest.fixture
async def room(world: World, recorded: RecordedAccount) -> WorldRoom:
    room = world.add_room(ME, [SONG, ZHIDUO, XUANFENG], "群")
    await recorded.assistant.read_new_rooms()
    return room


@pytest.mark.parametrize("call", CHANGES)
async def test_change_with_lost_response_is_confirmed(
    world: World, recorded: RecordedAccount, room: WorldRoom, call: str
) -> None:
    world.faults.call(call, "lose", count=1)
    await CHANGES[call](recorded.assistant, room.id)
    assert not world.faults.calls


async def test_failed_read_back_is_retried(
    world: World, recorded: RecordedAccount, room: WorldRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, failures = recorded.assistant._puppet_client.dirty_payload, iter([WeChatUnknown("DirtyPayload", "timeout")])

    async def dirty_payload(*what: Any) -> None:
        if failure := next(failures, None):
            raise failure
        await read(*what)

    monkeypatch.setattr(recorded.assistant._puppet_client, "dirty_payload", dirty_payload)
    await recorded.assistant.set_topic(room.id, "新群名")
    assert world.rooms.get(room.id).topic == "新群名"


async def test_unapplied_change_with_lost_response_is_an_error(
    recorded: RecordedAccount, room: WorldRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def room_topic(*_: Any) -> str:
        raise WeChatUnknown("RoomTopic", "timeout")

    monkeypatch.setattr(recorded.assistant._puppet_client, "room_topic", room_topic)
    with pytest.raises(WeChatUnknown):
        await recorded.assistant.set_topic(room.id, "新群名")
