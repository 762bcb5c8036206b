"""Resolving messages of groups: mentions, names, and the alias of the account."""

from __future__ import annotations

import pytest

from errors import WeChatOffline, WeChatRefused
from protocol import puppet_pb2 as pb
from tests.wechat.scripted_wire import ME, NOW, ROOM, SONG, ScriptedAccount, room
from wechat.entities import Contact
from wechat.events import GroupMessage

REFUSED, OFFLINE = WeChatRefused("x", "no"), WeChatOffline("x", "gone")
NOTE = "李逵开启了朋友验证，你还不是他（她）朋友。请先发送朋友验证请求。"


@pytest.fixture
def group(account: ScriptedAccount) -> ScriptedAccount:
    """The account's group with three people, two of the same name."""
    account.knows(Contact(SONG, "宋江", friend=True), Contact("b", "李逵"), Contact("c", "吴用"), Contact("d", "吴用"))
    account.joins(SONG, "b", "c", "d")
    return account


async def test_group_message_is_resolved(group: ScriptedAccount) -> None:
    event = await group.message(room_id=ROOM, filename="a\nb.txt")
    assert event == GroupMessage(
        "a", "e1", NOW, SONG, "宋江", "你好", room_id=ROOM, arrived_at=NOW.timestamp(), file_name="a b.txt"
    )
    assert group.wire.names == ["MessagePayload"], "known people and groups are not read"


async def test_unknown_group_is_read_and_may_be_unreadable(account: ScriptedAccount) -> None:
    account.answers["RoomPayload"] = room(ME, SONG)
    await account.message(room_id=ROOM)
    assert ROOM in account.directory.rooms
    account.answers["RoomPayload"] = REFUSED
    assert (await account.message(room_id="2@chatroom")).room_id == "2@chatroom"
    account.answers["RoomPayload"] = OFFLINE
    with pytest.raises(WeChatOffline):
        await account.message(room_id="2@chatroom")


async def test_typed_markup_is_kept_for_texts_only(group: ScriptedAccount) -> None:
    xml = "<msg><img/>加微信</msg>"
    assert (await group.message(room_id=ROOM, text=xml)).typed == "加微信"
    assert (await group.message(room_id=ROOM, text=xml, type=6)).typed == ""


@pytest.mark.parametrize(
    ("text", "ids", "mentions", "mentioned", "by_name"),
    [
        ("@小秘 好", [ME], (ME,), True, False),
        ("好", ["b"], ("b",), False, False),
        ("@所有人 好", [ME, "b"], (), False, True),
        ("@小秘 好", [], (ME,), True, True),
        ("@李逵\u2005@吴用\u2005好", [], ("b",), False, True),
        ("@李逵\u2005@小秘\u2005好", [], ("b", ME), True, True),
        ("好", [], (), False, False),
    ],
)
async def test_mentions_are_taken_from_the_gateway_or_else_from_the_text(
    group: ScriptedAccount, text: str, ids: list[str], mentions: tuple[str, ...], mentioned: bool, by_name: bool
) -> None:
    event = await group.message(room_id=ROOM, text=text, mention_ids=ids)
    assert (event.mentions, event.mentioned, event.by_name) == (mentions, mentioned, by_name)


async def test_mention_in_a_card_is_not_one(group: ScriptedAccount) -> None:
    xml = "<msg><appmsg><title>@小秘</title><type>5</type></appmsg></msg>"
    event = await group.message(room_id=ROOM, text=xml)
    assert (event.mentions, event.by_name) == ((), False)


async def test_names_are_those_of_members(group: ScriptedAccount) -> None:
    group.knows(Contact("e", "外人"))
    assert (await group.message(room_id=ROOM, text="@外人")).mentions == ()
    group.answers["RoomPayload"] = REFUSED
    assert (await group.message(room_id="9@chatroom", text="@李逵")).mentions == (), "the members are unknown"


async def test_account_is_mentioned_by_its_alias_in_the_group(group: ScriptedAccount) -> None:
    group.answers["RoomMemberPayload"] = pb.RoomMemberPayloadResponse(room_alias="小\n管家")
    event = await group.message(room_id=ROOM, text="@小 管家\u2005@李逵\u2005")
    assert (event.mentions, event.mentioned, event.own_name) == ((ME, "b"), True, "小 管家")
    await group.message(room_id=ROOM, text="@小 管家\u2005")
    assert group.wire.names.count("RoomMemberPayload") == 1
    assert group.wire.asked[-2][1] == pb.RoomMemberPayloadRequest(id=ROOM, member_id=ME)
    group.assistant._resolver.forget(ROOM)
    group.assistant._resolver.forget(ROOM)
    await group.message(room_id=ROOM, text="@小 管家\u2005")
    assert group.wire.names.count("RoomMemberPayload") == 2


async def test_alias_is_read_for_mentions_of_the_account_only(group: ScriptedAccount) -> None:
    group.answers["RoomMemberPayload"] = pb.RoomMemberPayloadResponse(room_alias="小管家")
    assert (await group.message(room_id=ROOM, text="好", mention_ids=[ME])).own_name == ""
    assert (await group.message(room_id=ROOM, text="@李逵 好", mention_ids=["b"])).own_name == ""
    assert "RoomMemberPayload" not in group.wire.names
    assert (await group.message(room_id=ROOM, text="@小管家 好", mention_ids=[ME])).own_name == "小管家"


async def test_unreadable_alias_is_read_again_the_next_time(group: ScriptedAccount) -> None:
    group.answers["RoomMemberPayload"] = [REFUSED, pb.RoomMemberPayloadResponse(room_alias="小管家")]
    assert (await group.message(room_id=ROOM, text="@小秘 好", mention_ids=[ME])).own_name == ""
    assert (await group.message(room_id=ROOM, text="@小秘 好", mention_ids=[ME])).own_name == "小管家"
    group.assistant._resolver.forget(ROOM)
    group.answers["RoomMemberPayload"] = OFFLINE
    with pytest.raises(WeChatOffline):
        await group.message(room_id=ROOM, text="@小秘 好")


async def test_account_without_a_contact_has_no_name(group: ScriptedAccount) -> None:
    group.directory.drop_contact(ME)
    assert not (await group.message(room_id=ROOM, text="@小秘 好")).mentioned


async def test_text_like_a_note_in_a_group_is_a_message(group: ScriptedAccount) -> None:
    assert isinstance(await group.message(room_id=ROOM, text=NOTE), GroupMessage)
