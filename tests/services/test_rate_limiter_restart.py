"""Counters of the rate limits that survive a restart."""

from __future__ import annotations

import pytest
from sqlmodel import Session

from models.db import Store
from models.durable import OutboxItem
from services.accounts.audit import Audit
from services.messaging.rate_limiters import RateLimiters
from tests.services.clock import Clock
from tests.services.rate_limiter_fixture import SETTINGS, limiter
from wechat.rate_limiter import RateLimiter

__all__ = ["limiter"]


async def _recalled(store: Store, clock: Clock) -> RateLimiter:
    limiters = RateLimiters(store, clock)
    limiter = limiters.create("a", SETTINGS)
    await limiters.restore()
    return limiter


async def test_counters_survive_restart(store: Store, clock: Clock) -> None:
    audit, now = Audit(store, clock), clock.now

    def write(session: Session) -> None:
        for i in range(60):  # one per second: only the last minute counts
            clock.now = now - 80 + i
            item = OutboxItem(queue="wx:a", key="k", body="{}", state="sent", done_at=clock.now)
            session.add_all([item, OutboxItem(queue="wx:b", key="k", body="{}", state="sent", done_at=clock.now)])
        for ago in (86401, 3600, 40):
            clock.now = now - ago
            audit.record(session, "a", "group", "test", "g")
            audit.record(session, "a", "add", "test", "p")
        clock.now = now

    await store.write(write)
    limiter = await _recalled(store, clock)
    assert limiter.queue_delay() == 0, "39 in the last minute"
    limiter.spend("k")
    assert 0 < limiter.queue_delay() <= 1
    assert limiter.group_delay() == 0
    for _ in range(8):
        limiter.spend_group()
    assert limiter.group_delay() > 80000, "ten of this day, two of them from before the restart"
    assert limiter.reserve_add(None) == 0
    clock.now = now - 30
    assert (await _recalled(store, clock)).reserve_add(None) == pytest.approx(5)


async def test_counters_from_the_future_do_not_block(store: Store, clock: Clock) -> None:
    limiters, audit = RateLimiters(store, clock), Audit(store, clock)
    limiters.create("a", SETTINGS).slow_down()
    await limiters.drain()

    def write(session: Session) -> None:
        session.add_all(
            OutboxItem(queue="wx:a", key="k", body="{}", state="sent", done_at=clock.now) for _ in range(40)
        )
        for kind in ("add", "group"):
            audit.record(session, "a", kind, "test", "x")

    await store.write(write)
    clock.now -= 8 * 3600
    again = await _recalled(store, clock)
    assert (again.queue_delay(), again.group_delay(), again.reserve_add(1)) == pytest.approx((60, 60, 30))
    clock.now += 3601
    assert (again.queue_delay(), again.group_delay(), again.reserve_add(1), again.slow_down_factor) == (0, 0, 0, 1)


async def test_slow_down_survives_restart(store: Store, clock: Clock) -> None:
    limiters = RateLimiters(store, clock)
    limiter = limiters.create("a", SETTINGS)
    limiter.slow_down()
    clock.now += 60
    limiter.slow_down()
    await limiters.drain()
    again = await _recalled(store, clock)
    assert again.slow_down_factor == 2
    assert again.slow_until == clock.now + 3600
    clock.now += 3601
    assert (await _recalled(store, clock)).slow_down_factor == 1


def test_usage_before_restart_counts(limiter: RateLimiter, clock: Clock) -> None:
    limiter.restore("message", [clock.now - 1] * 40)
    assert limiter.queue_delay() == 59
    limiter.restore("group", [clock.now - 10])
    assert limiter.group_delay() == 20
    limiter.restore("add", [clock.now - 5, clock.now - 10])
    assert limiter.reserve_add(100) == 10
    limiter.restore("group", [clock.now + 1000])
    assert limiter.group_delay() == 30, "a time that is still to come is now"
