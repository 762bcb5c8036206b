"""The parts of a cluster member, and how they are connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from sqlmodel import Session, select

from config import Config
from models.cluster import SharedVersion
from models.db import Store
from models.fence import AccountLost, Fenced, belongs_to
from models.keywords import Keyword
from services.cluster.leases import View
from services.cluster.parts import Cause, ClusterParts
from tests.services.clock import Clock
from tests.services.stored_settings import put
from tests.services.test_leases import silent
from tests.waiting import SECONDS
from version import VERSION

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]
LEASE = 20.0  # seconds; longer than the test may take
OWN = "http://10.0.0.1:8080"
Make = Callable[[str], Awaitable[tuple[ClusterParts, Store]]]


@pytest.fixture
async def make(database: str, clock: Clock) -> AsyncIterator[Make]:
    """Build the parts of a process with its own store."""
    settings = {"advertise": OWN, "capacity": 40, "lease_seconds": LEASE}
    async with AsyncExitStack() as stack:

        async def made(name: str) -> tuple[ClusterParts, Store]:
            store = Store(database, member=name)
            await store.open()
            stack.push_async_callback(store.close)
            parts = ClusterParts(Config(database=database, cluster=settings), name, store, clock)
            stack.push_async_callback(parts.member.close)
            return parts, store

        yield made


async def test_parts_have_the_settings_of_the_process(make: Make, clock: Clock) -> None:
    parts, _ = await make("m1")
    assert (parts.address, parts.secret, parts.member.id, parts.accounts_without_holder) == (OWN, "", "m1", 0)
    assert not parts.ownership.may_act(), "it has no lease yet"
    assert parts.clock() == clock.now
    parts.leases.join()
    (seen,) = parts.leases.view([]).members
    assert (seen.id, seen.advertise, seen.capacity, seen.version) == ("m1", OWN, 40, VERSION)
    parts.moves[Cause.TAKEN] += 1
    assert parts.moves == {"taken": 1}


async def test_members_share_a_secret_and_a_clock(make: Make, clock: Clock) -> None:
    (first, store), (second, other) = await make("m1"), await make("m2")
    clock.now = 1000.0  # years behind PostgreSQL's
    await first.join(store)
    await second.join(other)
    assert first.secret and first.secret == second.secret
    assert first.leases.installation and first.leases.installation == second.leases.installation
    assert first.ownership.may_act()
    assert first.clock() > 1_700_000_000, "corrected by PostgreSQL's clock"


async def test_writes_after_joining_are_fenced_and_announced(make: Make) -> None:
    parts, store = await make("m1")
    await store.write(lambda s: put(s, "not yet guarded"))
    await parts.join(store)
    await parts.member.call(parts.leases.register_accounts, ["a"])

    def about_a(session: Session) -> None:
        belongs_to(session, "a")
        put(session, "about a")

    with pytest.raises(AccountLost):
        await store.write(about_a)
    await parts.member.call(parts.leases.claim, ["a"], 1)
    await store.write(about_a)
    await store.write(lambda s: s.add(Keyword(account="a", word="w", reply="r", by="x")))
    async with asyncio.timeout(SECONDS):
        assert await parts.pending_notifications.next_payload(10) == {}, "that something has changed"
    await store.write(lambda s: parts.ownership.notify_holder(s, "b"))
    versions = await store.read(lambda s: s.exec(select(SharedVersion.kind).order_by(SharedVersion.kind)).all())
    assert versions == ["keywords", "work:b"]
    await parts.member.call(parts.leases.leave)
    with pytest.raises(Fenced):
        await store.write(lambda s: put(s, "late"))


async def test_member_silent_for_half_a_lease_is_late(make: Make, database: str) -> None:
    (first, _), (second, _) = await make("m1"), await make("m2")
    first.leases.join()
    second.leases.join()
    first.leases.register_accounts(["a", "b"])
    silent(database, "m2", 0.25 * LEASE)
    assert first.leases.view(["a", "b"]).fair_share("m1") == 1
    silent(database, "m2", 0.25 * LEASE)
    assert first.leases.view(["a", "b"]).fair_share("m1") == 2


async def test_accounts_without_a_holder_are_counted(make: Make) -> None:
    parts, _ = await make("m1")
    parts.member.view = View((), 5, 2, jobs_free=False)
    assert parts.accounts_without_holder == 2
