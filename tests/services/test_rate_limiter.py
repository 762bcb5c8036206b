"""Rate limits of an account: limits, spread and slow-down."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import PacingSettings
from tests.services.clock import Clock
from tests.services.rate_limiter_fixture import SETTINGS, limiter
from wechat.rate_limiter import RateLimiter

__all__ = ["limiter"]


def test_forty_messages_per_minute(limiter: RateLimiter, clock: Clock) -> None:
    for i in range(40):
        assert limiter.queue_delay() == 0
        limiter.spend(f"k{i}")
        clock.now += 0.5
    assert limiter.queue_delay() == pytest.approx(40)
    clock.now += 40
    assert limiter.queue_delay() == 0


def test_one_message_per_conversation_and_interval(limiter: RateLimiter, clock: Clock) -> None:
    waits = set()
    for _ in range(20):
        limiter.spend("k")
        wait = limiter.key_delay("k")
        assert 1 <= wait <= 1.3
        assert limiter.key_delay("other") == 0
        waits.add(round(wait, 6))
        clock.now += wait
        assert limiter.key_delay("k") == pytest.approx(0)
    assert len(waits) > 10, "no two waits are alike"


def test_groups_are_limited_per_interval_and_day(limiter: RateLimiter, clock: Clock) -> None:
    first = clock.now
    for i in range(10):
        assert limiter.group_delay() == (0 if i == 0 else 30)
        clock.now += 30
        limiter.spend_group()
    assert limiter.group_delay() == pytest.approx(first + 30 + 86400 - clock.now)
    clock.now += 86400
    assert limiter.group_delay() == 0


def test_adding_waits_unless_the_wait_is_too_long(limiter: RateLimiter) -> None:
    assert [limiter.reserve_add(None) for _ in range(3)] == [0, 15, 30]
    assert limiter.reserve_add(10) == 45
    assert limiter.reserve_add(10) == 45, "what was too far away took no turn"
    assert limiter.reserve_add(45) == 45
    assert limiter.reserve_add(None) == 60


def test_wechat_rate_limit_halves_the_pace_for_an_hour(clock: Clock) -> None:
    slow_downs: list[float] = []
    limiter = RateLimiter(SETTINGS, clock, random.Random(1), on_slow=slow_downs.append)
    limiter.slow_down()
    assert slow_downs == [clock.now + 3600]
    for i in range(20):
        assert limiter.queue_delay() == 0
        limiter.spend(f"k{i}")
    assert limiter.queue_delay() == pytest.approx(60)
    limiter.spend("k")
    assert 2 <= limiter.key_delay("k") <= 2.6
    limiter.spend_group()
    assert limiter.group_delay() == 60
    assert [limiter.reserve_add(None) for _ in range(2)] == [0, 30]
    clock.now += 3601
    assert limiter.queue_delay() == 0
    limiter.spend("k")
    assert limiter.key_delay("k") <= 1.3


def test_disabled_pacing_never_waits(clock: Clock) -> None:
    limiter = RateLimiter(PacingSettings(enabled=False), clock)
    for _ in range(1000):
        limiter.spend("k")
        limiter.spend_group()
    assert (limiter.queue_delay(), limiter.key_delay("k"), limiter.group_delay()) == (0, 0, 0)
    assert limiter.reserve_add(None) == 0


@given(st.lists(st.floats(0, 30), max_size=200), st.integers(1, 50), st.booleans())
def test_no_minute_exceeds_its_limit(pauses: list[float], most: int, slow: bool) -> None:
    clock = Clock()
    limiter = RateLimiter(PacingSettings(messages_per_minute=most), clock)
    if slow:
        limiter.slow_down()
    sent: list[float] = []
    for pause in pauses:
        clock.now += pause
        clock.now += limiter.queue_delay()
        clock.now += limiter.queue_delay()  # compensates rounding errors
        limiter.spend("k")
        sent.append(clock.now)
    allowed = max(1, most // 2) if slow else most
    assert all(b - a > 59.999 for a, b in zip(sent, sent[allowed:], strict=False))


def test_clock_set_back_does_not_block(limiter: RateLimiter, clock: Clock) -> None:
    for _ in range(10):
        limiter.spend_group()
        clock.now += 40
    limiter.slow_down()
    for _ in range(40):
        limiter.spend("k")
    limiter.reserve_add(None)
    before = (
        limiter.queue_delay(),
        limiter.key_delay("k"),
        limiter.group_delay(),
        limiter.reserve_add(1),
    )
    clock.now -= 8 * 3600  # such as a machine that took local time for UTC until its first synchronisation
    after = (
        limiter.queue_delay(),
        limiter.key_delay("k"),
        limiter.group_delay(),
        limiter.reserve_add(1),
    )
    assert after == pytest.approx(before)
    clock.now += 61
    assert (limiter.queue_delay(), limiter.key_delay("k"), limiter.reserve_add(1)) == (0, 0, 0)
    clock.now += 3600
    assert limiter.slow_down_factor == 1


def test_used_ratio(limiter: RateLimiter, clock: Clock) -> None:
    assert limiter.used() == {"message": 0.0, "group": 0.0, "add": 0.0}
    for _ in range(10):
        limiter.spend("k")
    limiter.spend_group()
    limiter.reserve_add(None)
    assert limiter.used() == {"message": 0.25, "group": 0.1, "add": 1.0}
    clock.now += 6
    assert limiter.used()["add"] == pytest.approx(0.6)
    limiter.slow_down()
    used = limiter.used()
    assert (used["message"], used["group"]) == (0.5, 0.2)
    assert used["add"] == pytest.approx(24 / 30)
    clock.now += 54
    assert limiter.used()["message"] == 0.0, "a minute ago counts no more"
    clock.now += 86400 - 60
    assert limiter.used() == {"message": 0.0, "group": 0.0, "add": 0.0}


def test_disabled_pacing_has_zero_ratio(clock: Clock) -> None:
    limiter = RateLimiter(PacingSettings(enabled=False), clock)
    for _ in range(100):
        limiter.spend("k")
        limiter.spend_group()
        assert limiter.reserve_add(0) == 0
    assert (limiter.queue_delay(), limiter.key_delay("k"), limiter.group_delay()) == (0, 0, 0)
    assert limiter.used() == {"message": 0.0, "group": 0.0, "add": 0.0}


def test_zero_pause_between_adds_has_zero_ratio(clock: Clock) -> None:
    limiter = RateLimiter(PacingSettings(add_seconds=0), clock)
    limiter.reserve_add(None)
    assert limiter.used()["add"] == 0.0


def test_halved_limit_is_at_least_one(clock: Clock) -> None:
    limiter = RateLimiter(PacingSettings(messages_per_minute=1, groups_per_day=1), clock)
    limiter.slow_down()
    assert limiter.queue_delay() == limiter.group_delay() == 0
    limiter.spend("k")
    limiter.spend_group()
    assert limiter.used() == {"message": 1.0, "group": 1.0, "add": 0.0}
    assert limiter.queue_delay() == 60
    assert limiter.group_delay() == 86400


def test_halved_limit_is_half(limiter: RateLimiter, clock: Clock) -> None:
    limiter.slow_down()
    for number in range(20):
        assert limiter.queue_delay() == 0
        limiter.spend(str(number))
    assert limiter.queue_delay() == 60
    for _ in range(5):
        clock.now += limiter.group_delay()
        limiter.spend_group()
    assert limiter.group_delay() > 80_000, "five a day"


def test_messages_leave_the_window_one_by_one(limiter: RateLimiter, clock: Clock) -> None:
    for number in range(40):
        limiter.spend(str(number))
        clock.now += 1
    clock.now += 20  # the first is a minute ago: one may go
    assert limiter.queue_delay() == 0
    limiter.spend("x")
    assert limiter.queue_delay() == 1


def test_groups_leave_the_day_one_by_one(limiter: RateLimiter, clock: Clock) -> None:
    for _ in range(10):
        limiter.spend_group()
        clock.now += 3600
    clock.now += 86400 - 10 * 3600
    assert limiter.group_delay() == 0
    limiter.spend_group()
    assert limiter.group_delay() == 3600


@pytest.mark.parametrize(("back", "follows"), [(1.0, False), (1.5, True)])
def test_small_clock_step_back_is_tolerated(limiter: RateLimiter, clock: Clock, back: float, follows: bool) -> None:
    limiter.reserve_add(None)
    clock.now -= back
    assert limiter.reserve_add(100) == 15 + (0 if follows else back)


def test_idle_conversations_are_forgotten(limiter: RateLimiter, clock: Clock) -> None:
    for number in range(1001):
        limiter.spend(str(number))
    assert len(limiter._next_for) == 1001
    clock.now += 10
    limiter.spend("last")
    assert set(limiter._next_for) == {"last"}
