"""Small parts of durable work: tasks, accounts of a process, positions of a relay, repeated ids, batches."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from errors import WeChatOffline
from models.db import Store
from models.durable import InboxEvent
from services.work import event_codec, relay_position
from services.work.ownership import LeasedAccounts, Ownership
from services.work.repeated_ids import RepeatedIds
from services.work.task_set import TaskSet
from tests.services.test_lists import put
from wechat.events import (
    REPEATED_ID,
    REUSED_ID_MARK,
    Event,
    FriendRequested,
    GroupMessage,
    MessageKind,
    PrivateMessage,
    RawEvent,
    RoomInvited,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
AWAY = OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))


# ---- tasks ----


@pytest.mark.parametrize(("error", "with_traceback"), [(AWAY, False), (ValueError("odd"), True)])
async def test_failed_task_is_logged(
    caplog: pytest.LogCaptureFixture, unretrieved: list[str], error: Exception, with_traceback: bool
) -> None:
    tasks = TaskSet()

    async def fail() -> None:
        raise error

    tasks.start(fail())
    await tasks.wait(1000)
    await asyncio.sleep(0)
    gc.collect()
    assert len(tasks) == 0
    assert unretrieved == []
    assert [bool(record.exc_info) for record in caplog.records] == [with_traceback]


async def test_tasks_are_waited_for_and_cancelled() -> None:
    tasks, gate, ended = TaskSet(), asyncio.Event(), []

    async def work(name: str) -> None:
        try:
            await gate.wait()
            ended.append(name)
        except asyncio.CancelledError:
            ended.append(f"{name} cancelled")
            raise

    await tasks.wait(1000)  # there are none
    tasks.start(work("one"))
    tasks.start(work("two"))
    assert len(tasks) == 2
    await tasks.wait(0.01)
    assert ended == []
    gate.set()
    await tasks.wait(1000)
    assert sorted(ended) == ["one", "two"]
    await asyncio.sleep(0)
    assert len(tasks) == 0
    gate.clear()
    tasks.start(work("three"))
    await asyncio.sleep(0)
    await tasks.cancel()
    assert ended[2:] == ["three cancelled"]
    await tasks.cancel()


# ---- ownership ----


def test_process_serves_the_accounts_it_has_taken() -> None:
    told: list[Any] = []
    valid = [True]
    leased = LeasedAccounts(lambda: valid[0], lambda session, account: told.append((session, account)))
    session = cast("Session", object())
    assert not leased.holds("a")
    leased.take("a")
    assert leased.holds("a") and not leased.holds("b") and leased.may_act()
    valid[0] = False
    assert not leased.may_act()
    leased.drop("a")
    leased.drop("a")
    assert not leased.holds("a")
    leased.notify_holder(session, "b")
    assert told == [(session, "b")]
    alone = Ownership()
    alone.notify_holder(session, "b")
    assert alone.holds("any") and alone.may_act() and len(told) == 1


# ---- a relay's position ----


async def test_epoch_is_above_all_earlier_ones(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.9]
    monkeypatch.setattr("services.work.relay_position.time.time", lambda: now[0])

    async def begin(account: str = "a", epoch: int | None = None) -> tuple[int, str]:
        return await sqlite_store.write(lambda s: relay_position.begin(s, account, epoch))

    assert await begin() == (1000, "")
    assert await begin() == (1001, ""), "the clock has not moved"
    now[0] = 2000.0
    assert await begin() == (2000, "")
    await sqlite_store.write(lambda s: relay_position.store(s, "a", "ab:7"))
    now[0] = 5.0
    assert await begin() == (2001, "ab:7"), "nor if it was set back"
    assert await begin("b") == (5, "")
    assert await begin(epoch=3000) == (3000, "ab:7"), "that of the lease"
    assert await begin() == (3001, "ab:7")


# ---- repeated ids ----


class Gateway:
    """Reads events again; None: it ignores them."""

    def __init__(self, store: Store) -> None:
        self.event: Event | Exception | None = None
        self.asked: list[RawEvent] = []
        self.repeats = RepeatedIds(store, self._resolve)

    async def _resolve(self, raw: RawEvent) -> Event | None:
        self.asked.append(raw)
        if isinstance(self.event, Exception):
            raise self.event
        return self.event


def message(text: str = "hi", **values: Any) -> PrivateMessage:
    return PrivateMessage(**{"account": "a", "id": "m1", "at": AT, "contact_id": "x", "name": "", **values}, text=text)


def in_group(room: str) -> GroupMessage:
    return GroupMessage("a", "m1", AT, "x", "", "hi", room_id=room)


def raw(kind: str = "message", id: str = "m1") -> RawEvent:
    return RawEvent("a", id, kind, {"d": 1}, AT, "pos")


async def _known(store: Store, event: Event | None, account: str = "a") -> None:
    body = event_codec.encode(event) if event else None
    await put(store, InboxEvent(account=account, event_id="m1", kind="message", data="{}", body=body))


async def test_new_content_under_a_known_id_gets_a_new_id(sqlite_store: Store) -> None:
    gateway = Gateway(sqlite_store)
    await _known(sqlite_store, message())
    gateway.event = message("other")
    first, again = await gateway.repeats.renamed_if_new(raw()), await gateway.repeats.renamed_if_new(raw())
    assert first is not None and first == again
    assert first.id.startswith(f"m1{REUSED_ID_MARK}") and len(first.id) == len(f"m1{REUSED_ID_MARK}") + 12
    assert (first.data, first.position, first.kind) == ({"d": 1, REPEATED_ID: True}, "", "message")
    assert gateway.asked[0].data[REPEATED_ID] is True, "past the gateway's cache"
    gateway.event = message("third")
    third = await gateway.repeats.renamed_if_new(raw())
    assert third is not None and third.id != first.id


@pytest.mark.parametrize(
    "changed",
    [
        {"contact_id": "y"}, {"kind": MessageKind.IMAGE}, {"quoted": "q"}, {"target": "t"},
    ],
)  # fmt: skip
async def test_every_part_of_the_content_counts(sqlite_store: Store, changed: dict[str, Any]) -> None:
    gateway = Gateway(sqlite_store)
    await _known(sqlite_store, message())
    gateway.event = message(**changed)
    assert await gateway.repeats.renamed_if_new(raw()) is not None
    gateway.event = message(name="renamed", at=datetime(2027, 1, 1, tzinfo=UTC))
    assert await gateway.repeats.renamed_if_new(raw()) is None, "what is no content does not"


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (in_group("r"), in_group("s")),
        (message(), in_group("x")),
        (FriendRequested("a", "m1", AT, "x", "f", "hello"), FriendRequested("a", "m1", AT, "x", "f", "again")),
        (RoomInvited("a", "m1", AT, "i", "x", "群"), RoomInvited("a", "m1", AT, "i", "x", "别的")),
    ],
)  # fmt: skip
async def test_content_of_every_kind_is_compared(sqlite_store: Store, before: Event, now: Event) -> None:
    gateway = Gateway(sqlite_store)
    await _known(sqlite_store, before)
    gateway.event = now
    assert await gateway.repeats.renamed_if_new(raw()) is not None
    gateway.event = before
    assert await gateway.repeats.renamed_if_new(raw()) is None


async def test_repeat_is_ignored(sqlite_store: Store) -> None:
    gateway = Gateway(sqlite_store)
    gateway.event = message("other")
    assert await gateway.repeats.renamed_if_new(raw()) is None, "what came before is gone"
    await _known(sqlite_store, message(), "b")
    assert await gateway.repeats.renamed_if_new(raw()) is None
    await _known(sqlite_store, None)
    assert await gateway.repeats.renamed_if_new(raw()) is None, "or not read yet"
    assert gateway.asked == []
    await put(
        sqlite_store, InboxEvent(account="a", event_id=f"m1{REUSED_ID_MARK}1", kind="message", data="{}", body="{}")
    )
    for item in (raw("room-join"), raw(id=f"m1{REUSED_ID_MARK}1")):
        assert await gateway.repeats.renamed_if_new(item) is None
    assert gateway.asked == []


async def test_repeat_that_cannot_be_read_is_ignored(sqlite_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    gateway = Gateway(sqlite_store)
    await _known(sqlite_store, message())
    for event in (None, WeChatOffline("MessagePayload")):
        gateway.event = event
        assert await gateway.repeats.renamed_if_new(raw()) is None
    assert len(gateway.asked) == 2
    assert "a: repeated event m1 could not be read: MessagePayload" in caplog.text
