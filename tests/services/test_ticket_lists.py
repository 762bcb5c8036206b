"""Which tickets and messages the console and the API show; the paging is tested in test_lists.py."""

from __future__ import annotations

from typing import Any

import pytest

from models.conversations import StoredMessage
from models.db import Store
from models.support import Ticket, TicketState
from services.paging import PageRequest
from services.support.lists import (
    TicketView,
    count_unfinished,
    list_for_agent,
    list_tickets,
    read_conversation,
    read_ticket,
)

PAGE = PageRequest.parse("20", None)


def ticket(number: int, state: TicketState = TicketState.OPEN, **values: Any) -> Ticket:
    times = {"opened_at": 1000.0 + number, "last_at": 2000.0}
    return Ticket(id=number, contact_id=f"wxid_{number}", state=state, **{"account": "a", **times, **values})


async def put(store: Store, *rows: Any) -> None:
    await store.write(lambda s: s.add_all(rows))


async def test_unfinished_tickets_are_counted(sqlite_store: Store) -> None:
    assert await sqlite_store.read(count_unfinished) == (0, 0, None)
    await put(
        sqlite_store,
        ticket(1, TicketState.CLOSED),
        ticket(2, staff_id="w"),
        ticket(3, TicketState.WAITING),
        ticket(4, account="b"),
    )
    assert await sqlite_store.read(count_unfinished) == (3, 2, 1003.0)


@pytest.fixture
async def desk(sqlite_store: Store) -> Store:
    await put(
        sqlite_store,
        ticket(1, TicketState.CLOSED, name="李逵", staff_id="w"),
        ticket(2, staff_id="w", name="100%"),
        ticket(3, staff_id="v", name="李四"),
        ticket(4, TicketState.WAITING, name="12"),
        ticket(12, account="b"),
    )
    return sqlite_store


@pytest.mark.parametrize(
    ("view", "q", "numbers"),
    [
        (TicketView.WAITING, "", [12, 4]),
        (TicketView.MINE, "", [2]),
        (TicketView.OPEN, "", [12, 4, 3, 2]),
        (TicketView.CLOSED, "", [1]),
        (TicketView.OPEN, "李", [3]),
        (TicketView.OPEN, "%", [2]),
        (TicketView.OPEN, "12", [12, 4]),
        (TicketView.OPEN, "#3", [3]),
        (TicketView.OPEN, "#", []),
        (TicketView.OPEN, "9" * 15, []),
        (TicketView.OPEN, "9" * 16, []),
        (TicketView.OPEN, "9" * 30, []),
    ],
)
async def test_views_of_an_agent(desk: Store, view: TicketView, q: str, numbers: list[int]) -> None:
    page = await desk.read(lambda s: list_for_agent(s, view, "w", q, PAGE))
    assert [row.id for row in page.rows] == numbers


@pytest.mark.parametrize(
    ("account", "state", "numbers"),
    [
        ("", None, [12, 4, 3, 2, 1]),
        ("a", None, [4, 3, 2, 1]),
        ("", TicketState.OPEN, [12, 3, 2]),
        ("a", TicketState.CLOSED, [1]),
        ("c", None, []),
    ],
)
async def test_tickets_by_account_and_state(
    desk: Store, account: str, state: TicketState | None, numbers: list[int]
) -> None:
    page = await desk.read(lambda s: list_tickets(s, account, state, PAGE))
    assert [row.id for row in page.rows] == numbers


def said(number: int, at: float, ticket_id: int | None = None, **values: Any) -> StoredMessage:
    fields = {"account": "a", "conversation": "wxid_1", "by": "wxid_1", "kind": "text", "text": "x", **values}
    return StoredMessage(id=number, at=at, ticket=ticket_id, **fields)


async def test_messages_of_a_ticket_and_around_it(sqlite_store: Store) -> None:
    await put(sqlite_store, ticket(1, TicketState.CLOSED, closed_at=100.0))
    await put(
        sqlite_store,
        said(1, 10.0),
        said(2, 20.0, 1),
        said(3, 160.0),
        said(4, 161.0),
        said(5, 500.0, 1),
        said(6, 50.0, account="b"),
        said(7, 50.0, conversation="wxid_9"),
    )
    talk = await sqlite_store.read(lambda s: read_conversation(s, 1, PAGE))
    assert talk is not None
    assert (talk[0].id, [row.id for row in talk[1].rows]) == (1, [5, 3, 2, 1]), "a minute after its end belongs to it"
    own = await sqlite_store.read(lambda s: read_ticket(s, 1, PAGE))
    assert own is not None
    assert (own[0].id, [row.id for row in own[1].rows]) == (1, [5, 2])
    assert await sqlite_store.read(lambda s: read_conversation(s, 99, PAGE)) is None
    assert await sqlite_store.read(lambda s: read_ticket(s, 99, PAGE)) is None


async def test_talk_of_an_open_ticket_has_all_messages(sqlite_store: Store) -> None:
    await put(sqlite_store, ticket(1), said(1, 10.0), said(2, 9e9))
    talk = await sqlite_store.read(lambda s: read_conversation(s, 1, PAGE))
    assert talk is not None and [row.id for row in talk[1].rows] == [2, 1]
