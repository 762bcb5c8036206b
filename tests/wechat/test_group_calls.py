"""Operations on groups: what is called, and what is concluded from reading back."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest

from errors import WeChatError, WeChatNotDone, WeChatOffline, WeChatRefused, WeChatUnknown
from protocol import CALLS
from protocol import puppet_pb2 as pb
from tests.waiting import SECONDS
from tests.wechat.scripted_wire import ME, ROOM, SONG, ScriptedAccount, room
from wechat.absences import OWN_READINGS
from wechat.entities import Contact

LOST, REFUSED, OFFLINE = WeChatUnknown("x", "timeout"), WeChatRefused("x", "no"), WeChatOffline("x", "gone")


def rooms(*ids: str) -> Any:
    return CALLS["RoomList"].response(ids=ids)


def announcement(text: str) -> pb.RoomAnnounceResponse:
    return pb.RoomAnnounceResponse(text=text)


# ---- reading ----


async def test_group_is_created_with_its_own_timeout(account: ScriptedAccount) -> None:
    account.answers["RoomCreate"] = CALLS["RoomCreate"].response(id=ROOM)
    assert await account.assistant.create_room([SONG], "群") == ROOM
    assert account.wire.timeouts == [20.0]


async def test_group_is_read_anew_on_request_only(account: ScriptedAccount) -> None:
    account.joins(SONG)
    assert (await account.assistant.room(ROOM)).topic == "群"
    assert account.wire.asked == []
    account.answers["RoomPayload"] = [REFUSED, room(ME, SONG, topic="新")]
    assert (await account.assistant.room(ROOM, fresh=True)).topic == "新"
    assert account.wire.names.count("DirtyPayload") == 4


async def test_new_groups_are_those_that_were_unknown_and_readable(account: ScriptedAccount) -> None:
    account.joins(SONG)
    account.answers["RoomList"] = rooms(ROOM, "2@chatroom", "3@chatroom")
    account.answers["RoomPayload"] = lambda request: (
        REFUSED if request.id == "3@chatroom" else room(ME, topic="二", room_id="2@chatroom")
    )
    assert [found.id for found in await account.assistant.read_new_rooms()] == ["2@chatroom"]


async def test_account_is_in_a_group_until_three_lists_lack_it(account: ScriptedAccount) -> None:
    account.joins(SONG)
    account.directory.absences.confirm_interval = timedelta(0)
    account.answers["RoomList"] = rooms(ROOM)
    assert await account.assistant.is_in_room(ROOM)
    account.answers["RoomList"] = [REFUSED, rooms(), rooms(), rooms()]
    assert [await account.assistant.is_in_room(ROOM) for _ in range(3)] == [True, True, False]
    assert ROOM not in account.directory.rooms


async def test_names_in_a_group_are_aliases_and_nicknames(account: ScriptedAccount) -> None:
    account.joins(SONG, "b", "c")
    people = {
        ME: pb.RoomMemberPayloadResponse(name="小秘", room_alias="管家"),
        SONG: pb.RoomMemberPayloadResponse(name="宋江"),
        "b": pb.RoomMemberPayloadResponse(name="李逵", room_alias="宋江"),
    }
    account.answers["RoomMemberPayload"] = lambda request: people.get(request.member_id, REFUSED)
    assert await account.assistant.names_in(ROOM) == {
        "小秘": {ME}, "管家": {ME}, "宋江": {SONG, "b"}, "李逵": {"b"},
    }  # fmt: skip


# ---- members ----


async def test_members_are_added_and_invitations_accepted(account: ScriptedAccount) -> None:
    await account.assistant.add_member(ROOM, SONG)
    await account.assistant.accept_invitation("i1")
    assert account.wire.asked == [
        ("RoomAdd", pb.RoomAddRequest(id=ROOM, contact_id=SONG)),
        ("RoomInvitationAccept", pb.Id(id="i1")),
    ]


async def test_member_is_waited_for_without_a_call_if_already_there(account: ScriptedAccount) -> None:
    account.joins(SONG)
    assert await account.assistant.wait_member(ROOM, SONG, 0.0)
    assert account.wire.asked == []


async def test_member_is_seen_by_an_event(account: ScriptedAccount) -> None:
    account.joins()
    waiting = asyncio.create_task(account.assistant.wait_member(ROOM, SONG, SECONDS))
    await asyncio.sleep(0)
    account.directory.rooms[ROOM].member_ids.add(SONG)
    account.assistant.member_joined()
    assert await asyncio.wait_for(waiting, SECONDS)
    assert account.wire.asked == []


async def test_member_is_seen_in_the_list_that_is_read_last(account: ScriptedAccount) -> None:
    account.joins()
    account.answers["RoomPayload"] = room(ME, SONG)
    assert await account.assistant.wait_member(ROOM, SONG, 0.001)
    assert account.wire.names == ["DirtyPayload", "DirtyPayload", "RoomPayload"]


@pytest.mark.parametrize("answer", [room(ME), REFUSED])
async def test_waiting_for_an_absent_member_returns_false(account: ScriptedAccount, answer: Any) -> None:
    account.joins()
    account.answers["RoomPayload"] = answer
    assert not await account.assistant.wait_member(ROOM, SONG, 0.001)
    assert not await account.assistant.wait_member("9@chatroom", SONG, 0.0)


async def test_member_list_is_read_at_growing_intervals(
    account: ScriptedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.joins()
    account.answers["RoomPayload"] = room(ME)
    loop, now, pauses = asyncio.get_running_loop(), 1000.0, []

    def passes(seconds: float) -> AbstractAsyncContextManager[None]:
        nonlocal now
        pauses.append(seconds)
        now += seconds
        raise TimeoutError

    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr(asyncio, "timeout", passes)
    assert not await account.assistant.wait_member(ROOM, SONG, 20.0)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 2.5]
    assert account.wire.names.count("RoomPayload") == len(pauses)


async def test_removed_member_is_gone_when_a_reading_shows_it(account: ScriptedAccount) -> None:
    account.joins(SONG, "b")
    account.answers["RoomPayload"] = [room(ME, SONG, "b"), room(ME, "b")]
    await account.assistant.remove_member(ROOM, SONG)
    assert account.wire.asked[0] == ("RoomDel", pb.RoomDelRequest(id=ROOM, contact_id=SONG))
    assert account.wire.names[1:] == ["DirtyPayload", "DirtyPayload", "RoomPayload"] * 2, "past the gateway's cache"
    assert account.directory.rooms[ROOM].member_ids == {ME, "b"}


async def test_member_who_is_still_listed_was_not_removed(account: ScriptedAccount) -> None:
    account.joins(SONG)
    account.answers["RoomPayload"] = room(ME, SONG)
    with pytest.raises(WeChatNotDone, match="reading back"):
        await account.assistant.remove_member(ROOM, SONG)
    assert SONG in account.directory.rooms[ROOM].member_ids


async def test_removal_with_a_lost_response_is_decided_by_reading(account: ScriptedAccount) -> None:
    account.joins(SONG)
    account.answers |= {"RoomDel": LOST, "RoomPayload": room(ME)}
    await account.assistant.remove_member(ROOM, SONG)
    account.joins(SONG)
    account.answers["RoomPayload"] = room(ME, SONG)
    with pytest.raises(WeChatUnknown, match="timeout"):
        await account.assistant.remove_member(ROOM, SONG)


async def test_refused_removal_is_not_read_back(account: ScriptedAccount) -> None:
    account.answers["RoomDel"] = REFUSED
    with pytest.raises(WeChatRefused):
        await account.assistant.remove_member(ROOM, SONG)
    assert account.wire.names == ["RoomDel"]


async def test_unreadable_result_of_a_removal_is_raised(account: ScriptedAccount) -> None:
    account.answers["RoomPayload"] = OFFLINE
    with pytest.raises(WeChatOffline):
        await account.assistant.remove_member(ROOM, SONG)
    account.answers["RoomDel"] = LOST
    with pytest.raises(WeChatUnknown):
        await account.assistant.remove_member(ROOM, SONG)


# ---- the group itself ----


async def test_group_is_left_once(account: ScriptedAccount) -> None:
    account.joins(SONG)
    account.answers["RoomList"] = [rooms(ROOM), rooms(ROOM), rooms()]
    await account.assistant.leave_room(ROOM)
    assert account.wire.names == ["RoomList", "RoomQuit", "RoomList", "RoomList"]
    assert ROOM not in account.directory.rooms


async def test_group_that_the_gateway_does_not_list_yet_is_left(account: ScriptedAccount) -> None:
    account.joins(SONG)
    account.answers["RoomList"] = rooms()
    await account.assistant.leave_room(ROOM)
    assert account.wire.names == ["RoomList", "RoomQuit"]
    assert ROOM not in account.directory.rooms
    await account.assistant.leave_room(ROOM)
    assert account.wire.names[2:] == ["RoomList"], "it has been left"


@pytest.mark.parametrize("error", [REFUSED, LOST])
async def test_group_that_is_missing_from_the_list_is_forgotten_once_that_is_certain(
    account: ScriptedAccount, error: WeChatError
) -> None:
    account.joins(SONG)
    account.directory.absences.confirm_interval = timedelta(0)
    account.answers |= {"RoomList": rooms(), "RoomQuit": error}
    for _ in range(OWN_READINGS - 1):
        with pytest.raises(type(error)):
            await account.assistant.leave_room(ROOM)
        assert ROOM in account.directory.rooms
    await account.assistant.leave_room(ROOM)
    assert account.wire.names.count("RoomQuit") == OWN_READINGS - 1
    assert ROOM not in account.directory.rooms


async def test_topic_is_compared_as_wechat_shows_it(account: ScriptedAccount) -> None:
    account.answers["RoomPayload"] = room(ME, topic="A&amp;B")
    await account.assistant.set_topic(ROOM, "A&B")
    assert account.wire.asked[0][1].topic == "A&B"
    assert account.wire.names[1:] == ["DirtyPayload", "DirtyPayload", "RoomPayload"], "past the gateway's cache"
    account.answers["RoomPayload"] = room(ME, topic="旧")
    with pytest.raises(WeChatNotDone, match="RoomTopic"):
        await account.assistant.set_topic(ROOM, "新")


async def test_announcement_is_read(account: ScriptedAccount) -> None:
    account.answers["RoomAnnounce"] = announcement("公告")
    assert await account.assistant.announcement(ROOM) == "公告"


async def test_announcement_that_is_shown_was_set(account: ScriptedAccount) -> None:
    account.answers["RoomAnnounce"] = [announcement(""), announcement(""), announcement("公告")]
    assert await account.assistant.set_announcement(ROOM, "公告")
    account.answers["RoomAnnounce"] = [LOST, announcement("公告")]
    assert await account.assistant.set_announcement(ROOM, "公告"), "only the response was lost"


async def test_accepted_announcement_that_cannot_be_read_may_be_shown(account: ScriptedAccount) -> None:
    for answer in (announcement(" "), REFUSED, LOST):
        account.answers["RoomAnnounce"] = lambda request, answer=answer: (
            announcement("") if request.HasField("text") else answer
        )
        assert not await account.assistant.set_announcement(ROOM, "公告")


async def test_other_announcement_that_is_shown_is_an_error(account: ScriptedAccount) -> None:
    account.answers["RoomAnnounce"] = announcement("旧公告")
    with pytest.raises(WeChatNotDone):
        await account.assistant.set_announcement(ROOM, "公告")


@pytest.mark.parametrize("shown", [announcement("旧公告"), announcement(""), REFUSED])
async def test_announcement_with_a_lost_response_that_is_not_shown_is_unknown(
    account: ScriptedAccount, shown: Any
) -> None:
    account.answers["RoomAnnounce"] = lambda request: WeChatUnknown("x", "first") if request.text else shown
    with pytest.raises(WeChatUnknown, match="first"):
        await account.assistant.set_announcement(ROOM, "公告")


async def test_loss_while_the_announcement_is_read_is_raised(account: ScriptedAccount) -> None:
    account.answers["RoomAnnounce"] = lambda request: None if request.text else OFFLINE
    with pytest.raises(WeChatOffline):
        await account.assistant.set_announcement(ROOM, "公告")


async def test_contacts_do_not_matter_to_group_calls(account: ScriptedAccount) -> None:
    """A person who has become a friend meanwhile stays one."""
    account.knows(Contact(SONG, "宋江", friend=True))
    account.joins(SONG)
    account.answers["RoomPayload"] = room(ME)
    await account.assistant.remove_member(ROOM, SONG)
    assert account.directory.contacts[SONG].friend
