"""The membership of a process with late, hanging and concurrent heartbeats."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, suppress
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from models.accounts import StoredAssistant
from models.cluster import AccountLease
from models.db import Store
from models.durable import Setting
from models.fence import AccountLost, belongs_to
from services.changes import ChangeFeed, ChangeKind
from services.cluster.leases import Leases, View
from services.cluster.member import ClusterClock, ClusterMember
from services.cluster.notifications import ClusterNotifications
from services.cluster.parts import ClusterParts
from services.cluster.pending_notifications import PendingNotifications
from tests.cluster.proxy import Proxy, to_postgres
from tests.services.clock import Clock
from tests.services.fence import Guard
from tests.waiting import until

pytestmark = pytest.mark.postgres
on_postgres = pytest.mark.parametrize("database", ["postgres"], indirect=True)
LEASE = 3.0


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def leases(database: str, stack: AsyncExitStack, name: str = "m1") -> Leases:
    made = Leases(database, name, "http://10.0.0.1:8080", 500, "1")
    stack.callback(made.close)
    return made


def put(session: Session, key: str, account: str = "") -> None:
    if account:
        belongs_to(session, account)
    session.merge(Setting(key=key, value="1"))


async def nothing() -> None:
    """Do nothing on a change."""


@on_postgres
async def test_write_about_a_released_account_fails_alone(database: str, store: Store, stack: AsyncExitStack) -> None:
    mine = leases(database, stack)
    mine.join()
    mine.register_accounts(["a", "b"])
    mine.claim(["a", "b"], 2)
    store.guard(Guard(mine.member))
    await store.write(lambda s: put(s, "before", "a"))
    mine.release(["a"])
    writes = [store.write_soon(lambda s, n=n: put(s, f"{n}", n)) for n in ("a", "b", "")]  # type: ignore[misc]
    lost, kept, other = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(lost, AccountLost)
    assert (kept, other) == (None, None)
    assert await store.read(lambda s: s.get(Setting, "a")) is None
    assert await store.read(lambda s: s.get(Setting, "b")) is not None


@on_postgres
async def test_release_waits_for_a_running_commit(database: str, store: Store, stack: AsyncExitStack) -> None:
    mine = leases(database, stack)
    mine.join()
    mine.register_accounts(["a"])
    mine.claim(["a"], 1)
    holds, goes_on = threading.Event(), threading.Event()

    class Slow(Guard):
        def end(self, connection: Any, accounts: Any) -> int:
            number = super().end(connection, accounts)
            holds.set()
            goes_on.wait(10)
            return number

    store.guard(Slow(mine.member))
    writing = store.write_soon(lambda s: put(s, "last", "a"))
    await asyncio.to_thread(holds.wait, 10)
    releasing = asyncio.ensure_future(asyncio.to_thread(mine.release, ["a"]))
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(releasing), 0.2)
    assert not releasing.done()
    goes_on.set()
    await asyncio.gather(writing, releasing)


@on_postgres
async def test_unknown_accounts_do_not_count(database: str, store: Store, stack: AsyncExitStack) -> None:
    mine = leases(database, stack)
    mine.join()
    mine.register_accounts(["a", "removed"])
    view = mine.view(["a"])
    assert (view.accounts, view.orphans) == (1, 1)
    mine.claim(["removed"], 1)
    assert mine.view(["a"]).accounts == 2, "a member still serves it"


@on_postgres
async def test_lease_of_a_removed_account_ends_with_its_holder(
    database: str, store: Store, stack: AsyncExitStack
) -> None:
    mine = leases(database, stack)
    mine.join()
    mine.register_accounts(["a", "b"])
    mine.claim(["a"], 1)
    mine.forget("a")
    assert await store.read(lambda s: s.get(AccountLease, "a")) is not None, "it is served"
    mine.release(["a"])
    mine.forget("a")
    assert await store.read(lambda s: s.get(AccountLease, "a")) is None
    await store.write(lambda s: s.add(StoredAssistant(account="b", settings={}, by="x")))
    mine.forget("b")
    assert await store.read(lambda s: s.get(AccountLease, "b")) is not None, "it was added again"


@on_postgres
async def test_hanging_heartbeat_ends_the_leases_in_time(database: str, store: Store, stack: AsyncExitStack) -> None:
    connect, through = to_postgres(database)
    proxy = await stack.enter_async_context(Proxy(connect))
    member = ClusterMember(leases(through(proxy.port), stack), ClusterClock(Clock()), 10, LEASE)
    stack.push_async_callback(member.close)
    await member.join()
    await member.call(member._leases.register_accounts, ["a"])
    running = asyncio.create_task(member.run(lambda: ["a"], nothing))
    stack.callback(running.cancel)
    await until(lambda: "a" in member.held, "the account is taken")
    proxy.freeze()
    await until(lambda: not member.valid() and not member.held, "the leases have run out")
    proxy.restore()
    await until(lambda: member.valid() and "a" in member.held, "a new connection renews them")
    assert not running.done()


class SlowLeases:
    """Leases whose heartbeat returns an outdated result after a release."""

    member = "m1"
    server_time = 0.0

    def __init__(self) -> None:
        self.reads, self.answers = threading.Event(), threading.Event()
        self.held = {"a": 1}

    def renew(self) -> dict[str, int]:
        held = dict(self.held)
        self.reads.set()
        self.answers.wait(10)
        return held

    def release(self, accounts: Collection[str]) -> None:
        for account in accounts:
            self.held.pop(account)

    def view(self, _known: object) -> View:
        return View((), 0, 0, jobs_free=False)


async def test_running_heartbeat_does_not_restore_a_released_account() -> None:
    slow = SlowLeases()
    member = ClusterMember(cast("Leases", slow), ClusterClock(Clock()), 10, LEASE)
    running = asyncio.create_task(member.run(lambda: ["a"], nothing))
    await asyncio.to_thread(slow.reads.wait, 10)
    releasing = asyncio.create_task(member.release(["a"]))
    await asyncio.sleep(0)
    slow.answers.set()
    await releasing
    assert member.held == {}
    running.cancel()


async def test_clock_offset_is_corrected_above_a_threshold() -> None:
    local = Clock()
    clock = ClusterClock(local)
    clock.compare(local.now + 0.4)
    assert clock() == local.now
    clock.compare(local.now - 3600)
    assert clock() == local.now - 3600
    local.now -= 3600  # somebody sets it right
    clock.compare(local.now + 0.2)
    assert clock() == local.now


async def test_unknown_changes_of_a_later_version_are_skipped() -> None:
    received, woken = ChangeFeed(), asyncio.Event()
    member = cast("Any", type("", (), {"id": "me", "wake": woken.set})())
    leases = type("", (), {"installation": ""})()
    parts = cast("ClusterParts", type("", (), {"leases": leases, "member": member, "pending_notifications": None})())
    news = ClusterNotifications("postgresql://x/y", parts, received, lambda _kind: nothing())
    news._received('{"from":"other","changes":[["of a later version",{}],["ticket",{"id":1}]],"free":1}')
    assert [change.kind for change in received._changes] == [ChangeKind.TICKET]
    assert woken.is_set()


async def test_released_accounts_share_one_notification() -> None:
    pending = PendingNotifications()
    pending.account_released()
    pending.account_released()
    pending.publish(ChangeKind.TICKET, {"id": 1})
    assert await pending.next_payload(40) == {"changes": [(ChangeKind.TICKET, {"id": 1})], "free": 1}
    pending.announce("keywords")
    assert await pending.next_payload(40) == {}, "the versions in the database tell what"


@on_postgres
async def test_read_is_repeated_after_closed_connection(database: str, store: Store) -> None:
    ran: list[int] = []

    def read(session: Session) -> int:
        connection = session.connection()
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        ran.append(pid)
        if len(ran) == 1:
            end_session(pid)
        return int(connection.execute(text("SELECT 1")).scalar_one())

    def end_session(pid: int) -> None:
        with store.engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    assert await store.read(read) == 1
    assert len(set(ran)) == 2

    def always(session: Session) -> None:
        end_session(session.connection().execute(text("SELECT pg_backend_pid()")).scalar_one())
        session.connection().execute(text("SELECT 1"))

    with pytest.raises(OperationalError):
        await store.read(always)


@on_postgres
async def test_slow_read_of_a_member_is_not_cancelled(database: str, stack: AsyncExitStack) -> None:
    shared = Store(database, member="m1")
    await shared.open()
    stack.push_async_callback(shared.close)

    def limit(session: Session) -> str:
        setting = text("SELECT current_setting('idle_in_transaction_session_timeout')")
        return str(session.connection().execute(setting).scalar_one())

    mine = leases(database, stack)
    mine.join()
    shared.guard(Guard(mine.member))
    assert await shared.write(limit) == "2s"
    assert await shared.read(limit) == "0"
