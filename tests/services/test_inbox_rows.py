"""Rows of the inbox: state of the account, attempts, and reused ids."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlmodel import Session, select

from models.db import Store
from models.durable import EventState, InboxEvent
from models.fence import accounts_of
from services.work.inbox_table import InboxRows, end_event
from tests.services.conftest import until
from tests.services.inbox_harness import InboxHarness, wait_until_stored
from wechat.events import REUSED_ID_MARK, RawEvent

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def raw(id: str, text: str = "", account: str = "a", **more: Any) -> RawEvent:
    return RawEvent(account, id, "message", {"text": text}, NOW, **more)


async def test_every_write_needs_the_account_to_be_held(sqlite_store: Store) -> None:
    table = InboxRows("a")
    writes: list[Callable[[Session], object]] = [
        partial(table.insert, raws=[raw("x-1")]),
        partial(table.end, ends=[{"row": 1, "to": EventState.DONE, "by": "test"}]),
        partial(end_event, account="a", row=1, handler="test"),
        table.forget_tries,
    ]
    for write in writes:

        def named(session: Session, write: Callable[[Session], object] = write) -> set[str]:
            write(session)
            return set(accounts_of(session))

        assert await sqlite_store.write(named) == {"a"}


async def test_attempts_are_counted_and_forgotten(sqlite_store: Store) -> None:
    """Of the account's open events only: what is over keeps its number, and others have their own inbox."""
    table = InboxRows("a")
    first = await sqlite_store.write(lambda s: table.insert(s, [raw("open"), raw("over"), raw("untouched")]))
    other = await sqlite_store.write(lambda s: InboxRows("b").insert(s, [raw("other", account="b")]))
    rows = {**first, **other}
    tried = [{"row": rows[name]} for name in ("open", "over", "other")]
    for _ in range(2):
        await sqlite_store.write(lambda s: table.count_tries(s, tried))
    await sqlite_store.write(lambda s: end_event(s, "a", rows["over"], "test"))
    assert await _tries(sqlite_store) == {"open": 2, "over": 2, "untouched": 0, "other": 2}
    await sqlite_store.write(table.forget_tries)
    assert await _tries(sqlite_store) == {"open": 0, "over": 2, "untouched": 0, "other": 2}
    opened = await sqlite_store.read(table.open_rows)
    assert [row.event_id for row in opened] == ["open", "untouched"]


async def _tries(store: Store) -> dict[str, int]:
    rows = await store.read(lambda s: s.exec(select(InboxEvent)).all())
    return {row.event_id: row.tries for row in rows}


async def test_an_id_used_again_for_something_else_is_handled(sqlite_store: Store) -> None:
    """Some gateways number their messages anew after a restart."""
    harness = InboxHarness(sqlite_store)
    await harness.inbox.start()
    await harness.inbox.take(raw("x-1", "one"))
    await until(lambda: harness.handled == ["x-1"])
    await wait_until_stored(harness)
    for text in ("one", "other", "other"):
        await harness.inbox.take(raw("x-1", text))
        await until(lambda: len(harness.inbox) == 0, "compared")
    assert len(harness.handled) == 2
    assert harness.handled[1].startswith(f"x-1{REUSED_ID_MARK}")
    await harness.inbox.stop(1)


async def test_batch_and_extra_write_are_stored_together_or_not_at_all(sqlite_store: Store) -> None:
    harness = InboxHarness(sqlite_store)
    await harness.inbox.start()
    done: list[str] = []

    def fails(_session: Session) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await harness.inbox.take_all([raw("x-1"), raw("x-2")], fails)
    assert (len(harness.inbox), await harness.states()) == (0, {})
    await harness.inbox.take_all([raw("x-1"), raw("x-2")], lambda _session: done.append("both"))
    await until(lambda: harness.handled == ["x-1", "x-2"])
    await harness.inbox.take_all([], lambda _session: done.append("none"))
    await until(lambda: len(harness.inbox) == 0)
    assert done == ["both", "none"]
    await harness.inbox.stop(1)


async def test_a_batch_waits_while_the_inbox_is_full(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.work.inbox.MAX_IN_MEMORY", 1)
    harness = InboxHarness(sqlite_store)
    gate = harness.slow_handler["x-1"] = asyncio.Event()
    await harness.inbox.start()
    await harness.inbox.take(raw("x-1"))
    batch = asyncio.create_task(harness.inbox.take_all([raw("x-2")], lambda _session: None))
    await until(lambda: harness.rows_seen, "the first is being handled")
    assert (len(harness.inbox), batch.done()) == (1, False)
    gate.set()
    await batch
    await until(lambda: harness.handled == ["x-1", "x-2"])
    await harness.inbox.stop(1)
