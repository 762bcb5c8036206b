"""Limits per person and hour: automatic replies, relayed messages, tickets, stored files."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from config.settings import LimitSettings
from services.clock import HOUR, MINUTE, Clock
from services.text import normal

MAX_KNOWN: Final = 20_000  # people, and texts, whose counts are kept
MEGABYTE: Final = 1024 * 1024


class Budget(StrEnum):
    """A limited quantity."""

    REPLIES = "replies"
    RELAYS = "relays"
    TICKETS = "tickets"
    BYTES = "bytes"
    REPEATS = "repeats"  # repetitions of one text per minute


LIMITS: Final[dict[Budget, Callable[[LimitSettings], int]]] = {
    Budget.REPLIES: lambda settings: settings.replies,
    Budget.RELAYS: lambda settings: settings.relays,
    Budget.TICKETS: lambda settings: settings.tickets,
    Budget.BYTES: lambda settings: settings.megabytes * MEGABYTE,
    Budget.REPEATS: lambda settings: settings.repeats,
}


class Verdict(StrEnum):
    """The result of counting. A person who exceeds a limit gets one notice, and then no more replies."""

    ALLOWED = "allowed"
    EXCEEDED = "exceeded"
    SILENT = "silent"


@dataclass(slots=True)
class _Usage:
    entries: deque[tuple[float, int]] = field(default_factory=deque)  # when, how much
    total: int = 0
    is_notified: bool = False


class Budgets:
    """Counts in a sliding hour, in memory; a restart resets the counts."""

    def __init__(self, settings: LimitSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._usage: OrderedDict[tuple[Budget, str, str, int], _Usage] = OrderedDict()

    def spend(self, budget: Budget, account: str, contact_id: str, amount: int = 1) -> Verdict:
        """Count for a person, unless it exceeds the limit."""
        return self._count(budget, account, contact_id, amount, HOUR)

    def repeat(self, account: str, contact_id: str, text: str) -> Verdict:
        """Count a message that is about to be answered; the same text is answered a few times a minute only."""
        return self._count(Budget.REPEATS, account, contact_id, 1, MINUTE, hash(normal(text)))

    def is_below_limit(self, budget: Budget, account: str, contact_id: str) -> bool:
        """Whether a person is below the limit, without counting."""
        usage = self._usage.get((budget, account, contact_id, 0))
        if usage is None:
            return True
        self._forget(usage, HOUR)
        return usage.total < self._limit(budget)

    def _count(
        self, budget: Budget, account: str, contact_id: str, amount: int, window: float, variant: int = 0
    ) -> Verdict:
        key = (budget, account, contact_id, variant)
        usage = self._usage.get(key)
        if usage is None:
            usage = self._usage[key] = _Usage()
            if len(self._usage) > MAX_KNOWN:
                self._usage.popitem(last=False)
        self._usage.move_to_end(key)
        self._forget(usage, window)
        if usage.total + amount <= self._limit(budget):
            usage.entries.append((self._clock(), amount))
            usage.total += amount
            usage.is_notified = False
            return Verdict.ALLOWED
        was_notified, usage.is_notified = usage.is_notified, True
        return Verdict.SILENT if was_notified else Verdict.EXCEEDED

    def _forget(self, usage: _Usage, window: float) -> None:
        """Drop entries older than the window, and those in the future after the clock was set back."""
        now = self._clock()
        while usage.entries and not 0 <= now - usage.entries[0][0] < window:
            usage.total -= usage.entries.popleft()[1]

    def _limit(self, budget: Budget) -> int:
        return LIMITS[budget](self._settings)
