"""A clock for tests."""

from __future__ import annotations


class Clock:
    """Unix seconds, changed only by the test."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now
