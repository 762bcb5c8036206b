"""The loop of a cluster member: announced changes, lost leases, and its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from models.fence import Fenced
from services.cluster import member as member_module
from services.cluster.leases import Leases
from services.cluster.member import ClusterClock, ClusterMember
from tests.services.clock import Clock
from tests.services.cluster_harness import AWAY, CAPACITY, LEASE, Boot, Rows, boot, member, rows
from tests.waiting import SECONDS, until

__all__ = ["boot", "member", "rows"]


class Loop:
    """A running loop, and how often the accounts changed."""

    def __init__(self, member: ClusterMember, known: Callable[[], list[str]] = lambda: ["a"]) -> None:
        self.changes: list[dict[str, int]] = []
        self.member = member
        self.task = asyncio.create_task(member.run(known, self._changed))

    async def _changed(self) -> None:
        self.changes.append(dict(self.member.held))


@pytest.fixture
async def loop(member: ClusterMember) -> AsyncIterator[Loop]:
    member._lease_seconds = 1000.0  # so that the pauses between turns end by `wake` only
    loop = Loop(member)
    yield loop
    loop.task.cancel()
    await asyncio.gather(loop.task, return_exceptions=True)


async def _turns(loop: Loop, rows: Rows, count: int = 2) -> None:
    for _ in range(count):
        seen = rows.calls.count("view") + rows.aborted
        loop.member.wake()
        await until(lambda s=seen: rows.calls.count("view") + rows.aborted > s, "a turn")


async def test_changes_are_announced_once(loop: Loop, rows: Rows) -> None:
    rows.free = ["a"]
    await _turns(loop, rows, 3)
    assert loop.changes == [{"a": 7}]


async def test_unreachable_database_ends_the_leases(
    loop: Loop, rows: Rows, boot: Boot, caplog: pytest.LogCaptureFixture
) -> None:
    rows.free = ["a"]
    await _turns(loop, rows)
    rows.fails["view"] = AWAY
    await _turns(loop, rows)
    assert rows.aborted and loop.member.held == {"a": 7}, "the leases still hold"
    assert loop.member._renewing_since is None
    assert "the leases could not be renewed: OperationalError" in caplog.text
    boot.now += 999.0
    rows.fails["renew"] = AWAY
    await _turns(loop, rows)
    assert (loop.member.held, loop.changes[-1]) == ({}, {})
    assert "the leases have run out" in caplog.text
    count = len(loop.changes)
    await _turns(loop, rows)
    assert len(loop.changes) == count, "told once"
    rows.fails.clear()
    await _turns(loop, rows)
    assert loop.changes[-1] == {"a": 7}, "the heartbeat finds it again"


async def test_fenced_member_stops(loop: Loop, rows: Rows, caplog: pytest.LogCaptureFixture) -> None:
    rows.free = ["a"]
    await _turns(loop, rows)
    rows.fails["view"] = Fenced("m1")
    loop.member.wake()
    await loop.task
    assert (loop.member.fenced, loop.member.held, loop.member.valid()) == (True, {}, False)
    assert loop.changes == [{"a": 7}, {}]
    assert "this process was taken for dead" in caplog.text
    assert "run out" not in caplog.text


async def test_lost_leases_have_no_age(member: ClusterMember) -> None:
    await member.join()
    member._lost("for a test")
    assert (member.valid(), member.lease_age()) == (False, 0.0)


async def test_connection_that_hangs_does_not_hold_up_the_end(
    rows: Rows, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_module, "SAFETY", 0.01)
    member, gate = ClusterMember(cast("Leases", rows), ClusterClock(clock), CAPACITY, LEASE), threading.Event()
    monkeypatch.setattr(rows, "close", lambda: gate.wait(SECONDS))
    try:
        await asyncio.wait_for(member.close(), SECONDS / 2)
        assert not gate.is_set()
    finally:
        gate.set()
