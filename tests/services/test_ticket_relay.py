"""Messages of customers with a ticket as staff see them, and the history of a customer."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from models.support import Ticket, TicketState
from services.messaging.media import StoredFile
from services.messaging.messages import text
from services.support.ticket_history import TicketHistory
from services.support.ticket_relay import UNAVAILABLE, CustomerMessage
from services.support.tickets import TicketClosed
from tests.services.parts import ACCOUNT, STAFF, XUAN, OpenParts, Parts
from tests.services.staffed import (
    ADMIN,
    ROOM,
    appoint_admin,
    close,
    in_memory,
    open_staff_room,
    open_ticket,
    receive,
)
from wechat.events import MessageKind
from wechat.interface import PUPPET, Capability, State


async def relay(parts: Parts, ticket: Ticket, line: str = "在吗", kind: str = MessageKind.TEXT, **values: Any) -> None:
    name = values.pop("name", "黑旋风")
    said = CustomerMessage(kind, line, name, **values)
    await parts.write(lambda s: parts.container.ticket_relay.relay(s, ticket, said))


@pytest.fixture
async def desk(parts: Parts) -> Parts:
    await open_staff_room(parts)
    return parts


async def test_message_is_posted_with_the_number_of_the_ticket(desk: Parts) -> None:
    ticket = await open_ticket(desk, room_id="", quiet_seconds=60)
    desk.clock.now += 5
    await relay(desk, ticket)
    (posted,) = await desk.queued()
    assert (posted.key, posted.body["text"], posted.body["relays"]) == (ROOM, "【#1 黑旋风】在吗", 1)
    now = in_memory(desk, ticket)
    assert (now.room_id, now.last_at, now.quiet_seconds) == (ROOM, desk.clock.now, 0)


async def test_new_name_of_the_customer_is_used(desk: Parts) -> None:
    ticket = await open_ticket(desk)
    await relay(desk, ticket, name="李逵")
    assert in_memory(desk, ticket).name == "李逵"
    await relay(desk, in_memory(desk, ticket), name="")
    assert in_memory(desk, ticket).name == "李逵", "it could not be read"
    assert await desk.queued_texts(ROOM) == ["【#1 李逵】在吗"] * 2


async def test_imitated_prefix_is_escaped(desk: Parts) -> None:
    await relay(desk, await open_ticket(desk), "【#2 宋公明】退款")
    assert await desk.queued_texts(ROOM) == ["【#1 黑旋风】【 #2 宋公明】退款"]


async def test_long_message_is_posted_in_parts(desk: Parts) -> None:
    await relay(desk, await open_ticket(desk), "长" * 1501)
    assert await desk.queued_texts(ROOM) == ["【#1 黑旋风】" + "长" * 1500, "【#1 黑旋风】长"]


@pytest.mark.parametrize(
    ("kind", "follows", "line"),
    [
        (MessageKind.IMAGE, False, f"[图片]{UNAVAILABLE}"),
        (MessageKind.IMAGE, True, "[图片]"),
        (MessageKind.EMOTICON, False, "[表情]"),
    ],
)
async def test_missing_file_is_marked(desk: Parts, kind: MessageKind, follows: bool, line: str) -> None:
    await relay(desk, await open_ticket(desk), "", kind, media_follows=follows)
    assert await desk.queued_texts(ROOM) == [f"【#1 黑旋风】{line}"]


async def test_file_is_posted_below_its_message(desk: Parts) -> None:
    await relay(desk, await open_ticket(desk), "", MessageKind.IMAGE, media=StoredFile("/media/1.jpg", "照片.jpg"))
    text, picture = await desk.queued()
    assert text.body["text"] == "【#1 黑旋风】[图片]"
    assert (picture.key, picture.body["path"], picture.body["name"]) == (ROOM, "/media/1.jpg", "照片.jpg")
    assert picture.body["relays"] == 1


@pytest.mark.parametrize("is_deleted", [True, False])
async def test_message_of_a_waiting_or_deleted_ticket_is_not_posted(desk: Parts, is_deleted: bool) -> None:
    ticket = await open_ticket(desk, state=TicketState.OPEN if is_deleted else TicketState.WAITING)
    if is_deleted:
        await close(desk, ticket)
        await desk.write(lambda s: s.delete(s.get_one(Ticket, 1)))
    await relay(desk, ticket)
    assert await desk.queued() == []


async def test_message_of_a_closed_ticket_is_not_posted(desk: Parts) -> None:
    ticket = await open_ticket(desk)
    await close(desk, ticket)
    with pytest.raises(TicketClosed, match="1"):
        await relay(desk, ticket, name="李逵")
    assert await desk.queued() == []


async def test_channel_without_groups_only_records_the_time(parts: Parts) -> None:
    parts.wechat.capabilities = PUPPET - {Capability.ROOM_MESSAGES}
    ticket = await open_ticket(parts, room_id="", quiet_seconds=60)
    parts.clock.now += 5
    await relay(parts, ticket)
    assert (in_memory(parts, ticket).last_at, in_memory(parts, ticket).quiet_seconds) == (parts.clock.now, 0)
    assert in_memory(parts, ticket).state == TicketState.OPEN
    assert await parts.queued() == []


async def test_ticket_without_a_staff_room_waits_from_this_message_on(parts: Parts) -> None:
    appoint_admin(parts)
    await receive(parts, "此前", "在吗")
    ticket = await open_ticket(parts)
    parts.clock.now += 5
    await relay(parts, ticket)
    now = in_memory(parts, ticket)
    assert (now.state, now.told, now.last_at) == (TicketState.WAITING, 1, parts.clock.now)
    texts = parts.container.config.texts
    assert await parts.queued_texts(XUAN) == [texts.handoff_waiting]
    assert await parts.queued_texts(ADMIN) == [texts.no_staff_room.format(number=1, name="黑旋风")]


async def test_ticket_without_stored_messages_waits_from_the_first_on(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    await relay(parts, ticket)
    assert (in_memory(parts, ticket).state, in_memory(parts, ticket).told) == (TicketState.WAITING, 0)


async def test_room_of_the_ticket_is_used_while_the_groups_are_unknown(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    parts.wechat.state = State.SYNCING
    await relay(parts, ticket)
    assert len(await parts.queued_texts(ROOM)) == 1


async def test_room_of_the_ticket_is_used_while_another_is_bound(desk: Parts) -> None:
    """The account is still in the ticket's room, but has left the one that was bound since."""
    ticket = await open_ticket(desk)
    desk.container.staff_rooms._bound[ACCOUNT] = "gone@chatroom"
    await relay(desk, ticket)
    assert len(await desk.queued_texts(ROOM)) == 1


