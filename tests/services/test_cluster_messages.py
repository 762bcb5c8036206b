"""Messages between processes: pending notifications, versions of shared data, and requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from models.cluster import SharedVersion
from models.conversations import Greeted
from models.db import Store
from models.keywords import Keyword
from models.rules import BlockedWord
from services.changes import ChangeFeed, ChangeKind
from services.cluster import notifications as news_module
from services.cluster import pending_notifications as pending_module
from services.cluster.notifications import ClusterNotifications
from services.cluster.parts import ClusterParts
from services.cluster.pending_notifications import PendingNotifications
from services.cluster.shared import SharedTables
from tests.waiting import until

SECRET, OWN = "s3cret", "http://10.0.0.1:8080"
AWAY = OperationalError("", {}, Exception("away"))


# ---- pending notifications ----


async def test_notification_has_a_limited_number_of_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_module, "MAX_WAITING", 3)
    pending = PendingNotifications()
    pending.announce("keywords")
    assert await pending.next_payload(2) == {}, "no account was released"
    for number in range(5):
        pending.publish(ChangeKind.TICKET, {"id": number})
    first, second = await pending.next_payload(2), await pending.next_payload(2)
    assert [[facts["id"] for _, facts in item["changes"]] for item in (first, second)] == [[0, 1], [2]]
    waiting = asyncio.create_task(pending.next_payload(2))
    await asyncio.sleep(0)
    assert not waiting.done(), "nothing is pending"
    pending.account_released()
    assert await waiting == {"free": 1}
    pending.announce("keywords")
    assert await pending.next_payload(2) == {}
    assert pending.sent == 0


# ---- versions of shared data ----


class Tables:
    """The guard of a member's transactions, which announces what changed."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.announced: list[str] = []
        self.tables = SharedTables("m1", store, self.announced.append)

    async def write(self, fn: Callable[[Session], object]) -> None:
        await self.store.write(fn)

    async def versions(self) -> dict[str, int]:
        rows = await self.store.read(lambda s: s.exec(select(SharedVersion)).all())
        return {row.kind: row.version for row in rows}


async def test_changed_data_gets_a_new_version(sqlite_store: Store) -> None:
    shared = Tables(sqlite_store)
    word = BlockedWord(account="a", word="w", by="x")

    def add(session: Session) -> None:
        session.add_all(
            [word, Keyword(account="a", word="w", reply="r", by="x"), Greeted(account="a", contact_id="x", at=1)]
        )
        shared.tables.flushed(session)
        shared.tables.flushed(session)  # once per transaction

    await shared.write(add)
    assert await shared.versions() == {"blocked_words": 1, "keywords": 1}
    assert sorted(shared.announced) == ["blocked_words", "keywords"]

    def change(session: Session) -> None:
        session.get_one(BlockedWord, 1).word = "v"
        shared.tables.flushed(session)

    def delete(session: Session) -> None:
        session.delete(session.get_one(BlockedWord, 1))
        shared.tables.flushed(session)

    await shared.write(change)
    await shared.write(delete)
    assert await shared.versions() == {"blocked_words": 3, "keywords": 1}


async def test_work_of_another_process_is_announced_by_account(sqlite_store: Store) -> None:
    shared = Tables(sqlite_store)

    def promise(session: Session) -> None:
        for account in ("a", "b", "a"):
            shared.tables.promised(session, account)

    await shared.write(promise)
    assert await shared.versions() == {"work:a": 1, "work:b": 1}
    assert shared.announced == ["work:a", "work:b"]


# ---- notifications ----


class Process:
    """ClusterNotifications with a member and leases that record their calls."""

    def __init__(self) -> None:
        self.id = "me"
        self.woken = 0
        self.found: dict[str, int] = {"keywords": 1}
        self.notified: list[Any] = []
        self.fails: dict[str, Exception] = {}
        self.changed: list[str] = []
        self.pending_notifications = PendingNotifications()
        self.feed = ChangeFeed()
        leases = SimpleNamespace(versions=self._versions, notify=self._notify, installation="ours")
        parts = SimpleNamespace(leases=leases, member=self, pending_notifications=self.pending_notifications)
        self.news = ClusterNotifications("postgresql://x/y", cast("ClusterParts", parts), self.feed, self._changed)

    def _versions(self) -> dict[str, int]:
        if "versions" in self.fails:
            raise self.fails["versions"]
        return dict(self.found)

    def _notify(self, payload: Any) -> None:
        self.notified.append(payload)
        if "notify" in self.fails:
            raise self.fails["notify"]

    async def _changed(self, kind: str) -> None:
        if "changed" in self.fails:
            raise self.fails.pop("changed")
        self.changed.append(kind)

    async def call(self, fn: Callable[..., Any], *args: Any) -> Any:
        return fn(*args)

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def process() -> Process:
    return Process()


