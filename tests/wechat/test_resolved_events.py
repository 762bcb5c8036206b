"""Resolving friendships, invitations and changes of groups."""

from __future__ import annotations

import pytest

from errors import WeChatOffline, WeChatRefused
from protocol import puppet_pb2 as pb
from tests.wechat.scripted_wire import ME, NOW, ROOM, SONG, ScriptedAccount, contacts, room
from wechat.entities import Contact
from wechat.events import (
    FriendAdded,
    FriendRequested,
    MemberJoined,
    MemberLeft,
    MessageFailed,
    RawEvent,
    RoomInvited,
    TopicChanged,
)

REFUSED, OFFLINE = WeChatRefused("x", "no"), WeChatOffline("x", "gone")


def friendship(type: int, contact_id: str = SONG, hello: str = "") -> pb.FriendshipPayloadResponse:
    return pb.FriendshipPayloadResponse(id="f1", contact_id=contact_id, type=type, hello=hello)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("message", {}),
        ("friendship", {"friendshipId": 5}),
        ("room-invite", {"roomInvitationId": ""}),
        ("room-join", {"inviteeIdList": []}),
        ("room-topic", {"roomId": ROOM}),
        ("unknown", {"roomId": ROOM}),
    ],
)
async def test_invalid_event_is_dropped(account: ScriptedAccount, kind: str, data: dict[str, object]) -> None:
    assert await account.resolve(kind, **data) is None
    assert account.wire.asked == []


# ---- friendships ----


async def test_friend_request_is_resolved(account: ScriptedAccount) -> None:
    account.answers["FriendshipPayload"] = friendship(2, hello='<msg content="我是宋江"/>')
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江"))
    event = await account.resolve("friendship", friendshipId="f1")
    assert event == FriendRequested("a", "e1", NOW, SONG, "f1", "我是宋江", "宋江")
    assert not account.directory.contacts[SONG].friend
    assert account.wire.asked[0] == ("FriendshipPayload", pb.FriendshipPayloadRequest(id="f1"))


async def test_new_friend_is_read_past_the_cache_and_counts_as_one(account: ScriptedAccount) -> None:
    account.knows(Contact(SONG, "旧名"))
    account.answers["FriendshipPayload"] = friendship(1)
    account.answers["ContactPayload"] = contacts(Contact(SONG, "宋江", friend=False))
    event = await account.resolve("friendship", friendshipId="f1")
    assert event == FriendAdded("a", "e1", NOW, SONG, "宋江")
    assert account.wire.names == ["FriendshipPayload", "DirtyPayload", "ContactPayload"]
    assert account.directory.contacts[SONG].friend


async def test_unreadable_new_friend_counts_as_one(account: ScriptedAccount) -> None:
    account.answers["FriendshipPayload"] = friendship(1)
    account.answers["ContactPayload"] = REFUSED
    assert await account.resolve("friendship", friendshipId="f1") == FriendAdded("a", "e1", NOW, SONG, "")
    assert account.wire.names.count("ContactPayload") == 3
    assert account.directory.contacts[SONG].friend
    account.answers["ContactPayload"] = OFFLINE
    with pytest.raises(WeChatOffline):
        await account.resolve("friendship", friendshipId="f1")


@pytest.mark.parametrize(("type", "contact_id"), [(0, SONG), (4, SONG), (1, ""), (2, ""), (3, "")])
async def test_other_friendships_are_ignored(account: ScriptedAccount, type: int, contact_id: str) -> None:
    account.answers["FriendshipPayload"] = friendship(type, contact_id)
    assert await account.resolve("friendship", friendshipId="f1") is None
    assert account.wire.names == ["FriendshipPayload"]


async def test_verification_means_a_message_to_no_friend(account: ScriptedAccount) -> None:
    """It may have been accepted or refused."""
    account.answers["FriendshipPayload"] = friendship(3)
    event = await account.resolve("friendship", friendshipId="f1")
    reason = "the receiver is no friend any more"
    assert event == MessageFailed("a", "e1", NOW, SONG, "", reason, unfriended=True, accepted=False)


