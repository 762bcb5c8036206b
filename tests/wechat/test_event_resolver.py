"""Resolving events: kinds, names, mentions, and ignored events."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from errors import WeChatError, WeChatOffline, WeChatRefused
from sandbox.gateway.server import PuppetServer
from sandbox.world.world import SONG, WENLONG, ZHIDUO, World
from tests.waiting import SECONDS, until
from tests.wechat.recording_listener import RecordedAccount
from wechat.events import (
    FriendRequested,
    MemberJoined,
    MemberLeft,
    MessageKind,
    PrivateMessage,
    RawEvent,
    TopicChanged,
)
from wechat.mentions import mentioned_ids, mentions_name

ME = "wxid_weimi1001"


# ---- with the sandbox ----


async def test_private_message_is_resolved(world: World, recorded: RecordedAccount) -> None:
    world.chats.say(SONG, ME, "你好\u2005吗")
    event = await recorded.resolved("message")
    assert isinstance(event, PrivateMessage)
    assert (event.contact_id, event.name, event.text, event.kind) == (SONG, "宋公明", "你好\u2005吗", MessageKind.TEXT)
    assert event.is_friend
    assert not event.is_official
    assert event.conversation == SONG
    assert abs(event.at - datetime.now(UTC)) < timedelta(seconds=5)


async def test_official_account_is_not_a_person(world: World, recorded: RecordedAccount) -> None:
    official = world.people.create("某公众号", "gh_1")
    official.official = True
    world.people.befriend("gh_1", ME)
    world.chats.say("gh_1", ME, "推送")
    assert (await recorded.resolved("message")).is_official


@pytest.mark.parametrize("id", ["weixin", "mphelper", "qqmail", "weixinreminder", "notification_messages"])
async def test_wechat_system_account_is_not_a_person(world: World, recorded: RecordedAccount, id: str) -> None:
    """Gateways report it as a friend."""
    world.people.create("微信团队", id)
    world.people.befriend(id, ME)
    world.chats.say(id, ME, "您有一条新通知")
    assert (await recorded.resolved("message")).is_official


async def test_own_messages_are_ignored(world: World, recorded: RecordedAccount) -> None:
    await recorded.assistant.send_text(SONG, "我说的")
    world.chats.say(SONG, ME, "别人说的")
    await recorded.listener.until(lambda: any(raw.kind == "message" for raw in recorded.listener.raws))
    resolved = [await recorded.assistant.resolve(raw) for raw in recorded.listener.of("message")]
    assert "我说的" not in [event.text for event in resolved if isinstance(event, PrivateMessage)]


async def test_duplicate_event_has_the_same_id(world: World, recorded: RecordedAccount) -> None:
    world.faults.event("message", twice=1.0)
    world.chats.say(SONG, ME, "一")
    assert (await recorded.listener.raw("message", 1)).id == (await recorded.listener.raw("message", 2)).id


async def test_joins_leaves_and_topics_are_resolved(world: World, recorded: RecordedAccount) -> None:
    room = world.add_room(SONG, [ME, ZHIDUO], "群")
    world.rooms.admit_members(room, [WENLONG], SONG)
    world.rooms.set_topic(SONG, room.id, "新群名")
    world.rooms.remove(SONG, room.id, WENLONG)
    joined = await recorded.resolved("room-join")
    assert isinstance(joined, MemberJoined)
    assert (joined.room_id, joined.contact_ids, joined.inviter_id) == (room.id, (WENLONG,), SONG)
    assert recorded.assistant.directory.contacts[WENLONG].name == "九纹龙"  # for the welcome message
    topic, left = await recorded.resolved("room-topic"), await recorded.resolved("room-leave")
    assert isinstance(topic, TopicChanged)
    assert (topic.topic, topic.old_topic, topic.changer_id) == ("新群名", "群", SONG)
    assert isinstance(left, MemberLeft)
    assert (left.contact_ids, left.remover_id, left.conversation) == ((WENLONG,), SONG, room.id)


async def test_friend_request_is_resolved(world: World, recorded: RecordedAccount) -> None:
    world.people.ask(WENLONG, ME, "NTkxNjkwNzE4RDY2")
    event = await recorded.resolved("friendship")
    assert isinstance(event, FriendRequested)
    assert (event.contact_id, event.hello, event.name) == (WENLONG, "NTkxNjkwNzE4RDY2", "九纹龙")


async def test_payload_is_read_at_the_third_attempt(world: World, recorded: RecordedAccount) -> None:
    world.faults.call("MessagePayload", "fail", count=2)
    world.chats.say(SONG, ME, "终于")
    assert (await recorded.resolved("message")).text == "终于"
    world.faults.call("MessagePayload", "fail", count=3, text="真的没有")
    world.chats.say(SONG, ME, "没有")
    with pytest.raises(WeChatRefused, match="真的没有"):
        await recorded.resolved("message", 2)


async def test_unreadable_stranger_delays_only_their_message(world: World, recorded: RecordedAccount) -> None:
    room = world.add_room(SONG, [ME, ZHIDUO, WENLONG], "群")
    await recorded.assistant.read_new_rooms()
    world.faults.call("ContactPayload", "hang")
    world.chats.say(WENLONG, room.id, "我是谁")
    world.chats.say(SONG, room.id, "我知道")
    stuck = asyncio.create_task(recorded.resolved("message", 1))
    assert (await asyncio.wait_for(recorded.resolved("message", 2), SECONDS)).text == "我知道"
    assert not stuck.done()
    stuck.cancel()
    world.faults.clear()
    world.faults.call("ContactPayload", "fail")
    await recorded.assistant._reader._reading.close()  # the hanging read would last until its deadline
    event = await recorded.resolved("message", 1)
    assert (event.text, event.name, event.contact_id) == ("我是谁", "", WENLONG)


async def test_offline_raises_at_once(server: PuppetServer, world: World, recorded: RecordedAccount) -> None:
    world.chats.say(SONG, ME, "一")
    raw = await recorded.listener.raw("message")
    await recorded.assistant.stop()
    with pytest.raises(WeChatOffline):
        await recorded.assistant.resolve(raw)


async def test_missing_message_is_ignored(recorded: RecordedAccount) -> None:
    raw = RawEvent("weimi1001", "nothing", "message", {"messageId": "nothing"}, datetime.now(UTC))
    with pytest.raises(WeChatError):
        await recorded.assistant.resolve(raw)


async def test_own_group_alias_is_read_once_and_updated(world: World, recorded: RecordedAccount) -> None:
    room = world.add_room(SONG, [ME, ZHIDUO], "群")
    await recorded.assistant.read_new_rooms()
    world.rooms.set_alias(ME, room.id, "小秘书")
    for text in ("@小秘书 在吗", "@小秘书", "小秘书", "@小秘书们"):
        world.chats.say(SONG, room.id, text)
    events = [await recorded.resolved("message", n) for n in (1, 2, 3, 4)]
    assert [event.mentioned for event in events] == [True, True, False, False]
    names = [entry for entry in world.trace.of("weimi1001") if entry["name"] == "RoomMemberPayload"]
    assert len(names) <= 2
    world.rooms.set_alias(ME, room.id, "大秘书")
    await until(lambda: room.id not in recorded.assistant._resolver._room_names)
    world.chats.say(SONG, room.id, "@大秘书\u2005好")
    assert (await recorded.resolved("message", 5)).mentioned


# ---- mentions in a text ----


@pytest.mark.parametrize(
    ("text", "is_done"),
    [
        ("@小秘", True),
        ("@小秘\u2005", True),
        ("嗨@小秘 ", True),
        ("@小秘\n在", True),
        ("@@小秘", True),
        ("@小秘书", False),
        ("小秘", False),
        ("@", False),
        ("@小秘.", False),
        ("@a.b(c", True),
    ],
)
def test_is_mentioned_in_text(text: str, is_done: bool) -> None:
    assert mentions_name(text, ["小秘", "", "a.b(c"]) is is_done


def test_mention_uses_the_most_reliable_source() -> None:
    people = {"张 三": ["1"], "张": ["2"], "李": ["3", "4"], "李 四": ["5"]}

    def find(name: str) -> list[str]:
        return people.get(name, [])

    assert mentioned_ids("@张 三", find) == ("1",)
    assert mentioned_ids("@张 三\u2005@张\u2005", find) == ("1", "2")
    assert mentioned_ids("@张 说", find) == ("2",)
    assert mentioned_ids("@李 说", find) == ()
    assert mentioned_ids("@李 四", find) == ("5",)
    assert mentioned_ids("@" * 50 + "王", find) == ()
