"""Events and entities: conversations, defaults, and contents of files."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from wechat.entities import Contact, Media, Room
from wechat.events import (
    Event,
    FriendAdded,
    FriendRequested,
    GroupMessage,
    MemberJoined,
    MemberLeft,
    MessageFailed,
    MessageKind,
    PrivateMessage,
    RawEvent,
    RoomInvited,
    SessionChanged,
    SessionStep,
    StaffMessage,
    TopicChanged,
    gateway_id,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "conversation"),
    [
        (FriendRequested("a", "1", AT, "wxid_c", "f1"), "wxid_c"),
        (FriendAdded("a", "1", AT, "wxid_c"), "wxid_c"),
        (PrivateMessage("a", "1", AT, "wxid_c", "李", "x"), "wxid_c"),
        (StaffMessage("a", "1", AT, "wxid_c", "staff"), "wxid_c"),
        (SessionChanged("a", "1", AT, "wxid_c", SessionStep.TAKEN, "staff"), "wxid_c"),
        (MessageFailed("a", "1", AT, "wxid_c", "job"), "wxid_c"),
        (GroupMessage("a", "1", AT, "wxid_c", "李", "x", room_id="1@chatroom"), "1@chatroom"),
        (MemberJoined("a", "1", AT, "1@chatroom", ("wxid_c",)), "1@chatroom"),
        (MemberLeft("a", "1", AT, "1@chatroom", ("wxid_c",)), "1@chatroom"),
        (TopicChanged("a", "1", AT, "1@chatroom", "新"), "1@chatroom"),
        (RoomInvited("a", "1", AT, "i1", "wxid_c"), "wxid_c"),
        (RoomInvited("a", "1", AT, "i1"), "i1"),
    ],
)
def test_conversation_is_the_person_or_the_group(event: Event, conversation: str) -> None:
    assert event.conversation == conversation


def test_event_without_a_kind_has_no_conversation() -> None:
    with pytest.raises(NotImplementedError):
        _ = Event("a", "1", AT).conversation


def test_gateway_id_is_without_the_mark_of_a_reused_id() -> None:
    assert gateway_id("m1") == "m1"
    assert gateway_id("m1#again:2") == "m1"


def test_defaults_are_the_usual_case() -> None:
    private, group = PrivateMessage("a", "1", AT, "c", "n", "x"), GroupMessage("a", "1", AT, "c", "n", "x")
    assert (private.kind, private.is_friend, private.is_official) == (MessageKind.TEXT, True, False)
    assert (group.mentions, group.mentioned, group.by_name, group.arrived_at) == ((), False, False, 0.0)
    assert FriendAdded("a", "1", AT, "c").is_new
    assert not MessageFailed("a", "1", AT, "c", "").unfriended
    assert RawEvent("a", "1", "message", {}, AT).position == ""
    contact = Contact("c")
    assert (contact.friend, contact.official) == (False, False)


def test_rooms_do_not_share_their_members() -> None:
    first, second = Room("1"), Room("2")
    first.member_ids.add("a")
    assert second.member_ids == set()


def test_media_in_memory_is_one_piece() -> None:
    media = Media("a", b"12345")
    assert media.size == 5
    assert list(media.pieces()) == [b"12345"]


def test_media_on_disk_is_read_in_pieces_each_time_from_its_beginning() -> None:
    data = bytes(range(256)) * 4096 + b"rest"
    media = Media("a", b"", io.BytesIO(data))
    assert media.size == len(data)
    for _ in range(2):
        pieces = list(media.pieces())
        assert [len(piece) for piece in pieces] == [1024 * 1024, 4]
        assert b"".join(pieces) == data
    assert media == Media("a", b""), "files are not compared"
