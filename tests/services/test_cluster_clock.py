"""The clock of a cluster member, corrected by that of PostgreSQL."""

from __future__ import annotations

import pytest

from services.cluster import member as member_module
from services.cluster.member import ClusterClock, ClusterMember
from tests.services.clock import Clock
from tests.services.cluster_harness import Boot, Rows, boot, member, rows

__all__ = ["boot", "member", "rows"]


async def test_joining_corrects_the_clock(member: ClusterMember, rows: Rows, clock: Clock) -> None:
    rows.server_time = clock.now + 60
    await member.join()
    assert rows.calls == ["join", "renew"]
    assert member._clock() == clock.now + 60


async def test_heartbeat_corrects_the_clock(member: ClusterMember, rows: Rows, boot: Boot, clock: Clock) -> None:
    await member.join()
    rows.server_time = clock.now + 60
    boot.now += 2
    await member._run_once([])
    assert member._clock() == clock.now + 60


def test_clock_is_corrected_only_above_a_second(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    corrected = ClusterClock(clock)
    corrected.compare(clock.now + 1.0)
    assert corrected.offset == 0.0
    corrected.compare(clock.now + 1.5)
    assert (corrected.offset, corrected()) == (1.5, clock.now + 1.5)
    corrected.compare(clock.now + 2.0)
    assert corrected.offset == 1.5, "as before, within a second"
    corrected.compare(clock.now - 5.0)
    assert corrected.offset == -5.0
    corrected.compare(clock.now - 0.5)
    assert corrected.offset == 0.0
    assert caplog.text.count("differs from PostgreSQL's") == 3


def test_boot_time_never_decreases() -> None:
    assert 0 < member_module.boot_time() <= member_module.boot_time()
