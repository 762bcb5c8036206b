"""Rate limits of an account. WeChat publishes none; the defaults follow experience of operators.

Actions count from the moment they are attempted. After 操作过于频繁 all rates are halved for a while.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable

from config.settings import PacingSettings

MINUTE = 60.0
DAY = 86400.0
MAX_CLOCK_STEP_BACK = 1.0  # seconds by which a clock may go back without having been set


class RateLimiter:
    """The rate limiter of an account. Delays are in seconds, 0 = now."""

    def __init__(
        self,
        settings: PacingSettings,
        clock: Callable[[], float],
        rng: random.Random | None = None,
        on_slow: Callable[[float], None] | None = None,
    ) -> None:
        """`on_slow` is called with the end of each slow-down (Unix seconds)."""
        self._settings = settings
        self._clock = clock
        self._latest = 0.0  # last value of the clock
        self._rng = rng or random.Random()
        self._messages: deque[float] = deque()
        self._groups: deque[float] = deque()
        self._add_at = 0.0
        self._next_for: dict[str, float] = {}
        self.slow_until = 0.0
        self._on_slow = on_slow

    # ---- restoring ----

    def restore(self, kind: str, times: Iterable[float]) -> None:
        """Count actions from before a restart: kind is message, group or add; times are Unix seconds, ascending."""
        now = self._now()
        for at in (min(at, now) for at in times):
            if kind == "message":
                self._messages.append(at)
            elif kind == "group":
                self._groups.append(at)
            else:
                self._add_at = max(self._add_at, at)

    def restore_slow_down(self, until: float) -> None:
        """Restore the end of a slow-down from before a restart."""
        self.slow_until = min(until, self._now() + self._settings.backoff_minutes * MINUTE)

    @property
    def slow_down_factor(self) -> float:
        """1, or 2 during a slow-down: intervals are multiplied by it, limits divided."""
        now = self._now()
        return 2.0 if now < self.slow_until else 1.0

    def slow_down(self) -> float:
        """Halve the rates after 操作过于频繁; return the end of the slow-down (Unix seconds)."""
        self.slow_until = self._now() + self._settings.backoff_minutes * MINUTE
        if self._on_slow is not None:
            self._on_slow(self.slow_until)
        return self.slow_until

    def _now(self) -> float:
        """Return the current time. If the clock was set back, shift all recorded times."""
        now, latest = self._clock(), self._latest
        if now < latest - MAX_CLOCK_STEP_BACK:
            clock_step = latest - now
            self._messages = deque(at - clock_step for at in self._messages)
            self._groups = deque(at - clock_step for at in self._groups)
            self._next_for = {key: at - clock_step for key, at in self._next_for.items()}
            self._add_at -= clock_step
            self.slow_until -= clock_step
        self._latest = now
        return now

    # ---- messages ----

    def queue_delay(self) -> float:
        """Return the delay before the account may send a message."""
        if not self._settings.enabled:
            return 0.0
        now = self._now()
        while self._messages and self._messages[0] <= now - MINUTE:
            self._messages.popleft()
        limit = max(1, int(self._settings.messages_per_minute / self.slow_down_factor))
        return max(0.0, self._messages[-limit] + MINUTE - now) if len(self._messages) >= limit else 0.0

    def key_delay(self, key: str) -> float:
        """Return the delay before a message to this conversation."""
        if not self._settings.enabled:
            return 0.0
        now = self._now()
        return max(0.0, self._next_for.get(key, 0.0) - now)

    def spend(self, key: str) -> None:
        """Count a message to this conversation."""
        if not self._settings.enabled:
            return
        now = self._now()
        self._messages.append(now)
        if len(self._next_for) > 1000:
            self._next_for = {k: at for k, at in self._next_for.items() if at > now}
        spread = 1 + self._rng.uniform(0, self._settings.spread)
        self._next_for[key] = now + self._settings.conversation_seconds * self.slow_down_factor * spread

    def used(self) -> dict[str, float]:
        """Return the used part of each limit by kind of action; at 1 the next action must wait."""
        if not self._settings.enabled:
            return {"message": 0.0, "group": 0.0, "add": 0.0}
        now, settings = self._now(), self._settings
        max_messages = max(1, int(settings.messages_per_minute / self.slow_down_factor))
        max_groups = max(1, int(settings.groups_per_day / self.slow_down_factor))
        pause = settings.add_seconds * self.slow_down_factor
        return {
            "message": sum(at > now - MINUTE for at in self._messages) / max_messages,
            "group": sum(at > now - DAY for at in self._groups) / max_groups,
            "add": max(0.0, (self._add_at + pause - now) / pause) if pause else 0.0,
        }

    # ---- groups ----

    def group_delay(self) -> float:
        """Return the delay before the account may create a group."""
        if not self._settings.enabled or not self._groups:
            return 0.0
        now = self._now()
        while self._groups and self._groups[0] <= now - DAY:
            self._groups.popleft()
        limit = max(1, int(self._settings.groups_per_day / self.slow_down_factor))
        wait = self._groups[-1] + self._settings.group_seconds * self.slow_down_factor - now if self._groups else 0.0
        if len(self._groups) >= limit:
            wait = max(wait, self._groups[-limit] + DAY - now)
        return max(0.0, wait)

    def spend_group(self) -> None:
        """Count the creation of a group."""
        self._groups.append(self._now())

    def reserve_add(self, max_delay: float | None) -> float:
        """Reserve the next time for adding or inviting a person; return the seconds until then.

        If that is more than `max_delay` seconds, nothing is reserved.
        """
        if not self._settings.enabled:
            return 0.0
        now = self._now()
        at = max(now, self._add_at + self._settings.add_seconds * self.slow_down_factor)
        if max_delay is None or at - now <= max_delay:
            self._add_at = at
        return at - now
