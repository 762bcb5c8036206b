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

MAX_KNOWN: Final = 20_000  # people, and sentences, that are counted at a time
MEGABYTE: Final = 1024 * 1024


class Budget(StrEnum):
    """A limited quantity."""

    REPLIES = "replies"
    RELAYS = "relays"
    TICKETS = "tickets"
    BYTES = "bytes"
    REPEATS = "repeats"  # of one sentence, in a minute


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
class _Spent:
    entries: deque[tuple[float, int]] = field(default_factory=deque)  # when, how much
    total: int = 0
    told: bool = False


class Budgets:
    """Counts in a sliding hour, in memory; a restart resets the counts."""

    def __init__(self, settings: LimitSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._spent: OrderedDict[tuple[Budget, str, str, int], _Spent] = OrderedDict()

    def spend(self, budget: Budget, account: str, contact_id: str, amount: int = 1) -> Verdict:
        """Count for a person, unless it exceeds the limit."""
        return self._count(budget, account, contact_id, amount, HOUR)

    def repeat(self, account: str, contact_id: str, words: str) -> Verdict:
        """Count a message that is about to be answered; the same text is answered a few times a minute only."""
        return self._count(Budget.REPEATS, account, contact_id, 1, MINUTE, hash(normal(words)))

    def has_left(self, budget: Budget, account: str, contact_id: str) -> bool:
        """Whether a person is below the limit, without counting."""
        spent = self._spent.get((budget, account, contact_id, 0))
        if spent is None:
            return True
        self._forget(spent, HOUR)
        return spent.total < self._limit(budget)

    def _count(
        self, budget: Budget, account: str, contact_id: str, amount: int, window: float, which: int = 0
    ) -> Verdict:
        key = (budget, account, contact_id, which)
        spent = self._spent.get(key)
        if spent is None:
            spent = self._spent[key] = _Spent()
            if len(self._spent) > MAX_KNOWN:
                self._spent.popitem(last=False)
        self._spent.move_to_end(key)
        self._forget(spent, window)
        if spent.total + amount <= self._limit(budget):
            spent.entries.append((self._clock(), amount))
            spent.total += amount
            spent.told = False
            return Verdict.ALLOWED
        was_told, spent.told = spent.told, True
        return Verdict.SILENT if was_told else Verdict.EXCEEDED

    def _forget(self, spent: _Spent, window: float) -> None:
        """Drop entries older than the window, and those in the future after the clock was set back."""
        now = self._clock()
        while spent.entries and not 0 <= now - spent.entries[0][0] < window:
            spent.total -= spent.entries.popleft()[1]

    def _limit(self, budget: Budget) -> int:
        return LIMITS[budget](self._settings)
