"""Staff actions on tickets, and the resulting messages."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from models.support import Ticket, TicketState
from services.messaging.messages import text
from services.support.ticket_actions import TicketActions
from services.work.job import GiveUp, Job
from tests.services.parts import ACCOUNT, SONG, STAFF, XUAN, ZHI, OpenParts, Parts
from tests.services.staffed import in_memory, open_ticket

ROOM = "staff@chatroom"
HOOK = {"name": "erp", "url": "http://127.0.0.1:9/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="}


def actions(parts: Parts) -> TicketActions:
    return parts.container.ticket_actions


async def answer_ticket(
    parts: Parts, ticket: Ticket, staff: str = STAFF, message: str = "您好", room: str = ROOM
) -> None:
    name = parts.wechat.directory.contacts[staff].name
    now = parts.container.tickets.get(ticket.id or 0) or ticket
    await parts.write(lambda s: actions(parts).answer(s, now, staff, name, text(message), room))


# ---- answers ----


async def test_first_answer_assigns_the_ticket(parts: Parts) -> None:
    ticket = await open_ticket(parts, state=TicketState.WAITING, room_id="", quiet_seconds=9, refusals=2)
    parts.clock.now += 10
    await answer_ticket(parts, ticket)
    now = in_memory(parts, ticket)
    assert (now.staff_id, now.staff_name, now.state, now.room_id) == (STAFF, "店长", TicketState.OPEN, ROOM)
    assert (now.answered_at, now.last_at, now.called_at) == (parts.clock.now,) * 3
    assert (now.called_by, now.quiet_seconds, now.refusals) == (STAFF, 0, 0)
    assert await parts.queued_texts(XUAN) == ["您好"]
    assert await parts.queued_texts(ROOM) == ["#1 由 店长 接待"]
    first_answer = parts.clock.now
    parts.clock.now += 10
    await answer_ticket(parts, ticket, SONG, "我来补充")
    now = in_memory(parts, ticket)
    assert (now.staff_id, now.called_by) == (STAFF, SONG)
    assert (now.answered_at, now.last_at) == (first_answer, first_answer + 10)
    assert await parts.queued_texts(XUAN) == ["您好", "我来补充"]
    assert len(await parts.queued_texts(ROOM)) == 1


async def test_answer_names_its_author_and_ticket(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    await answer_ticket(parts, ticket)
    body = (await parts.queued())[0].body
    assert (body["staff"], body["ticket"]) == (STAFF, ticket.id)
    assert body["key"].startswith("ticket:1:") and len(body["key"]) == len("ticket:1:") + 32
    await parts.write(
        lambda s: actions(parts).answer(s, in_memory(parts, ticket), STAFF, "店长", text("再见"), ROOM, "console-1")
    )
    assert (await parts.queued())[-1].body["key"] == "console-1"


async def test_console_answer_without_room_sends_no_room_message(parts: Parts) -> None:
    ticket = await open_ticket(parts, room_id="")
    await answer_ticket(parts, ticket, room="")
    assert [job.key for job in await parts.queued()] == [XUAN]


@pytest.mark.parametrize(("room", "told"), [(ROOM, True), ("", False)])
async def test_answer_to_a_closed_ticket_is_rejected(parts: Parts, room: str, told: bool) -> None:
    ticket = await open_ticket(parts)
    before = Ticket(**ticket.model_dump())
    await parts.write(lambda s: actions(parts).close(s, ticket, STAFF, "closed"))
    closing = len(await parts.queued())
    await parts.write(lambda s: actions(parts).answer(s, before, STAFF, "店长", text("您好"), room))
    assert "您好" not in await parts.queued_texts(XUAN)
    assert len(await parts.queued()) == closing + told
    assert any("没有进行中的 #1" in text for text in await parts.queued_texts(ROOM)) is told


# ---- whom a picture, or a line without a number, is for ----


@pytest.mark.parametrize(("after", "found"), [(0.0, True), (119.0, True), (120.0, True), (120.5, False)])
async def test_last_named_ticket_is_remembered_for_a_while(parts: Parts, after: float, found: bool) -> None:
    ticket = await open_ticket(parts)
    await answer_ticket(parts, ticket)
    parts.clock.now += after
    called = actions(parts).last_addressed(ACCOUNT, STAFF, 120)
    assert (called is not None and called.id == ticket.id) is found


async def test_last_named_of_several_tickets_is_used(parts: Parts) -> None:
    first, second = await open_ticket(parts), await open_ticket(parts, ZHI, "智多星")
    for ticket in (first, second, first):
        parts.clock.now += 1
        await parts.write(partial(actions(parts).address, ticket=ticket, staff_id=STAFF, room_id=ROOM))
    called = actions(parts).last_addressed(ACCOUNT, STAFF, 120)
    assert called is not None and called.id == first.id
    assert actions(parts).last_addressed(ACCOUNT, SONG, 120) is None, "each of the staff for themselves"
    assert actions(parts).last_addressed("weimi1002", STAFF, 120) is None
    texts = parts.container.config.texts
    assert (await parts.queued_texts(ROOM))[0] == texts.ticket_called.format(number=1, name="黑旋风")


async def test_line_without_number_is_asked_about_once(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    assert actions(parts).ask_recipient(ACCOUNT, STAFF, 120) is None, "nobody was named"
    await answer_ticket(parts, ticket)
    texts = parts.container.config.texts
    assert actions(parts).ask_recipient(ACCOUNT, STAFF, 120) == texts.ticket_meant.format(number=1, name="黑旋风")
    assert actions(parts).ask_recipient(ACCOUNT, STAFF, 120) is None
    await answer_ticket(parts, ticket, SONG)
    assert actions(parts).ask_recipient(ACCOUNT, SONG, 120) is not None, "another one is asked, too"


async def test_asked_senders_are_forgotten(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    await answer_ticket(parts, ticket)
    asked = actions(parts)
    assert asked.ask_recipient(ACCOUNT, STAFF, 120) is not None
    for number in range(9_999):
        asked._asked[number + 100, "x"] = None
    await answer_ticket(parts, ticket, SONG)
    assert asked.ask_recipient(ACCOUNT, SONG, 120) is not None
    assert len(asked._asked) == 10_000
    assert (1, STAFF) not in asked._asked, "the oldest goes first"


# ---- passing on, notes, lists ----


async def test_transferred_ticket_includes_its_notes(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    await parts.write(lambda s: actions(parts).add_note(s, ticket, STAFF, "老客户"))
    await parts.write(lambda s: actions(parts).assign(s, ticket, SONG, "宋公明", ROOM))
    now = in_memory(parts, ticket)
    assert (now.staff_id, now.staff_name) == (SONG, "宋公明")
    (told,) = await parts.queued()
    assert told.key == ROOM and told.body["mentions"] == [SONG] and told.body["relays"] == ticket.id
    first, second = told.body["text"].split("\n")
    assert first == "#1 由 宋公明 接待" and "老客户" in second


async def test_transfer_without_room_and_of_a_closed_ticket(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    await parts.write(lambda s: actions(parts).assign(s, ticket, SONG, "宋公明", ""))
    assert in_memory(parts, ticket).staff_id == SONG
    assert await parts.queued() == []
    await parts.write(lambda s: actions(parts).close(s, ticket, STAFF, "closed"))
    before = len(await parts.queued())
    await parts.write(lambda s: actions(parts).assign(s, ticket, STAFF, "店长", ROOM))
    assert len(await parts.queued()) == before


async def test_ticket_list(parts: Parts) -> None:
    texts = parts.container.config.texts
    assert actions(parts).listing(ACCOUNT) == texts.ticket_none
    second = await open_ticket(parts, ZHI, "智多星")
    first = await open_ticket(parts)
    await answer_ticket(parts, first)
    parts.clock.now += 179
    lines = actions(parts).listing(ACCOUNT).split("\n")
    assert [line.split(" ")[0] for line in lines] == [f"#{second.id}", f"#{first.id}"]
    assert lines[0] == texts.ticket_line.format(number=1, name="智多星", minutes=2, staff=texts.ticket_nobody)
    assert "由 店长 接待" in lines[1]
    assert actions(parts).listing("weimi1002") == texts.ticket_none


async def test_earlier_messages_are_shown_in_the_room(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    await parts.write(lambda s: actions(parts).add_note(s, ticket, STAFF, "老客户"))
    await parts.write(lambda s: actions(parts).show_history(s, ticket, ROOM))
    (shown,) = await parts.queued()
    assert shown.key == ROOM and shown.body["relays"] == ticket.id
    assert "#1 黑旋风 的记录" in shown.body["text"] and "老客户" in shown.body["text"]


async def test_invalid_command_replies(open_parts: OpenParts) -> None:
    parts = await open_parts(customer_service={"faq": "", "handoff": {"canned": {"发票": "请发抬头"}}})
    texts = parts.container.config.texts
    assert actions(parts).malformed(3, "转") == texts.ticket_malformed.format(number=3, words="转")
    assert actions(parts).unknown(9) == texts.ticket_unknown.format(number=9)
    assert parts.container.canned_replies.all == {"发票": "请发抬头"}


# ---- what was not delivered ----


def give_up(parts: Parts, body: dict[str, Any]) -> Job:
    return Job(1, f"wx:{ACCOUNT}", XUAN, body)


async def report_undelivered(parts: Parts, body: dict[str, Any]) -> list[str]:
    await parts.write(lambda s: actions(parts).delivery_failed(s, give_up(parts, body), GiveUp("refused")))
    return await parts.queued_texts(ROOM)


async def test_undelivered_answer_is_reported_to_staff(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    told = parts.container.config.texts.ticket_undelivered
    long = "您" * 61
    assert await report_undelivered(parts, {**text(long), "staff": STAFF, "ticket": ticket.id}) == [
        told.format(number=1, name="黑旋风", words="您" * 60)
    ]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"type": "link", "title": "说明书", "url": "http://a"}, "说明书"),
        ({"type": "file", "path": "/tmp/a.png", "name": "a.png"}, "a.png"),
    ],
)
async def test_other_message_kinds_are_named(parts: Parts, body: dict[str, Any], text: str) -> None:
    ticket = await open_ticket(parts)
    (said,) = await report_undelivered(parts, {**body, "staff": STAFF, "ticket": ticket.id})
    assert text in said


async def test_undelivered_customer_file_is_reported(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    (said,) = await report_undelivered(parts, {"type": "file", "path": "/a.png", "name": "a.png", "relays": ticket.id})
    lost = parts.container.config.texts.ticket_relay_lost
    assert said.startswith(lost.format(number=1, name="黑旋风", words="").split("黑旋风")[0])


@pytest.mark.parametrize("body", [text("您好"), {**text("您好"), "ticket": 1}, {**text("您好"), "relays": 1}])
async def test_other_failed_messages_are_not_reported(parts: Parts, body: dict[str, Any]) -> None:
    await open_ticket(parts)
    assert await report_undelivered(parts, body) == []


async def test_nothing_is_reported_without_ticket_or_room(parts: Parts) -> None:
    ticket = await open_ticket(parts, room_id="")
    assert await report_undelivered(parts, {**text("您好"), "staff": STAFF, "ticket": ticket.id}) == []
    assert await report_undelivered(parts, {**text("您好"), "staff": STAFF, "ticket": 99}) == []


# ---- ends ----


async def test_closed_ticket_requests_a_rating_and_emits_an_event(open_parts: OpenParts) -> None:
    parts = await open_parts(webhooks=[HOOK])
    ticket = await open_ticket(parts)
    parts.clock.now += 5
    assert await parts.write(lambda s: actions(parts).close(s, ticket, STAFF, "#1 已结束"))
    assert not await parts.write(lambda s: actions(parts).close(s, ticket, STAFF, "#1 已结束")), "it is closed"
    row = await parts.read(lambda s: s.get_one(Ticket, ticket.id))
    assert (row.state, row.closed_at, row.closed_by) == (TicketState.CLOSED, parts.clock.now, STAFF)
    asked, told = await parts.queued()
    assert asked.key == XUAN and asked.body["choices"] == ["5分", "4分", "3分", "2分", "1分"]
    assert asked.body["text"] == parts.container.config.texts.handoff_closed
    assert (told.key, told.body["text"], told.body["relays"]) == (ROOM, "#1 已结束", ticket.id)
    (event,) = await parts.queued("hook")
    assert event.body["type"] == "ticket.closed" and event.key == "ticket 1"
    assert event.body["data"]["closed_by"] == STAFF


@pytest.mark.parametrize(("room", "told"), [("", []), ("other@chatroom", ["#1 已结束"])])
async def test_close_of_an_unannounced_ticket_is_reported_where_it_happened(
    parts: Parts, room: str, told: list[str]
) -> None:
    ticket = await open_ticket(parts, room_id="")
    await parts.write(lambda s: actions(parts).close(s, ticket, STAFF, "#1 已结束", room))
    assert await parts.queued_texts("other@chatroom") == told
    assert len(await parts.queued()) == 1 + len(told)


@pytest.mark.parametrize("room", [ROOM, ""])
async def test_rating_is_thanked_for_and_shown_once(parts: Parts, room: str) -> None:
    ticket = await open_ticket(parts, room_id=room)
    await parts.write(lambda s: actions(parts).close(s, ticket, STAFF, "closed"))
    asked = parts.container.tickets.rating_request(ACCOUNT, XUAN)
    assert asked is not None
    before = len(await parts.queued())
    for _ in range(2):
        await parts.write(lambda s: actions(parts).rate(s, ACCOUNT, XUAN, asked, 5))
    thanks, *shown = (await parts.queued())[before:]
    assert (thanks.key, thanks.body["text"]) == (XUAN, parts.container.config.texts.handoff_marked)
    expected = parts.container.config.texts.ticket_marked.format(number=1, name="黑旋风", mark=5)
    assert [(entry.key, entry.body["text"], entry.body["relays"]) for entry in shown] == (
        [(ROOM, expected, 1)] if room else []
    )
    assert (await parts.read(lambda s: s.get_one(Ticket, ticket.id))).mark == 5