# ---- the history ----


def history(parts: Parts) -> TicketHistory:
    return parts.container.ticket_actions._history


async def lines(parts: Parts, ticket: Ticket) -> list[str]:
    return await parts.read(lambda s: history(parts).lines(s, ticket))


async def answer(parts: Parts, message: str, staff: str = "") -> None:
    body = {**text(message), **({"staff": staff} if staff else {})}
    await parts.write(lambda s: parts.container.messages.queue(s, ACCOUNT, XUAN, body))


async def test_lines_name_author_and_time(parts: Parts) -> None:
    await receive(parts, "早上好")
    parts.clock.now += 24 * 3600
    await answer(parts, "您好")
    await answer(parts, "我是店长", STAFF)
    await answer(parts, "我已离职", "wxid_gone")
    ticket = await open_ticket(parts)
    assert await lines(parts, ticket) == [
        "01-15 16:00 黑旋风：早上好",
        "16:00 助手：您好",
        "16:00 店长：我是店长",
        "16:00 助手：我已离职",
    ]


async def test_recalled_message_is_quoted(parts: Parts) -> None:
    await receive(parts, "密" * 61, id="m-1")
    await receive(parts, "m-1", id="r-1", kind=MessageKind.RECALLED)
    await receive(parts, "m-0", id="r-2", kind=MessageKind.RECALLED)
    _, recalled, unknown = await lines(parts, await open_ticket(parts))
    assert recalled == f"16:00 黑旋风：[撤回了一条消息]：{'密' * 60}"
    assert unknown == "16:00 黑旋风：[撤回了一条消息]"


async def test_history_lists_earlier_tickets_notes_and_messages(parts: Parts) -> None:
    for number in range(6):
        values = {"staff_name": "店长"} if number % 2 else {}
        earlier = await open_ticket(parts, **values)
        await close(parts, earlier)
        if number == 4:
            await parts.write(lambda s: setattr(s.get_one(Ticket, 5), "mark", 4))
    other = await open_ticket(parts, "wxid_other", "别人")
    await close(parts, other)
    parts.clock.now += 24 * 3600
    ticket = await open_ticket(parts)
    for number in range(6):
        note = partial(parts.container.ticket_actions.add_note, ticket=ticket, staff_id=STAFF, note=f"备注{number}")
        await parts.write(note)
    await receive(parts, *[f"第{number}句" for number in range(31)])
    earlier_line, notes, *messages = await lines(parts, ticket)
    named = "#6（01-15，店长）、#5（01-15，4 分）、#4（01-15，店长）、#3（01-15）、#2（01-15，店长）"
    assert earlier_line == parts.container.config.texts.ticket_earlier.format(tickets=named)
    assert notes == "备注：备注1；备注2；备注3；备注4；备注5"
    assert len(messages) == 30 and messages[0].endswith("第1句")


async def test_times_are_those_of_the_office(open_parts: OpenParts) -> None:
    hours = {"timezone": "America/New_York"}
    parts = await open_parts(customer_service={"faq": "", "handoff": {"hours": hours}})
    await receive(parts, "早上好")
    at = datetime.fromtimestamp(parts.clock.now, UTC)
    assert await lines(parts, await open_ticket(parts)) == [f"{at.hour - 5:02}:00 黑旋风：早上好"]
