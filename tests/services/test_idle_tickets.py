"""Closing idle tickets."""

from __future__ import annotations

from typing import Any

import pytest

from models.support import Ticket, TicketState
from tests.services.parts import ACCOUNT, STAFF, ZHI, OpenParts, Parts
from tests.services.staffed import (
    CLOSED_AT_NIGHT,
    HOOK,
    ROOM,
    close,
    in_memory,
    open_staff_room,
    open_ticket,
    stored,
)
from wechat.interface import State

MINUTE = 60.0


async def leave_staff_room(parts: Parts) -> None:
    parts.wechat.directory.drop_room(ROOM)


async def pass_minutes(parts: Parts, minutes: int) -> int:
    """Run the job every minute; return the number of closed tickets."""
    closed = 0
    for _ in range(minutes):
        parts.clock.now += MINUTE
        closed += await parts.container.idle_tickets.close()
    return closed


async def answered_ticket(parts: Parts, **values: Any) -> Ticket:
    ticket = await open_ticket(parts, **{"staff_id": STAFF, "answered_at": parts.clock.now, **values})
    await parts.container.idle_tickets.close()  # the first run only notes who can talk
    return ticket


@pytest.fixture
async def desk(open_parts: OpenParts) -> Parts:
    """With a staff room, where idle tickets end after three minutes."""
    parts = await open_parts(customer_service={"faq": "", "handoff": {"idle_minutes": 3}}, webhooks=[HOOK])
    await open_staff_room(parts)
    return parts


async def test_idle_ticket_is_closed(desk: Parts) -> None:
    ticket = await answered_ticket(desk)
    assert await pass_minutes(desk, 2) == 0
    assert in_memory(desk, ticket).quiet_seconds == 2 * MINUTE
    assert await pass_minutes(desk, 1) == 1
    row = await stored(desk, ticket)
    assert (row.state, row.closed_by) == (TicketState.CLOSED, "idle")
    told = desk.container.config.texts.ticket_idle.format(number=1, name="黑旋风", minutes="3")
    assert await desk.queued_texts(ROOM) == [told]
    assert await pass_minutes(desk, 5) == 0


async def test_every_idle_ticket_is_closed(desk: Parts) -> None:
    await answered_ticket(desk)
    await answered_ticket(desk, who=ZHI)
    assert await pass_minutes(desk, 3) == 2


async def test_message_restarts_the_idle_time(desk: Parts) -> None:
    ticket = await answered_ticket(desk)
    await pass_minutes(desk, 2)
    now = desk.clock.now + 30
    await desk.write(lambda s: desk.container.tickets.change(s, 1, last_at=now, quiet_seconds=0))
    await pass_minutes(desk, 1)
    assert in_memory(desk, ticket).quiet_seconds == 30
    assert await pass_minutes(desk, 2) == 0
    assert await pass_minutes(desk, 1) == 1


@pytest.mark.parametrize("values", [{"answered_at": None}, {"state": TicketState.WAITING}])
async def test_unanswered_and_waiting_tickets_are_not_idle(desk: Parts, values: dict[str, Any]) -> None:
    await answered_ticket(desk, **values)
    assert await pass_minutes(desk, 4) == 0


@pytest.mark.parametrize("why", ["offline", "no room", "closed office", "unknown account"])
async def test_time_in_which_staff_cannot_answer_does_not_count(desk: Parts, why: str) -> None:
    ticket = await answered_ticket(desk)
    await pass_minutes(desk, 1)
    room, now = desk.wechat.directory.rooms[ROOM], desk.clock.now
    if why == "offline":
        desk.wechat.state = State.CONNECTING
    elif why == "no room":
        await leave_staff_room(desk)
    elif why == "closed office":
        desk.clock.now += CLOSED_AT_NIGHT
    else:
        desk.container.accounts.remove(ACCOUNT)
    assert await pass_minutes(desk, 5) == 0
    assert in_memory(desk, ticket).quiet_seconds == MINUTE
    desk.clock.now = now + 24 * 3600 + MINUTE
    desk.wechat.state = State.ONLINE
    desk.wechat.directory.put_room(room)
    desk.container.accounts.add(desk.wechat.whole())
    assert await pass_minutes(desk, 1) == 0
    assert in_memory(desk, ticket).quiet_seconds == MINUTE, "the first run after it only notes who can talk"
    await pass_minutes(desk, 1)
    assert in_memory(desk, ticket).quiet_seconds == 2 * MINUTE


async def test_at_most_five_minutes_count_between_two_runs(open_parts: OpenParts) -> None:
    """The machine may have been suspended."""
    parts = await open_parts()
    await open_staff_room(parts)
    ticket = await answered_ticket(parts)
    parts.clock.now += 3600
    await parts.container.idle_tickets.close()
    assert in_memory(parts, ticket).quiet_seconds == 300


async def test_message_during_the_run_keeps_the_ticket_open(desk: Parts) -> None:
    ticket = await answered_ticket(desk)
    desk.clock.now += 3 * MINUTE
    closing = desk.container.idle_tickets.close()
    write = desk.container.store.write

    async def write_after_message(fn: Any) -> Any:
        await write(lambda s: desk.container.tickets.change(s, 1, last_at=desk.clock.now))
        return await write(fn)

    desk.container.store.write = write_after_message  # type: ignore[method-assign]
    assert await closing == 0
    assert in_memory(desk, ticket).state == TicketState.OPEN


async def test_ticket_closed_during_the_run_is_left_alone(desk: Parts) -> None:
    ticket = await answered_ticket(desk)
    desk.clock.now += 3 * MINUTE
    write = desk.container.store.write

    async def write_after_end(fn: Any) -> Any:
        desk.container.store.write = write  # type: ignore[method-assign]
        await close(desk, ticket)
        return await write(fn)

    desk.container.store.write = write_after_end  # type: ignore[method-assign]
    assert await desk.container.idle_tickets.close() == 0
    assert (await stored(desk, ticket)).closed_by == STAFF


async def test_clock_set_back_does_not_reduce_the_silence(desk: Parts) -> None:
    ticket = await answered_ticket(desk)
    await pass_minutes(desk, 1)
    desk.clock.now -= 30
    await desk.container.idle_tickets.close()
    assert in_memory(desk, ticket).quiet_seconds == MINUTE
