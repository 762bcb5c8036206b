"""Compares the clocks of this machine and of each gateway, and decides which messages are too old to be answered."""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from services.accounts.registry import Accounts
from services.clock import MINUTE, Clock
from wechat.interface import State

log = logging.getLogger(__name__)
OLD_AFTER: Final = 10 * MINUTE  # messages sent longer than this before the account came online are not answered
WINDOW: Final = 20  # latest messages from which the skew is computed
SETTLE_SECONDS: Final = MINUTE  # after the login; until then a gateway may deliver earlier messages
MIN_MESSAGES: Final = 3  # messages from which the skew is computed, at least
MAX_SKEW: Final = 2 * MINUTE  # a larger skew is reported to the admins


class AccountClocks:
    """Tracks the clocks of all accounts.

    Either clock may be wrong or may be set, so a single reading never makes a message old.
    """

    def __init__(self, accounts: Accounts, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._accounts = accounts
        self._clock = clock
        self._monotonic = monotonic
        self._began = monotonic()
        self._online_since: dict[str, float] = {}  # by the monotonic clock
        self._limits: dict[str, float] = {}  # the earliest reading so far of when the account came online
        self._delays: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))
        # delays once it had settled
        self._recent_delays: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._reported: set[str] = set()  # accounts whose skew is logged

    def state_changed(self, account: str, state: State) -> None:
        """Handle an account's state. Only a login counts as coming online, not a reconnection."""
        if state is State.LOGGED_OUT:
            self._online_since.pop(account, None)
        elif state in (State.SYNCING, State.ONLINE) and account not in self._online_since:
            self._online_since[account] = self._monotonic()
            self._limits.pop(account, None)
            self._recent_delays.pop(account, None)
        self._check((account,))

    def record_message(self, account: str, said_at: float, arrived_at: float) -> None:
        """Record a message: its time according to WeChat, and its arrival by the local clock (both Unix seconds)."""
        self._delays[account].append(arrived_at - said_at)
        if self._monotonic() - self._online_since.get(account, math.inf) > SETTLE_SECONDS:
            self._recent_delays[account].append(arrived_at - said_at)

    def is_old(self, account: str, said_at: float) -> bool:
        """Whether a message was sent too long before the account came online to be answered."""
        passed = self._monotonic() - self._online_since.get(account, self._began)
        own_time = self._clock() - passed
        readings = [self._limits.get(account, math.inf), own_time]
        if (gateway_time := self._gateway_time(account)) is not None:
            readings.append(gateway_time - passed)
        if len(delays := self._recent_delays[account]) >= MIN_MESSAGES:  # WeChat's own time may differ from both
            readings.append(own_time - min(delays))
        self._limits[account] = min(readings)
        return said_at < self._limits[account] - OLD_AFTER

    def skew(self, account: str) -> float | None:
        """Return the seconds by which this machine is ahead of the gateway, or None.

        If the gateway does not report its time, the fastest of several messages is used.
        """
        gateway_time = self._gateway_time(account)
        if gateway_time is not None:
            return self._clock() - gateway_time
        return min(self._delays[account], default=None)

    def skews(self) -> Iterator[tuple[str, float]]:
        """Return the known skew of each account."""
        return self._skews(self._accounts.names())

    def _skews(self, accounts: Iterable[str]) -> Iterator[tuple[str, float]]:
        for account in accounts:
            if (skew := self.skew(account)) is not None:
                yield account, skew

    def wrong_clocks(self) -> dict[str, float]:
        """Return the accounts whose skew needs attention."""
        return {account: skew for account, skew in self.skews() if abs(skew) > MAX_SKEW}

    def check(self) -> None:
        """Log when a clock becomes wrong or right again."""
        self._check(self._reported.union(self._accounts.names()))

    def _check(self, accounts: Collection[str]) -> None:
        wrong = {account: skew for account, skew in self._skews(accounts) if abs(skew) > MAX_SKEW}
        for account, skew in wrong.items():
            if account not in self._reported:
                log.warning(
                    "%s: this machine's clock differs by %+.0f seconds from the gateway's; enable time synchronization",
                    account,
                    skew,
                )
        for account in self._reported.intersection(accounts) - wrong.keys():
            log.info("%s: the clocks agree again", account)
        self._reported = self._reported.difference(accounts) | wrong.keys()

    def _gateway_time(self, account: str) -> float | None:
        wechat = self._accounts.find(account)
        return None if wechat is None else wechat.gateway_time
