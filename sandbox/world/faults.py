"""What may go wrong on purpose: events twice, late or lost; calls that fail, hang, or whose answer is lost."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from sandbox.world.model import Refused

TOO_FAST: Final = "操作过于频繁，请稍后再试"
EFFECTS: Final = ("fail", "hang", "lose", "lose_silently", "slow")
LIMITED: Final = ("message", "room_create", "room_add", "friend_add", "friend_accept")
NEVER_FAULTY: Final = frozenset({"Event"})  # streams have their own faults


@dataclass(frozen=True, slots=True)
class EventFault:
    """Chances (0 to 1) for one kind of event; `late_ms` is how late a late one is."""

    twice: float = 0.0
    late: float = 0.0
    late_ms: float = 1000.0
    lost: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= chance <= 1 for chance in (self.twice, self.late, self.lost)) or self.late_ms < 0:
            raise Refused("故障的概率在 0 到 1 之间，延迟不能为负")


@dataclass(slots=True)
class CallFault:
    """What goes wrong with a method (or `*`), for the next `count` calls or for good.

    fail: an error with `text`, nothing done. hang: no answer, nothing done. lose: done, then the stream is reset.
    lose_silently: done, no answer. slow: `ms` later, as ever.
    """

    method: str
    effect: str
    probability: float = 1.0
    count: int | None = None
    ms: float = 1000.0
    text: str = "sandbox fault"

    def __post_init__(self) -> None:
        if self.effect not in EFFECTS:
            raise Refused(f"调用的故障只有：{'、'.join(EFFECTS)}")
        counted = self.count is None or (isinstance(self.count, int) and self.count >= 1)
        if not 0 <= self.probability <= 1 or self.ms < 0 or not counted:
            raise Refused("概率在 0 到 1 之间，延迟不能为负，次数是从 1 起的整数")


class Faults:
    """The switches, and the seeded dice."""

    def __init__(self, seed: int | None = None) -> None:
        self._dice = random.Random(seed)
        self.events: dict[str, EventFault] = {}
        self.calls: list[CallFault] = []

    def event(self, kind: str = "*", **chances: float) -> None:
        """Set what goes wrong with events of a kind (message, room-join, … or `*`); no chances switch it off."""
        if chances:
            self.events[kind] = EventFault(**chances)
        else:
            self.events.pop(kind, None)

    def call(self, method: str, effect: str, **more: Any) -> CallFault:
        """Set what goes wrong with a method. The first rule that strikes wins."""
        fault = CallFault(method, effect, **more)
        self.calls.append(fault)
        return fault

    def clear(self) -> None:
        """All is well again."""
        self.events.clear()
        self.calls.clear()

    def plan_event(self, kind: str) -> list[float]:
        """When to tell an event: seconds from now, one for each time; empty when it is lost."""
        fault = self.events.get(kind) or self.events.get("*")
        if fault is None:
            return [0.0]
        if self._dice.random() < fault.lost:
            return []
        times = 2 if self._dice.random() < fault.twice else 1
        return [fault.late_ms / 1000 if self._dice.random() < fault.late else 0.0 for _ in range(times)]

    def plan_call(self, method: str) -> CallFault | None:
        """The fault that strikes this call, if any; uses up its count."""
        if method in NEVER_FAULTY:
            return None
        for fault in self.calls:
            if fault.method in (method, "*") and self._dice.random() < fault.probability:
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self.calls.remove(fault)
                return fault
        return None

    def shown(self) -> dict[str, Any]:
        """The switches as they stand, for the control page."""
        return {
            "events": {kind: asdict(fault) for kind, fault in self.events.items()},
            "calls": [asdict(fault) for fault in self.calls],
        }


class Limits:
    """How often an assistant may do a thing before WeChat says 操作过于频繁. Off until set."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._limits: dict[str, tuple[int, float]] = {}
        self._done: dict[tuple[str, str], deque[float]] = {}

    def set(self, action: str, times: int | None, seconds: float = 60.0) -> None:
        """Allow one of the LIMITED actions so many times in so many seconds; None lifts the limit."""
        if action not in LIMITED:
            raise Refused(f"能限制的只有：{'、'.join(LIMITED)}")
        if times is None:
            self._limits.pop(action, None)
            return
        if times < 0 or seconds <= 0:
            raise Refused("次数不能为负，秒数须大于 0")
        self._limits[action] = (times, seconds)

    def take(self, account: str, action: str) -> None:
        """Count one action; Refused when that is too fast."""
        if action not in self._limits:
            return
        times, seconds = self._limits[action]
        done = self._done.setdefault((account, action), deque())
        now = self._clock()
        while done and now - done[0] >= seconds:
            done.popleft()
        if len(done) >= times:
            raise Refused(TOO_FAST)
        done.append(now)

    def shown(self) -> dict[str, dict[str, float]]:
        """The limits as they stand, for the control page."""
        return {action: {"times": times, "seconds": seconds} for action, (times, seconds) in self._limits.items()}
