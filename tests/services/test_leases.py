"""Leases on a real PostgreSQL: holders, dead members, and fenced writes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest
from sqlalchemy import create_engine, insert, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from models.db import Store, is_away, parse
from models.durable import Setting
from models.fence import Fenced
from services.cluster.leases import Leases
from tests.services.fence import Guard
from tests.waiting import SECONDS, until

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]
ACCOUNTS = [f"a{number}" for number in range(10)]
LEASE = 600.0  # seconds; the members here send no heartbeats, so it must not end by itself


@pytest.fixture
async def members(store: Store, database: str) -> AsyncIterator[list[Leases]]:
    """Three processes that share ten accounts."""
    made = [Leases(database, f"m{number}", f"http://10.0.0.{number}:8080", 500, "1") for number in range(1, 4)]
    yield made
    for member in made:
        member.close()


def silent(database: str, member: str, seconds: float) -> None:
    """Set a member's last heartbeat to so many seconds ago."""
    engine = create_engine(parse(database))
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE member SET seen = seen - {seconds} WHERE id = :id"), {"id": member})
    engine.dispose()


def _put(session: Session, key: str) -> None:
    session.merge(Setting(key=key, value="1"))


async def test_each_account_has_one_holder_and_fair_shares(members: list[Leases]) -> None:
    secrets = {member.join() for member in members}
    assert len(secrets) == 1
    members[0].register_accounts(ACCOUNTS)
    for member in members:
        view = member.view(ACCOUNTS)
        assert view.fair_share(member.member) == 4
        member.claim(ACCOUNTS, min(view.orphans, view.fair_share(member.member)))
    held = [set(member.renew()) for member in members]
    assert [len(some) for some in held] == [4, 4, 2]
    assert set().union(*held) == set(ACCOUNTS)
    assert members[0].claim(ACCOUNTS, 10) == {}


async def test_starting_and_silent_members_get_no_share(members: list[Leases], database: str) -> None:
    first, second, third = members
    first.join()
    second.join(starting=True)
    third.join()
    first.register_accounts(ACCOUNTS)
    silent(database, third.member, LEASE)
    assert first.view(ACCOUNTS).fair_share(first.member) == 5, "they are not late without a limit"
    first._late = second._late = third._late = LEASE / 2
    assert first.view(ACCOUNTS).fair_share(first.member) == 10
    assert third.view(ACCOUNTS).fair_share(third.member) == 5, "a member is not late for itself"
    second.begin()
    third.renew()
    assert first.view(ACCOUNTS).fair_share(first.member) == 4


async def test_concurrent_claims_get_different_accounts(members: list[Leases]) -> None:
    for member in members:
        member.join()
    members[0].register_accounts(ACCOUNTS)
    taken = await asyncio.gather(*(asyncio.to_thread(member.claim, ACCOUNTS, 5) for member in members))
    names = [account for some in taken for account in some]
    assert len(names) == len(set(names))


async def test_epoch_grows_on_handover_only(members: list[Leases], database: str) -> None:
    first, second, _ = members
    first.join()
    second.join()
    first.register_accounts(ACCOUNTS[:1])
    (epoch,) = first.claim(ACCOUNTS, 1).values()
    assert epoch >= int(time.time()) - 5, "above the epochs of a process without others"
    assert first.renew() == first.renew() == {"a0": epoch}
    first.release(["a0"])
    assert second.claim(ACCOUNTS, 1)["a0"] > epoch


async def test_silent_member_loses_accounts_and_is_fenced(members: list[Leases], store: Store, database: str) -> None:
    first, second, _ = members
    first.join()
    second.join()
    first.register_accounts(ACCOUNTS)
    first.claim(ACCOUNTS, 10)
    fence = Guard(first.member)
    store.guard(fence)
    await store.write(lambda s: s.merge(Setting(key="mine", value="1")))
    assert second.remove_dead(LEASE) == []
    silent(database, first.member, LEASE + 1)
    assert second.remove_dead(LEASE) == [first.member]
    assert set(second.claim(ACCOUNTS, 10)) == set(ACCOUNTS)
    with pytest.raises(Fenced):
        first.renew()
    writes = [store.write_soon(partial(_put, key=f"late {n}")) for n in range(3)]
    assert all(isinstance(result, Fenced) for result in await asyncio.gather(*writes, return_exceptions=True))
    assert await store.read(lambda s: s.get(Setting, "late 0")) is None
    assert await store.read(lambda s: s.get(Setting, "mine")) is not None
    assert fence.refused > 0


async def test_running_commit_delays_takeover_but_not_heartbeat(
    members: list[Leases], store: Store, database: str
) -> None:
    first, second, _ = members
    first.join()
    second.join()
    store.guard(Guard(first.member))

    begun, goes_on = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        session.merge(Setting(key="slow", value="1"))
        session.flush()
        begun.set()
        assert goes_on.wait(SECONDS)

    writing = store.write_soon(slow)
    await asyncio.to_thread(begun.wait, SECONDS)
    first.renew()  # does not wait for the commit
    silent(database, first.member, LEASE + 1)
    assert second.remove_dead(LEASE) == [], "its commit goes first"
    goes_on.set()
    await writing
    assert second.remove_dead(LEASE) == [first.member]
    assert await store.read(lambda s: s.get(Setting, "slow")) is not None


@pytest.mark.parametrize("pipelined", [False, True])
async def test_process_frozen_in_a_transaction_is_terminated(
    members: list[Leases], database: str, *, pipelined: bool
) -> None:
    first, second, _ = members
    first.join()
    second.join()
    shared = Store(database, member=first.member)
    await shared.open()
    shared.guard(Guard(first.member))

    begun, goes_on = threading.Event(), threading.Event()

    def freeze(session: Session) -> None:
        if pipelined:  # then PostgreSQL's own limit does not end the transaction
            rows = [{"key": f"k{number}", "value": "1"} for number in range(3)]
            session.connection().execute(insert(Setting), rows)
        begun.set()
        assert goes_on.wait(SECONDS)

    frozen = shared.write_soon(freeze)
    await asyncio.to_thread(begun.wait, SECONDS)
    silent(database, first.member, LEASE + 1)
    await until(lambda: second.remove_dead(LEASE), "its transaction is ended")
    goes_on.set()
    with pytest.raises(Fenced):  # done again on another connection, and refused there
        await frozen
    await shared.close()


async def test_server_that_only_reads_counts_as_away(database: str, members: list[Leases]) -> None:
    """A standby that is not promoted yet: a process that starts again waits for it."""
    name = make_url(database).database
    engine = create_engine(parse(database), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        with pytest.raises(DBAPIError) as refused:
            members[0].join()
        assert is_away(refused.value)
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
    engine.dispose()
    assert members[0].join(), "on a new connection"
