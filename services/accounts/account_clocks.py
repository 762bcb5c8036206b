"""Compares the clocks of this machine and of each gateway, and decides which messages are too old to be answered."""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Final

from services.accounts.registry import Accounts
from services.clock import MINUTE, Clock
from wechat.interface import State

log = logging.getLogger(__name__)
OLD_AFTER: Final = 10 * MINUTE  # what was said longer than this before the account came online is not answered
WINDOW: Final = 20  # messages that are looked at
SETTLED: Final = MINUTE  # after the login; before that a gateway may bring what was said earlier
FEW: Final = 3  # messages that are too few to tell a clock by
MAX_SKEW: Final = 2 * MINUTE  # more than this is told to a person


class AccountClocks:
    """Tracks the clocks of all accounts.

    Either clock may be wrong or be set, so no single reading decides that a message is old.
    """

    def __init__(self, accounts: Accounts, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._accounts = accounts
        self._clock = clock
        self._monotonic = monotonic
        self._began = monotonic()
        self._online_since: dict[str, float] = {}  # by the monotonic clock
        self._limits: dict[str, float] = {}  # the earliest reading so far of when the account came online
        self._delays: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._live: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))  # delays once it had settled
        self._told: set[str] = set()  # accounts whose skew is logged

    def state_changed(self, account: str, state: State) -> None:
        """Handle an account's state. Only a login counts as coming online, not a reconnection."""
        if state is State.LOGGED_OUT:
            self._online_since.pop(account, None)
        elif state in (State.SYNCING, State.ONLINE) and account not in self._online_since:
            self._online_since[account] = self._monotonic()
            self._limits.pop(account, None)
            self._live.pop(account, None)
        self.check()

    def record_message(self, account: str, said_at: float, arrived_at: float) -> None:
        """Record a message: its time according to WeChat, and its arrival by the local clock (both Unix seconds)."""
        self._delays[account].append(arrived_at - said_at)
        if self._monotonic() - self._online_since.get(account, math.inf) > SETTLED:
            self._live[account].append(arrived_at - said_at)

    def is_old(self, account: str, said_at: float) -> bool:
        """Whether a message was sent too long before the account came online to be answered."""
        passed = self._monotonic() - self._online_since.get(account, self._began)
        here = self._clock() - passed
        readings = [self._limits.get(account, math.inf), here]
        if (shown := self._gateway_time(account)) is not None:
            readings.append(shown - passed)
        if len(live := self._live[account]) >= FEW:  # WeChat's own time may be yet another
            readings.append(here - min(live))
        self._limits[account] = min(readings)
        return said_at < self._limits[account] - OLD_AFTER

    def skew(self, account: str) -> float | None:
        """Return the seconds by which this machine is ahead of the gateway, or None.

        If the gateway does not report its time, the fastest of several messages is used.
        """
        shown = self._gateway_time(account)
        if shown is not None:
            return self._clock() - shown
        return min(self._delays[account], default=None)

    def skews(self) -> Iterator[tuple[str, float]]:
        """Return the known skew of each account."""
        for account in self._accounts.names():
            if (skew := self.skew(account)) is not None:
                yield account, skew

    def wrong(self) -> dict[str, float]:
        """Return the accounts whose skew needs attention."""
        return {account: skew for account, skew in self.skews() if abs(skew) > MAX_SKEW}

    def check(self) -> None:
        """Log when a clock becomes wrong or right again."""
        wrong = self.wrong()
        for account, skew in wrong.items():
            if account not in self._told:
                log.warning("%s: the clock here is %+.0f seconds from the gateway's: set it right", account, skew)
        for account in self._told - wrong.keys():
            log.info("%s: the clocks agree again", account)
        self._told = set(wrong)

    def _gateway_time(self, account: str) -> float | None:
        wechat = self._accounts.find(account)
        return None if wechat is None else wechat.gateway_time