async def test_friend_given_by_their_weixin_is_the_known_one(account: ScriptedAccount) -> None:
    account.knows(Contact(SONG, "宋江", weixin="jishiyu"))
    account.answers["FriendshipPayload"] = friendship(2, "jishiyu")
    event = await account.resolve("friendship", friendshipId="f1")
    assert isinstance(event, FriendRequested)
    assert event.contact_id == SONG


async def test_payload_is_read_at_the_third_attempt(account: ScriptedAccount) -> None:
    account.answers["FriendshipPayload"] = [REFUSED, REFUSED, friendship(0)]
    assert await account.resolve("friendship", friendshipId="f1") is None
    account.answers["RoomInvitationPayload"] = [REFUSED, REFUSED, REFUSED]
    with pytest.raises(WeChatRefused):
        await account.resolve("room-invite", roomInvitationId="i1")


# ---- groups ----


async def test_invitation_is_resolved(account: ScriptedAccount) -> None:
    payload = pb.RoomInvitationPayloadResponse(inviter_id=SONG, topic="梁\n山")
    account.answers["RoomInvitationPayload"] = payload
    event = await account.resolve("room-invite", roomInvitationId="i1")
    assert event == RoomInvited("a", "e1", NOW, "i1", SONG, "梁 山")
    assert account.wire.asked == [("RoomInvitationPayload", pb.RoomInvitationPayloadRequest(id="i1"))]


async def test_topic_change_is_resolved(account: ScriptedAccount) -> None:
    event = await account.resolve("room-topic", roomId=ROOM, newTopic="新\n名", oldTopic="旧\t名", changerId=SONG)
    assert event == TopicChanged("a", "e1", NOW, ROOM, "新 名", "旧 名", SONG)
    assert await account.resolve("room-topic", roomId=ROOM, newTopic="") == TopicChanged("a", "e1", NOW, ROOM, "")


async def test_leave_is_resolved(account: ScriptedAccount) -> None:
    event = await account.resolve("room-leave", roomId=ROOM, removeeIdList=["b", "b", ""], removerId=SONG)
    assert event == MemberLeft("a", "e1", NOW, ROOM, ("b",), SONG)
    assert account.wire.asked == []


async def test_join_reads_unknown_people_and_those_without_a_name(account: ScriptedAccount) -> None:
    account.joins()
    account.knows(Contact("bb", "李逵"), Contact("cc"))
    account.answers["ContactPayload"] = contacts(Contact("cc", "吴用"), Contact("dd", "武松"))
    event = await account.resolve("room-join", roomId=ROOM, inviteeIdList=["bb", "cc", "dd", "鲁智深"], inviterId=SONG)
    assert event == MemberJoined("a", "e1", NOW, ROOM, ("bb", "cc", "dd", "鲁智深"), SONG)
    read = {request.id for name, request in account.wire.asked if name == "ContactPayload"}
    assert read == {"cc", "dd"}, "a name is not an id"
    assert account.directory.contacts["dd"].name == "武松"
    assert "RoomPayload" not in account.wire.names


async def test_join_of_an_unknown_group_reads_it(account: ScriptedAccount) -> None:
    account.answers["RoomPayload"] = room(ME, SONG, topic="新群")
    await account.resolve("room-join", roomId=ROOM, inviteeIdList=[ME])
    assert account.directory.rooms[ROOM].topic == "新群"


async def test_conversation_of_a_group_event_is_known_first(account: ScriptedAccount) -> None:
    placed: list[tuple[str, int]] = []
    raw = RawEvent("a", "e1", "room-join", {"roomId": ROOM, "inviteeIdList": ["bb"]}, NOW)
    await account.assistant.resolve(raw, lambda id: placed.append((id, len(account.wire.asked))))
    assert placed == [(ROOM, 0)]
