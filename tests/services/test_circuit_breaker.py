"""The pause after several failures of a server."""

from __future__ import annotations

from services.support.circuit_breaker import CircuitBreaker
from tests.services.clock import Clock


def test_three_consecutive_failures_stop_requests_for_thirty_seconds(clock: Clock) -> None:
    breaker = CircuitBreaker(clock)
    seen = []
    for _ in range(3):
        breaker.failed()
        seen.append(breaker.is_open)
    for later in (29.9, 0.1):
        clock.now += later
        seen.append(breaker.is_open)
    for _ in range(3):  # counting begins anew
        breaker.failed()
        seen.append(breaker.is_open)
    assert seen == [False, False, True, True, False, False, False, True]


def test_success_resets_the_count_of_failures(clock: Clock) -> None:
    breaker = CircuitBreaker(clock)
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.failed()
    assert not breaker.is_open
