"""What is read of accounts when a process begins to serve them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session

from models.db import Store
from models.durable import DirectoryRow
from services.work import relay_position
from services.work.inbox_table import InboxRows, end_event
from services.work.stored_state import StoredState, StoredStates
from tests.services.test_inbox_rows import raw

NAMES = [f"a{number}" for number in range(20)]


def prepare(session: Session) -> None:
    for name in NAMES[:10]:
        rows = InboxRows(name).insert(session, [raw(f"{name}-{n}", account=name) for n in range(3)])
        end_event(session, name, rows[f"{name}-1"], "test")
        relay_position.store(session, name, f"at-{name}")
        session.add(DirectoryRow(account=name, data=name.encode(), saved_at=1.0))


async def test_states_of_many_accounts_are_read_together(store: Store) -> None:
    await store.write(prepare)
    commits: list[Any] = []
    event.listen(store.engine, "commit", commits.append)
    states = StoredStates(store)
    begun = await asyncio.gather(*(states.begin(name, 7) for name in NAMES))
    assert len(commits) == 1
    for name, state in zip(NAMES, begun, strict=True):
        assert state.epoch == 7
        if name in NAMES[:10]:
            assert [row.event_id for row in state.events] == [f"{name}-0", f"{name}-2"], "the unfinished ones"
            assert (state.position, state.directory) == (f"at-{name}", name.encode())
        else:
            assert (list(state.events), state.position, state.directory) == ([], "", None)


async def test_epochs_rise_without_a_lease(store: Store) -> None:
    states = StoredStates(store)
    first = await states.begin("a", None)
    assert (await states.begin("b", 2**40)).epoch == 2**40
    assert (await states.begin("b", None)).epoch == 2**40 + 1, "also after a lease"
    assert (await states.begin("a", None)).epoch > first.epoch


async def test_state_is_read_after_the_writes_before(store: Store) -> None:
    """An earlier inbox of the account may have a write whose result is not known yet."""
    written = store.write_soon(lambda s: InboxRows("a").insert(s, [raw("x")]))
    state = await StoredStates(store).begin("a", 1)
    assert [row.event_id for row in state.events] == ["x"]
    await written


async def test_account_begins_with_the_later_of_two_leases(store: Store) -> None:
    states = StoredStates(store)
    outdated, state = await asyncio.gather(states.begin("a", 7), states.begin("a", 8), return_exceptions=True)
    assert isinstance(outdated, LookupError)
    assert isinstance(state, StoredState) and state.epoch == 8


async def test_failure_reaches_every_account(store: Store) -> None:
    states = StoredStates(store)
    await store.close()
    outcomes = await asyncio.gather(*(states.begin(name, 1) for name in NAMES), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {RuntimeError}
    with pytest.raises(RuntimeError):
        await states.begin("a", 1)
