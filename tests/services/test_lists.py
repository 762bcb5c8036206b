"""Lists in pages: complete, newest first, stable while rows are added, with few queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session, SQLModel

from errors import InvalidParameter
from models.conversations import StoredMessage
from models.db import Store
from models.durable import Action, OutboxItem, WorkState
from models.groups import Membership, MemberState, Qun, QunState, QunTag
from models.support import Ticket, TicketState
from services.accounts.audit_list import AuditFilter, list_actions
from services.groups.lists import QunFilter, list_members, list_quns
from services.messaging.webhook_delivery import list_deliveries
from services.paging import Page, PageRequest
from services.support.lists import list_tickets, read_ticket

Read = Callable[[Session, PageRequest], Page[Any]]


def qun(number: int, **more: Any) -> Qun:
    fields = {
        "number": number, "code": f"c{number}", "account": "a", "owner": "宋公明", "owner_id": "wxid_song",
        "companion_id": "wxid_zhi", "topic": f"群{number}", "token": f"t{number}", "public_id": f"p{number}",
        "state": QunState.ACTIVE,
    }  # fmt: skip
    return Qun(**{**fields, **more})


def hook(number: int, queue: str, state: str = WorkState.FAILED) -> OutboxItem:
    return OutboxItem(id=number, queue=queue, key="k", body="{}", state=state)


async def put(store: Store, *rows: SQLModel) -> None:
    def write(session: Session) -> None:
        for row in rows:
            session.add(row)
            session.flush()

    await store.write(write)


def _page(read: Read, page: PageRequest, session: Session) -> Any:
    return read(session, page)


def _filtered(read: Callable[..., Any], wanted: object, session: Session, page: PageRequest) -> Any:
    return read(session, wanted, page)


async def numbers(store: Store, read: Read, limit: int = 2) -> list[int]:
    """Return the ids of all rows, page by page."""
    found: list[int] = []
    after = None
    while True:
        wanted = PageRequest.parse(str(limit), after)
        page = await store.read(partial(_page, read, wanted))
        assert len(page.rows) <= limit
        found += [row.number if isinstance(row, Qun) else row.id for row in page.rows]
        if (after := page.next) is None:
            return found


@contextmanager
def queries(store: Store) -> Iterator[list[str]]:
    """Record the database queries in the context."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


async def test_groups_are_filtered_by_every_field(store: Store) -> None:
    await put(
        store,
        qun(1, owner="黑旋风", owner_id="wxid_hei"),
        qun(2, account="b"),
        qun(3, state=QunState.LOST, topic="100%"),
        qun(4),
        qun(5, topic="100个"),
        QunTag(number=4, tag="vip"),
        QunTag(number=2, tag="vip"),
    )
    wanted: list[tuple[QunFilter, list[int]]] = [
        (QunFilter(), [5, 4, 3, 2, 1]),
        (QunFilter(account="a"), [5, 4, 3, 1]),
        (QunFilter(account="a", state=QunState.ACTIVE), [5, 4, 1]),
        (QunFilter(state=QunState.LOST), [3]),
        (QunFilter(owner="黑旋风"), [1]),
        (QunFilter(owner="wxid_hei"), [1]),
        (QunFilter(tag="vip"), [4, 2]),
        (QunFilter(tag="vip", account="b"), [2]),
        (QunFilter(q="100%"), [3]),
        (QunFilter(q="c4"), [4]),
        (QunFilter(q="无"), []),
    ]
    for which, found in wanted:
        assert await numbers(store, partial(_filtered, list_quns, which)) == found, which


async def test_list_is_stable_while_rows_are_added(store: Store) -> None:
    await put(store, *(qun(number) for number in range(1, 6)))
    first = await store.read(lambda s: list_quns(s, QunFilter(), PageRequest(2)))
    await put(store, qun(6), qun(7))
    second = await store.read(lambda s: list_quns(s, QunFilter(), PageRequest.parse("2", first.next)))
    assert [[row.number for row in page.rows] for page in (first, second)] == [[5, 4], [3, 2]]


async def test_members_are_filtered_by_group_and_state(store: Store) -> None:
    await put(store, qun(1), qun(2))

    def member(number: int, who: str, state: str) -> Membership:
        return Membership(number=number, who=who, account="a", contact_id=who, name=who, state=state)

    await put(
        store,
        member(1, "x", MemberState.JOINED),
        member(2, "x", MemberState.JOINED),
        member(1, "y", MemberState.LEFT),
        member(1, "z", MemberState.JOINED),
    )
    assert await numbers(store, lambda s, p: list_members(s, 1, MemberState.JOINED, p), 1) == [4, 1]
    assert await numbers(store, lambda s, p: list_members(s, 1, MemberState.LEFT, p)) == [3]
    assert await numbers(store, lambda s, p: list_members(s, 3, MemberState.JOINED, p)) == []


