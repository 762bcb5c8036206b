"""Resolving messages: senders, notes, mentions, times, and what is read from the gateway for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from errors import WeChatOffline, WeChatRefused
from protocol import puppet_pb2 as pb
from tests.wechat.scripted_wire import ME, NOW, ROOM, SONG, ScriptedAccount, contacts, message
from wechat import event_resolver
from wechat.entities import Contact
from wechat.events import MessageFailed, MessageKind, PrivateMessage, RawEvent
from wechat.notes import Note

REFUSED, OFFLINE = WeChatRefused("x", "no"), WeChatOffline("x", "gone")
FRIEND = Contact(SONG, "宋江", friend=True)
NOTE = "李逵开启了朋友验证，你还不是他（她）朋友。请先发送朋友验证请求。"


@pytest.fixture
def friend(account: ScriptedAccount) -> ScriptedAccount:
    account.knows(FRIEND)
    return account


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1.0]
    monkeypatch.setattr(event_resolver, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


# ---- private messages ----


async def test_private_message_of_a_friend(friend: ScriptedAccount) -> None:
    event = await friend.message()
    assert event == PrivateMessage("a", "e1", NOW, SONG, "宋江", "你好", is_friend=True, is_official=False)
    assert friend.wire.asked == [("MessagePayload", pb.Id(id="m1"))]


async def test_conversation_is_known_before_the_sender_is_read(account: ScriptedAccount) -> None:
    account.answers["MessagePayload"] = message()
    asked: list[list[str]] = []

    def placed(conversation: str) -> None:
        assert conversation == SONG
        asked.append(list(account.wire.names))

    await account.assistant.resolve(RawEvent("a", "e1", "message", {"messageId": "m1"}, NOW), placed)
    assert asked == [["MessagePayload"]]
    assert "ContactPayload" in account.wire.names


@pytest.mark.parametrize("talker", ["", ME])
async def test_message_without_a_sender_or_of_the_account_is_ignored(friend: ScriptedAccount, talker: str) -> None:
    assert await friend.message(talker_id=talker) is None
    assert await friend.message(talker_id=talker, room_id=ROOM) is None


async def test_echo_of_a_sent_message_is_not_read(friend: ScriptedAccount) -> None:
    friend.assistant._sent_messages.add("m1")
    assert await friend.message() is None
    assert friend.wire.asked == []


async def test_message_of_a_reused_id_is_read_past_the_cache(friend: ScriptedAccount) -> None:
    friend.answers["MessagePayload"] = message()
    await friend.resolve("message", messageId="m1", again=True)
    assert friend.wire.asked[0] == ("DirtyPayload", pb.DirtyPayloadRequest(type=pb.DIRTY_MESSAGE, id="m1"))


async def test_message_of_a_reused_id_is_read_at_a_gateway_without_a_cache(friend: ScriptedAccount) -> None:
    friend.answers["DirtyPayload"] = WeChatRefused("DirtyPayload", "UNIMPLEMENTED")
    friend.answers["MessagePayload"] = message()
    assert isinstance(await friend.resolve("message", messageId="m1", again=True), PrivateMessage)


async def test_sender_may_be_given_by_their_unique_weixin(account: ScriptedAccount) -> None:
    account.knows(Contact(SONG, "宋江", weixin="jishiyu", friend=True))
    event = await account.message(talker_id="jishiyu")
    assert (event.contact_id, event.name) == (SONG, "宋江")


@pytest.mark.parametrize(("id", "official"), [(SONG, False), ("gh_1", True), ("weixin", True)])
async def test_unreadable_sender_counts_as_a_friend(account: ScriptedAccount, id: str, official: bool) -> None:
    account.answers["ContactPayload"] = REFUSED
    event = await account.message(talker_id=id)
    assert (event.contact_id, event.name, event.is_friend, event.is_official) == (id, "", True, official)


async def test_loss_while_the_sender_is_read_is_raised(account: ScriptedAccount) -> None:
    account.answers["ContactPayload"] = OFFLINE
    with pytest.raises(WeChatOffline):
        await account.message()


@pytest.mark.parametrize(
    ("type", "kind"),
    [(-1, MessageKind.OTHER), (0, MessageKind.OTHER), (1, MessageKind.FILE), (6, MessageKind.IMAGE),
     (10, MessageKind.SYSTEM), (15, MessageKind.VIDEO), (16, MessageKind.OTHER), (17, MessageKind.OTHER)],
)  # fmt: skip
async def test_kind_is_that_of_the_type_number(friend: ScriptedAccount, type: int, kind: MessageKind) -> None:
    assert (await friend.message(type=type, text="")).kind is kind


async def test_content_of_a_card_is_in_the_event(friend: ScriptedAccount) -> None:
    xml = "<msg><appmsg><title>标题</title><url>http://a.example/</url><type>5</type></appmsg></msg>"
    event = await friend.message(text=xml)
    assert (event.kind, event.text, event.target) == (MessageKind.LINK, "标题", "http://a.example/")


# ---- strangers ----


async def test_stranger_who_writes_is_read_again_at_most_every_five_seconds(
    account: ScriptedAccount, now: list[float]
) -> None:
    account.knows(Contact(SONG, "宋江"))
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江"))
    assert not (await account.message()).is_friend
    assert account.wire.names == ["MessagePayload", "DirtyPayload", "ContactPayload"]
    account.answers["ContactPayload"] = contacts(FRIEND)
    now[0] += 4.9
    assert not (await account.message()).is_friend
    now[0] += 0.1
    assert (await account.message()).is_friend


async def test_stranger_who_cannot_be_read_stays_one(account: ScriptedAccount, now: list[float]) -> None:
    account.knows(Contact(SONG, "宋江"))
    account.answers["ContactPayload"] = REFUSED
    event = await account.message()
    assert (event.name, event.is_friend) == ("宋江", False)
    now[0] += 5
    account.answers["ContactPayload"] = OFFLINE
    with pytest.raises(WeChatOffline):
        await account.message()


async def test_official_account_is_not_read_again(account: ScriptedAccount) -> None:
    account.knows(Contact("gh_1", "号", official=True))
    event = await account.message(talker_id="gh_1")
    assert (event.is_friend, event.is_official) == (False, True)
    assert account.wire.names == ["MessagePayload"]


async def test_list_of_strangers_is_bounded(account: ScriptedAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_resolver, "MAX_REREAD", 2)
    for id in ("a", "b", "c"):
        account.knows(Contact(id, "某人"))
        account.answers["ContactPayload"] = contacts(Contact(id, "某人"))
        await account.message(talker_id=id)
    assert set(account.assistant._resolver._reread_at) == {"c"}


# ---- notes ----


@pytest.mark.parametrize(("talker", "listener"), [("wxid_li", ME), (ME, "wxid_li")])
async def test_note_of_a_refusal_is_an_undelivered_message(
    account: ScriptedAccount, talker: str, listener: str
) -> None:
    account.answers["MessagePayload"] = message(talker_id=talker, listener_id=listener, text=NOTE)
    conversations: list[str] = []
    raw = RawEvent("a", "e1", "message", {"messageId": "m1"}, NOW)
    event = await account.assistant.resolve(raw, conversations.append)
    assert event == MessageFailed("a", "e1", NOW, "wxid_li", "", Note.NO_FRIEND.value, True)
    assert conversations == ["wxid_li"]


async def test_other_notes_are_ignored(account: ScriptedAccount) -> None:
    assert await account.message(text="以上是打招呼的内容") is None
    assert await account.message(talker_id=ME, text=NOTE) is None, "it does not say who refused"


# ---- times ----


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"receive_time": Timestamp(seconds=1_600_000_000, nanos=500_000_000)}, 1_600_000_000.5),
        ({"receive_time": Timestamp(seconds=1_600_000, nanos=0)}, 1_600_000_000.0),
        ({"timestamp_deprecated": 1_600_000_001}, 1_600_000_001.0),
        ({"timestamp_deprecated": 1_600_000_001_000}, 1_600_000_001.0),
        ({"receive_time": Timestamp(seconds=1_600_000_000), "timestamp_deprecated": 1_500_000_000}, 1_600_000_000.0),
        ({}, NOW.timestamp()),
        ({"receive_time": Timestamp(seconds=int((NOW + timedelta(days=9)).timestamp()))}, NOW.timestamp()),
    ],
)
async def test_time_is_read_from_either_field_in_either_unit(
    friend: ScriptedAccount, fields: dict[str, Any], at: float
) -> None:
    assert (await friend.message(**fields)).at == datetime.fromtimestamp(at, UTC)
