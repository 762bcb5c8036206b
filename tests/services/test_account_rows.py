"""What is stored about accounts: the audit log, assistants, and endpoints that have used TLS."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlmodel import Session, select

from config.settings import AssistantSettings
from models.accounts import StoredAssistant
from models.db import Store
from models.durable import Action, Outcome, Setting
from services.accounts.audit import Audit
from services.accounts.audit_list import AuditFilter, list_actions
from services.accounts.stored_assistants import StoredAssistants
from services.accounts.tls_seen import PREFIX, TlsSeen
from tests.services.clock import Clock
from tests.services.test_lists import _filtered, numbers, put


async def _actions(store: Store) -> list[Action]:
    return list(await store.read(lambda s: s.exec(select(Action)).all()))


# ---- the audit log ----


async def test_attempt_is_recorded_before_its_outcome(sqlite_store: Store, clock: Clock) -> None:
    audit = Audit(sqlite_store, clock)
    first = await audit.begin("a", "add", "guard", "x", number="7")
    second = await audit.begin("a", "add", "guard", "y")
    (row, _) = await _actions(sqlite_store)
    assert (row.id, row.at, row.account, row.kind, row.who, row.target) == (first, clock.now, "a", "add", "guard", "x")
    assert (row.outcome, row.seen, row.detail) == (Outcome.TRIED, "", {"number": "7"})
    await audit.end(first, Outcome.DONE, "s" * 501)
    await audit.end(second, Outcome.FAILED)
    found = [(row.outcome, row.seen) for row in await _actions(sqlite_store)]
    assert found == [("done", "s" * 500), ("failed", "")]


async def test_entry_has_its_id_within_the_transaction(sqlite_store: Store, clock: Clock) -> None:
    audit = Audit(sqlite_store, clock)

    def write(session: Session) -> int | None:
        action = audit.record(session, "a", "add", "guard", "x")
        audit.record_end(session, action.id or 0, Outcome.DONE)
        return action.id

    assert await sqlite_store.write(write) == 1
    assert [row.outcome for row in await _actions(sqlite_store)] == ["done"]


async def test_audit_log_is_searched_by_actor_and_target(sqlite_store: Store) -> None:
    def action(at: float, who: str, target: str) -> Action:
        return Action(at=at, account="a", kind="k", who=who, target=target)

    await put(
        sqlite_store,
        action(1, "person:wxid_song", "x"),
        action(2, "guard", "wxid_song"),
        action(3, "console:wxid_wu", "y"),
        action(4, "rest:erp", "wxid_wu"),
        action(5, "rest:wxid_wu", "100%"),
        action(6, "guard", "1000"),
        action(7, "rest:50%", "z"),
        action(8, "rest:500", "z"),
    )
    for wanted, found in (
        (AuditFilter(q="song"), [2, 1]),
        (AuditFilter(q="100%"), [5]),
        (AuditFilter(q="50%"), [7]),
        (AuditFilter(q="none", ids=["wxid_song"]), [2, 1]),
        (AuditFilter(q="none", ids=["wxid_wu"]), [4, 3]),
        (AuditFilter(q="none"), []),
        (AuditFilter(since=3, q="wxid"), [5, 4, 3]),
        (AuditFilter(since=0), [8, 7, 6, 5, 4, 3, 2, 1]),
    ):
        assert await numbers(sqlite_store, partial(_filtered, list_actions, wanted)) == found, wanted


# ---- assistants ----


def assistant(account: str = "b", **values: Any) -> AssistantSettings:
    return AssistantSettings(account=account, **{"token": "insecure_x", "endpoint": "gw:1", **values})


async def test_assistant_is_stored_and_replaced(sqlite_store: Store, clock: Clock) -> None:
    stored = StoredAssistants(sqlite_store, Audit(sqlite_store, clock), clock)
    began = clock.now
    assert await stored.put(assistant(), "rest:erp")
    clock.now += 10
    assert not await stored.put(assistant(endpoint="gw:2"), "console:x")
    assert await stored.put(assistant("a"), "rest:erp")
    assert [passage.account for passage in await stored.load()] == ["a", "b"]
    assert (await stored.load())[1] == assistant(endpoint="gw:2")
    row = await sqlite_store.read(lambda s: s.get_one(StoredAssistant, "b"))
    assert (row.by, row.created_at, row.updated_at) == ("console:x", began, began + 10)
    found = [(row.account, row.kind, row.who, row.target, row.detail) for row in await _actions(sqlite_store)]
    assert found == [
        ("b", "assistant", "rest:erp", "b", {"new": "true", "before": "", "after": "gw:1"}),
        ("b", "assistant", "console:x", "b", {"new": "false", "before": "gw:1", "after": "gw:2"}),
        ("a", "assistant", "rest:erp", "a", {"new": "true", "before": "", "after": "gw:1"}),
    ]


async def test_place_of_an_assistant_is_noted_without_its_token(sqlite_store: Store, clock: Clock) -> None:
    stored = StoredAssistants(sqlite_store, Audit(sqlite_store, clock), clock)
    await stored.put(assistant(endpoint="", authority="https://gw.test"), "x")
    await stored.put(assistant(endpoint="", token=""), "x")
    details = [row.detail for row in await _actions(sqlite_store)]
    assert [(detail["before"], detail["after"]) for detail in details] == [
        ("", "https://gw.test"),
        ("https://gw.test", ""),
    ]


async def test_assistant_is_removed_once(sqlite_store: Store, clock: Clock) -> None:
    stored = StoredAssistants(sqlite_store, Audit(sqlite_store, clock), clock)
    await stored.put(assistant(), "rest:erp")
    assert [await stored.remove("b", "rest:erp") for _ in range(2)] == [True, False]
    assert await stored.load() == []
    rows = await _actions(sqlite_store)
    assert [(row.kind, row.outcome) for row in rows] == [("assistant", "done"), ("assistant_removed", "done")]


# ---- TLS ----


async def test_endpoint_that_used_tls_is_remembered(sqlite_store: Store) -> None:
    await put(sqlite_store, Setting(key=f"{PREFIX}gw:1", value="1"), Setting(key="other", value="1"))
    seen = TlsSeen(sqlite_store)
    assert "gw:1" not in seen
    await seen.load()
    assert "gw:1" in seen and "other" not in seen and "gw:2" not in seen
    for endpoint in ("gw:2", "gw:1"):
        seen.add(endpoint)
    assert "gw:2" in seen
    await sqlite_store.write(lambda _session: None)
    again = TlsSeen(sqlite_store)
    await again.load()
    assert "gw:2" in again


@pytest.mark.parametrize("known", [True, False])
async def test_endpoint_is_stored_once(sqlite_store: Store, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = TlsSeen(sqlite_store)
    if known:
        seen.add("gw:1")
    writes: list[Any] = []
    monkeypatch.setattr(sqlite_store, "write_in_background", writes.append)
    seen.add("gw:1")
    assert len(writes) == (not known)
