"""Log lines that callers cause."""

from __future__ import annotations

import logging

import pytest

from logs import MAX_LINES, WINDOW, RateLimitedLog


def test_repeated_lines_are_summarised_by_count(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = [0.0]
    limited = RateLimitedLog(logging.getLogger("test"), lambda: now[0])
    for number in range(1000):
        limited.info("refused", "refused %d", number)
    limited.info("other", "something else")
    assert len(caplog.records) == MAX_LINES + 1
    now[0] = WINDOW
    limited.info("refused", "again")
    assert caplog.messages[-2:] == ["980 more lines of the kind refused were suppressed", "again"]
    now[0] = 3 * WINDOW
    limited.info("refused", "and again")
    assert caplog.messages[-1] == "and again"
    assert len(caplog.records) == MAX_LINES + 4
