"""Tickets in memory and in the database, and the rating period."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from models.db import Store
from models.support import Ticket, TicketState
from services.changes import ChangeFeed
from services.support.tickets import RatingRequest, Tickets
from tests.services.clock import Clock

DAY = 24 * 3600.0
WHO: dict[str, Any] = {"account": "a", "contact_id": "x", "name": "黑旋风", "state": TicketState.OPEN}


@pytest.fixture
def tickets(sqlite_store: Store, clock: Clock) -> Tickets:
    return Tickets(sqlite_store, ChangeFeed(), clock)


async def open_ticket(store: Store, tickets: Tickets, **values: Any) -> int:
    """A ticket; its number."""
    ticket = await store.write(lambda s: tickets.add(s, **{**WHO, **values}))
    assert ticket.id is not None
    return ticket.id


async def close_ticket(store: Store, tickets: Tickets, clock: Clock, number: int) -> bool:
    now = clock.now
    return await store.write(lambda s: tickets.change(s, number, state=TicketState.CLOSED, closed_at=now))


async def reload_tickets(store: Store, clock: Clock) -> Tickets:
    tickets = Tickets(store, ChangeFeed(), clock)
    await tickets.load()
    return tickets


async def test_rating_is_accepted_for_24_hours(sqlite_store: Store, tickets: Tickets, clock: Clock) -> None:
    number = await open_ticket(sqlite_store, tickets, room_id="room")
    assert tickets.rating_request("a", "x") is None, "not before it is closed"
    began = clock.now
    assert await close_ticket(sqlite_store, tickets, clock, number)
    assert tickets.rating_request("a", "x") == RatingRequest(number, "黑旋风", "room", began)
    clock.now = began + DAY - 1
    assert tickets.rating_request("a", "x") is not None
    clock.now = began + DAY
    assert tickets.rating_request("a", "x") is None


@pytest.mark.parametrize(("after", "asked"), [(DAY - 1, True), (DAY, False), (DAY + 1, False)])
async def test_rating_period_continues_after_restart(
    sqlite_store: Store, tickets: Tickets, clock: Clock, after: float, asked: bool
) -> None:
    began = clock.now
    number = await open_ticket(sqlite_store, tickets, room_id="room")
    await close_ticket(sqlite_store, tickets, clock, number)
    clock.now = began + after
    again = await reload_tickets(sqlite_store, clock)
    assert (again.rating_request("a", "x") == RatingRequest(number, "黑旋风", "room", began)) is asked
    clock.now = began + after - 2  # what was too old at the start is not read, so a clock set back finds nothing
    assert (again.rating_request("a", "x") is not None) is asked


async def test_rating_goes_to_the_newest_ticket(sqlite_store: Store, tickets: Tickets, clock: Clock) -> None:
    first = await open_ticket(sqlite_store, tickets)
    await close_ticket(sqlite_store, tickets, clock, first)
    clock.now += 60
    second = await open_ticket(sqlite_store, tickets)
    await close_ticket(sqlite_store, tickets, clock, second)
    asked = tickets.rating_request("a", "x")
    assert asked is not None and asked.ticket == second
    assert await sqlite_store.write(lambda s: tickets.rate(s, asked, "a", "x", 4))
    assert tickets.rating_request("a", "x") is None
    assert not await sqlite_store.write(lambda s: tickets.rate(s, asked, "a", "x", 5)), "there is one already"
    marks = await sqlite_store.read(lambda s: [s.get_one(Ticket, number).mark for number in (first, second)])
    assert marks == [None, 4]
    assert (await reload_tickets(sqlite_store, clock)).rating_request("a", "x") is None, (
        "the first is not asked for again"
    )


async def test_rating_goes_to_the_later_of_two_closed_together(
    sqlite_store: Store, tickets: Tickets, clock: Clock
) -> None:
    numbers = []
    for _ in range(2):
        numbers.append(await open_ticket(sqlite_store, tickets))
        await close_ticket(sqlite_store, tickets, clock, numbers[-1])
    asked = (await reload_tickets(sqlite_store, clock)).rating_request("a", "x")
    assert asked is not None and asked.ticket == numbers[1]


async def test_memory_equals_rows(sqlite_store: Store, tickets: Tickets, clock: Clock) -> None:
    waiting = await open_ticket(sqlite_store, tickets, state=TicketState.WAITING)
    other = await open_ticket(sqlite_store, tickets, contact_id="y")
    gone = await open_ticket(sqlite_store, tickets, contact_id="z")
    await close_ticket(sqlite_store, tickets, clock, gone)
    for shown in (tickets, await reload_tickets(sqlite_store, clock)):
        assert sorted(ticket.id or 0 for ticket in shown) == [waiting, other]
        first = shown.of("a", "x")
        assert first is not None and first.id == waiting and (first.opened_at, first.last_at) == (clock.now, clock.now)
        assert shown.get(other) is shown.of("a", "y")
        assert shown.get(gone) is None and shown.of("a", "z") is None
        assert shown.of("b", "x") is None
        assert (shown.has_open("a", "x"), shown.has_open("a", "y"), shown.has_open("a", "z")) == (False, True, False)


async def test_change_updates_memory_and_row(sqlite_store: Store, tickets: Tickets, clock: Clock) -> None:
    number = await open_ticket(sqlite_store, tickets)
    assert await sqlite_store.write(lambda s: tickets.change(s, number, staff_id="w", quiet_seconds=7))
    ticket = tickets.get(number)
    assert ticket is not None and (ticket.staff_id, ticket.quiet_seconds) == ("w", 7)
    assert (await sqlite_store.read(lambda s: s.get_one(Ticket, number))).staff_id == "w"
    await close_ticket(sqlite_store, tickets, clock, number)
    assert not await sqlite_store.write(lambda s: tickets.change(s, number, staff_id="late")), "it is closed"
    assert (await sqlite_store.read(lambda s: s.get_one(Ticket, number))).staff_id == "w"


async def test_failed_transaction_leaves_memory_unchanged(sqlite_store: Store, tickets: Tickets) -> None:
    await open_ticket(sqlite_store, tickets)
    with pytest.raises(IntegrityError):
        await open_ticket(sqlite_store, tickets)
    assert len(list(tickets)) == 1


async def test_closed_ticket_is_reopened(sqlite_store: Store, tickets: Tickets, clock: Clock) -> None:
    number = await open_ticket(sqlite_store, tickets, staff_id="w", answered_at=1.0, reminders=3, quiet_seconds=9)
    assert not await sqlite_store.write(lambda s: tickets.reopen(s, number)), "it is open"
    assert not await sqlite_store.write(lambda s: tickets.reopen(s, 99)), "there is none"
    await close_ticket(sqlite_store, tickets, clock, number)
    clock.now += 100
    assert await sqlite_store.write(lambda s: tickets.reopen(s, number))
    ticket = tickets.of("a", "x")
    assert ticket is not None and ticket is tickets.get(number)
    stored = await sqlite_store.read(lambda s: s.get_one(Ticket, number))
    for item in (ticket, stored):
        assert (item.state, item.staff_id, item.closed_at, item.closed_by) == (TicketState.OPEN, "w", None, "")
        assert (item.last_at, item.reminded_at, item.answered_at) == (clock.now, clock.now, None)
        assert (item.reminders, item.quiet_seconds) == (0, 0)
    assert tickets.rating_request("a", "x") is None


async def test_ticket_is_not_reopened_while_person_has_another(
    sqlite_store: Store, tickets: Tickets, clock: Clock
) -> None:
    number = await open_ticket(sqlite_store, tickets)
    await close_ticket(sqlite_store, tickets, clock, number)
    await open_ticket(sqlite_store, tickets)
    assert not await sqlite_store.write(lambda s: tickets.reopen(s, number))
    assert (await sqlite_store.read(lambda s: s.get_one(Ticket, number))).state == TicketState.CLOSED


async def test_every_change_notifies_pages(sqlite_store: Store, clock: Clock) -> None:
    changes = ChangeFeed()
    tickets = Tickets(sqlite_store, changes, clock)
    number = await open_ticket(sqlite_store, tickets)
    await sqlite_store.write(lambda s: tickets.change(s, number, staff_id="w"))
    await close_ticket(sqlite_store, tickets, clock, number)
    asked = tickets.rating_request("a", "x")
    assert asked is not None
    await sqlite_store.write(lambda s: tickets.rate(s, asked, "a", "x", 5))
    await sqlite_store.write(lambda s: tickets.reopen(s, number))
    told = [(change.kind, change.facts) for change in changes._changes]
    assert told == [("ticket", {"id": number})] * 5


async def test_rating_memory_is_bounded(sqlite_store: Store, tickets: Tickets, clock: Clock) -> None:
    """Expired entries are dropped from ten thousand on."""
    for person in range(10_000):
        tickets._request_rating(Ticket(id=person, contact_id=f"old{person}", **_rest()), clock.now)
    assert len(tickets._rating_requests) == 10_000
    tickets._request_rating(Ticket(id=10_000, contact_id="new", **_rest()), clock.now + DAY)
    assert set(tickets._rating_requests) == {("a", "new")}


def _rest() -> dict[str, Any]:
    return {"account": "a", "state": TicketState.CLOSED, "opened_at": 0.0, "last_at": 0.0}
