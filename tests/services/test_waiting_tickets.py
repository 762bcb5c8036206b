"""Announcing tickets that wait for office hours or for a staff room."""

from __future__ import annotations

import pytest

from errors import WeChatRefused
from models.support import TicketState
from tests.services.parts import ACCOUNT, STAFF, ZHI, Parts
from tests.services.staffed import (
    ADMIN,
    CLOSED_AT_NIGHT,
    ROOM,
    appoint_admin,
    close,
    in_memory,
    open_staff_room,
    open_ticket,
    waiting_ticket,
)
from wechat.interface import PUPPET, Capability, State


async def test_waiting_tickets_are_announced_when_there_is_a_room(parts: Parts) -> None:
    ticket = await waiting_ticket(parts)
    await waiting_ticket(parts, who=ZHI, name="智多星")
    await open_ticket(parts, who=STAFF, name="店长")
    assert await parts.container.waiting_tickets.announce() == 0
    assert parts.wechat.calls == ["read_new_rooms"], "some gateways do not report new groups; once for the account"
    await open_staff_room(parts)
    assert await parts.container.waiting_tickets.announce() == 2
    assert [text[:5] for text in await parts.queued_texts(ROOM)] == ["【#1 黑", "【#2 智"]
    assert in_memory(parts, ticket).state == TicketState.OPEN
    assert await parts.container.waiting_tickets.announce() == 0
    assert parts.wechat.calls == ["read_new_rooms"]


async def test_waiting_tickets_wait_for_the_office_hours(parts: Parts) -> None:
    await open_staff_room(parts)
    await waiting_ticket(parts)
    parts.clock.now += CLOSED_AT_NIGHT
    assert await parts.container.waiting_tickets.announce() == 0
    assert await parts.queued() == []
    parts.clock.now += 5 * 3600
    assert await parts.container.waiting_tickets.announce() == 1


@pytest.mark.parametrize(("left", "announced"), [(0.0, 1), (1.0, 0)])
async def test_rejected_ticket_is_announced_again_later(parts: Parts, left: float, announced: int) -> None:
    await open_staff_room(parts)
    await waiting_ticket(parts, not_before=parts.clock.now + left)
    assert await parts.container.waiting_tickets.announce() == announced


async def test_ticket_of_a_removed_account_stays_waiting(parts: Parts) -> None:
    await open_staff_room(parts)
    ticket = await waiting_ticket(parts)
    parts.container.accounts.remove(ACCOUNT)
    assert await parts.container.waiting_tickets.announce() == 0
    assert in_memory(parts, ticket).state == TicketState.WAITING


async def test_unreadable_groups_and_offline_accounts_are_tried_again_later(parts: Parts) -> None:
    ticket = await waiting_ticket(parts)
    parts.wechat.fails["read_new_rooms"] = WeChatRefused("Rooms", "no")
    assert await parts.container.waiting_tickets.announce() == 0
    parts.wechat.state = State.CONNECTING
    assert await parts.container.waiting_tickets.announce() == 0
    assert parts.wechat.calls == ["read_new_rooms"]
    assert in_memory(parts, ticket).state == TicketState.WAITING


async def test_waiting_ticket_of_a_channel_without_groups_is_announced(parts: Parts) -> None:
    appoint_admin(parts)
    parts.wechat.capabilities = PUPPET - {Capability.ROOM_MESSAGES}
    await waiting_ticket(parts)
    assert await parts.container.waiting_tickets.announce() == 1
    assert len(await parts.queued_texts(ADMIN)) == 1
    assert parts.wechat.calls == []


async def test_ticket_closed_meanwhile_is_not_announced(parts: Parts) -> None:
    await open_staff_room(parts)
    ticket = await waiting_ticket(parts)
    await close(parts, ticket)
    await parts.write(lambda s: parts.container.waiting_tickets._announce(s, ticket, ROOM))
    assert await parts.queued() == []