async def test_kinds_with_another_version_are_read_again(process: Process) -> None:
    await process.news.begin()
    await process.news._poll()
    assert process.changed == []
    process.found |= {"keywords": 2, "questions": 1}
    await process.news._poll()
    await process.news._poll()
    assert process.changed == ["keywords", "questions"]


async def test_version_that_could_not_be_read_is_tried_again(process: Process) -> None:
    await process.news.begin()
    process.found["keywords"] = 2
    process.fails["changed"] = AWAY
    with pytest.raises(OperationalError):
        await process.news._poll()
    await process.news._poll()
    assert process.changed == ["keywords"]


async def test_versions_are_polled_on_a_notification(
    process: Process, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(news_module, "POLL_INTERVAL", 1000)
    polling = asyncio.create_task(process.news.poll_forever())
    process.fails["versions"] = AWAY
    process.news._received('{"from": "other"}')
    await until(lambda: "could not read the changes of other processes: OperationalError" in caplog.text)
    del process.fails["versions"]
    process.news._received('{"from": "other"}')
    await until(lambda: process.changed == ["keywords"])
    assert process.woken == 0
    polling.cancel()


async def test_versions_are_polled_without_a_notification(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news_module, "POLL_INTERVAL", 0)
    polling = asyncio.create_task(process.news.poll_forever())
    await until(lambda: process.changed == ["keywords"])
    process.found["keywords"] = 2
    await until(lambda: process.changed == ["keywords"] * 2)
    polling.cancel()


async def test_own_changes_are_not_received_again(process: Process) -> None:
    own = {"from": "me", "changes": [["ticket", {"id": 1}]], "free": 1}
    process.news._received(json.dumps(own))
    assert (process.feed.after(0), process.woken) == ([], 1)
    process.news._received(json.dumps(own | {"from": "other"}))
    assert [(change.kind, change.facts) for change in process.feed.after(0)] == [(ChangeKind.TICKET, {"id": 1})]


def recorded_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits of asyncio.sleep, which end at once."""
    waits: list[float] = []
    sleep = asyncio.sleep

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr(asyncio, "sleep", wait)
    return waits


async def test_changes_of_one_notification_are_limited(process: Process) -> None:
    sending = asyncio.create_task(process.news.publish_forever())
    for number in range(41):
        process.pending_notifications.publish(ChangeKind.TICKET, {"id": number})
    await until(lambda: len(process.notified) == 2)
    assert [len(payload["changes"]) for payload in process.notified] == [40, 1]
    sending.cancel()


async def test_pending_changes_are_sent(
    process: Process, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waits = recorded_waits(monkeypatch)
    sending = asyncio.create_task(process.news.publish_forever())
    process.pending_notifications.account_released()
    await until(lambda: process.notified == [{"free": 1}])
    await until(lambda: process.pending_notifications.sent == 1)
    process.fails["notify"] = AWAY
    process.pending_notifications.announce("keywords")
    await until(lambda: "could not notify the other processes: OperationalError" in caplog.text)
    assert process.pending_notifications.sent == 1, "the versions are polled anyway"
    del process.fails["notify"]
    process.pending_notifications.announce("keywords")
    await until(lambda: process.pending_notifications.sent == 2)
    assert 0.05 in waits, "PostgreSQL serialises the commits that notify"
    sending.cancel()


async def test_lost_listener_is_opened_again(
    process: Process, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries, waits = 0, recorded_waits(monkeypatch)

    async def listen() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise psycopg.OperationalError("closed")
        await asyncio.Event().wait()

    monkeypatch.setattr(process.news, "_listen", listen)
    listening = asyncio.create_task(process.news.listen_forever())
    await until(lambda: tries == 2)
    assert 2.0 in waits
    assert "could not listen for notifications: OperationalError" in caplog.text
    listening.cancel()
