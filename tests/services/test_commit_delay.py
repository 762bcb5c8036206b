"""Commits wait for more writes only while events queue up."""

from __future__ import annotations

from models.commit_delay import DELAY_PER_EVENT, MAX_DELAY, MIN_BACKLOG, CommitDelay


def test_delay_grows_with_the_backlog() -> None:
    delay = CommitDelay()
    assert delay.seconds() == 0
    delay.count(MIN_BACKLOG - 1)
    assert delay.seconds() == 0, "few events are not delayed"
    delay.count(1)
    assert delay.seconds() == MIN_BACKLOG * DELAY_PER_EVENT
    delay.count(100_000)
    assert delay.seconds() == MAX_DELAY
    delay.count(-100_000 - MIN_BACKLOG)
    assert delay.seconds() == 0
