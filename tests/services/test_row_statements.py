"""Statements for many rows do the same on both databases."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from models.db import Store
from models.durable import InboxEvent, OutboxItem, WorkState
from services.work.inbox_table import InboxRows, end_event
from services.work.outbox_rows import CANCEL_REQUESTED, END, INSERT
from tests.services.test_inbox_rows import raw

TEXTS = ("", "引号'\"\\", "换行\n制表\t", "😀", "{}", "null", "%(rows)s")


def job(number: int, **more: Any) -> dict[str, Any]:
    usual = {"queue": "wx:a", "account": "a", "key": f"k{number}", "priority": "a-reply", "body": "{}", "error": ""}
    state = {"state": WorkState.QUEUED, "attempts": 0, "result": "", "idempotency_key": None, "fingerprint": ""}
    return {**usual, **state, "run_at": 0, "created_at": 1764367200.123456 + number, **more}


def end(item: int, to: str, **more: Any) -> dict[str, Any]:
    usual = {"what": "", "why": "", "tries": 1, "again_at": 0.0, "retried": False, "now": 5.25, "ended": 5.25}
    return {"item": item, "to": to, **usual, **more}


async def insert(store: Store, *rows: dict[str, Any]) -> list[int]:
    return await store.write(lambda s: [id for (id,) in INSERT.execute(s.connection(), rows)])


def end_all(session: Session, ids: list[int]) -> None:
    END.execute(session.connection(), [end(id, "sent") for id in ids])


async def stored(store: Store) -> list[OutboxItem]:
    return list(await store.read(lambda s: s.exec(select(OutboxItem).order_by(col(OutboxItem.id))).all()))


async def test_inserted_rows_return_their_ids_in_order(store: Store) -> None:
    ids = await insert(store, *(job(number, body=text, run_at=number) for number, text in enumerate(TEXTS)))
    assert ids == sorted(ids)
    rows = {row.id: row for row in await stored(store)}
    assert [rows[id].body for id in ids] == list(TEXTS), "unchanged"
    assert [rows[id].created_at for id in ids] == [job(n)["created_at"] for n in range(len(TEXTS))]
    assert {rows[id].idempotency_key for id in ids} == {None}
    assert await insert(store) == []


async def test_updates_reach_their_rows(store: Store) -> None:
    sent, retried, cancelled, other = await insert(store, *map(job, range(4)))

    def write(session: Session) -> None:
        session.get_one(OutboxItem, cancelled).error = CANCEL_REQUESTED
        session.flush()
        again = {"retried": True, "ended": None, "again_at": 9.5}
        ends = [end(sent, "sent", what="m1"), end(retried, "queued", **again), end(cancelled, "queued", **again)]
        END.execute(session.connection(), ends)

    await store.write(write)
    rows = {row.id: row for row in await stored(store)}
    assert (rows[sent].state, rows[sent].result, rows[sent].done_at, rows[sent].attempts) == ("sent", "m1", 5.25, 1)
    assert (rows[retried].state, rows[retried].run_at, rows[retried].done_at) == ("queued", 9.5, None)
    assert (rows[cancelled].state, rows[cancelled].done_at) == ("cancelled", 5.25)
    assert (rows[other].state, rows[other].attempts) == ("queued", 0)


async def test_the_last_of_several_updates_of_a_row_counts(store: Store) -> None:
    """Results wait for each other while the database is away."""
    (id,) = await insert(store, job(1))
    ends = [end(id, "queued", retried=True, tries=1, ended=None), end(id, "sent", what="m1", tries=2)]
    await store.write(lambda s: END.execute(s.connection(), ends))
    (row,) = await stored(store)
    assert (row.state, row.result, row.attempts, row.done_at) == ("sent", "m1", 2, 5.25)


async def test_repeated_events_are_left_out(store: Store) -> None:
    table = InboxRows("a")
    first = await store.write(lambda s: table.insert(s, [raw("x"), raw("y")]))
    second = await store.write(lambda s: table.insert(s, [raw("y"), raw("z"), raw("x")]))
    assert (set(first), set(second)) == ({"x", "y"}, {"z"})
    await store.write(lambda s: end_event(s, "a", second["z"], "test"))
    rows = await store.read(lambda s: s.exec(select(InboxEvent)).all())
    assert {row.event_id: row.state for row in rows} == {"x": "new", "y": "new", "z": "done"}
    assert {row.id: row.event_id for row in rows} == {id: name for name, id in (first | second).items()}


async def test_invalid_row_is_refused(store: Store) -> None:
    await insert(store, job(1, idempotency_key="once"))
    with pytest.raises(DBAPIError):
        await insert(store, job(2), job(3, idempotency_key="once"))
    assert len(await stored(store)) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_postgres_gets_one_statement_for_any_number_of_rows(store: Store) -> None:
    """The driver keeps prepared statements, and would await each row."""
    statements: list[str] = []

    def executed(_connection: Any, _cursor: Any, sql: str, _values: Any, _context: Any, is_many: bool) -> None:
        if "INSERT INTO outboxitem" in sql or "UPDATE outboxitem" in sql:
            assert not is_many
            statements.append(sql)

    event.listen(store.engine, "before_cursor_execute", executed)
    for count in (1, 7, 100):
        await store.write(partial(end_all, ids=await insert(store, *map(job, range(count)))))
    assert len(statements) == 6
    assert len(set(statements)) == 2
    assert {row.state for row in await stored(store)} == {"sent"}