async def test_tickets_and_their_messages(store: Store) -> None:
    def ticket(account: str, who: str, state: str) -> Ticket:
        return Ticket(account=account, contact_id=who, state=state, opened_at=1, last_at=1)

    def said(number: int | None, text: str) -> StoredMessage:
        return StoredMessage(account="a", conversation="x", by="x", at=1, kind="text", text=text, ticket=number)

    await put(
        store,
        ticket("a", "x", TicketState.CLOSED),
        ticket("b", "x", TicketState.OPEN),
        ticket("a", "x", TicketState.OPEN),
        said(None, "before"),
        said(3, "one"),
        said(1, "other"),
        said(3, "two"),
        said(3, "three"),
    )
    assert await numbers(store, lambda s, p: list_tickets(s, "", None, p)) == [3, 2, 1]
    assert await numbers(store, lambda s, p: list_tickets(s, "a", None, p), 1) == [3, 1]
    assert await numbers(store, lambda s, p: list_tickets(s, "a", TicketState.OPEN, p)) == [3]
    found = await store.read(lambda s: read_ticket(s, 3, PageRequest(2)))
    assert found is not None
    assert [row.text for row in found[1].rows] == ["three", "two"]
    assert found[1].next is not None
    assert await store.read(lambda s: read_ticket(s, 9, PageRequest())) is None


async def test_audit_log_is_filtered_by_time_kind_and_actor(store: Store) -> None:
    for at, kind, who in (
        (10, "add", "rest:erp"),
        (20, "group", "guard"),
        (30, "add", "guard"),
        (40, "add", "rest:erp"),
    ):
        await put(store, Action(at=at, account="a", kind=kind, who=who))
    for wanted, found in (
        (AuditFilter(), [4, 3, 2, 1]),
        (AuditFilter(since=20), [4, 3, 2]),
        (AuditFilter(since=41), []),
        (AuditFilter(kind="add"), [4, 3, 1]),
        (AuditFilter(who="rest:erp"), [4, 1]),
        (AuditFilter(since=15, kind="add", who="rest:erp"), [4]),
        (AuditFilter(who="rest"), []),
    ):
        assert await numbers(store, partial(_filtered, list_actions, wanted)) == found, wanted


async def test_deliveries_are_not_listed_as_messages(store: Store) -> None:
    await put(
        store,
        hook(1, "hook:erp"),
        hook(2, "wx:a"),
        hook(3, "hook:crm"),
        hook(4, "hook:erp"),
        hook(5, "hook:erp", WorkState.SENT),
    )
    assert await numbers(store, lambda s, p: list_deliveries(s, "", WorkState.FAILED, p)) == [4, 3, 1]
    assert await numbers(store, lambda s, p: list_deliveries(s, "erp", WorkState.FAILED, p), 1) == [4, 1]
    assert await numbers(store, lambda s, p: list_deliveries(s, "", WorkState.SENT, p)) == [5]


async def test_page_takes_at_most_three_queries(store: Store) -> None:
    await put(store, *(qun(number) for number in range(1, 9)), Action(at=1, account="a", kind="k", who="w"))
    reads: tuple[Read, ...] = (
        lambda s, p: list_quns(s, QunFilter(owner="宋公明", q="群"), p),
        lambda s, p: list_members(s, 1, MemberState.JOINED, p),
        lambda s, p: list_tickets(s, "a", TicketState.OPEN, p),
        lambda s, p: list_actions(s, AuditFilter(0, "k", "w"), p),
        lambda s, p: list_deliveries(s, "x", WorkState.FAILED, p),
    )
    for read in reads:
        with queries(store) as asked:
            await store.read(partial(_page, read, PageRequest(5)))
        selects = [request for request in asked if "SELECT" in request and "FROM" in request]
        assert 1 <= len(selects) <= 3, asked


@pytest.mark.parametrize(
    ("limit", "after"), [("0", None), ("201", None), ("x", None), ("", None), ("-1", None), ("5", "x"), ("5", "9" * 20)]
)
def test_invalid_page_is_rejected(limit: str, after: str | None) -> None:
    with pytest.raises(InvalidParameter):
        PageRequest.parse(limit, after)
