"""Injected faults: duplicate, late or lost events; calls that fail, hang, or lose their response."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from sandbox.world.model import Refused

TOO_FAST: Final = "操作过于频繁，请稍后再试"


class Effect(StrEnum):
    """Effects of a call's fault."""

    FAIL = "fail"  # an error, without effect
    HANG = "hang"  # no response, without effect
    LOSE = "lose"  # executed, then the stream is reset
    LOSE_SILENTLY = "lose_silently"  # executed, no response
    SLOW = "slow"  # delayed


EFFECTS: Final = tuple(map(str, Effect))
LIMITED: Final = ("message", "room_create", "room_add", "friend_add", "friend_accept")
NEVER_FAULTY: Final = frozenset({"Event"})  # streams have their own faults


@dataclass(frozen=True, slots=True)
class EventFault:
    """Probabilities (0 to 1) for one kind of event; `late_ms` is the delay of a late one."""

    twice: float = 0.0
    late: float = 0.0
    late_ms: float = 1000.0
    lost: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= chance <= 1 for chance in (self.twice, self.late, self.lost)) or self.late_ms < 0:
            raise Refused("故障的概率在 0 到 1 之间，延迟不能为负")


@dataclass(slots=True)
class CallFault:
    """A fault of a method (or `*`), for the next `count` calls or permanently.

    `text`: of the error (fail); `ms`: the delay (slow).
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
        is_valid_count = self.count is None or (isinstance(self.count, int) and self.count >= 1)
        if not 0 <= self.probability <= 1 or self.ms < 0 or not is_valid_count:
            raise Refused("概率在 0 到 1 之间，延迟不能为负，次数是从 1 起的整数")


class Faults:
    """The active faults, and the random generator that applies them."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)
        self.events: dict[str, EventFault] = {}
        self.calls: list[CallFault] = []

    def event(self, kind: str = "*", **probabilities: float) -> None:
        """Set the fault of an event kind (message, room-join, … or `*`), or remove it if no values are given."""
        if probabilities:
            self.events[kind] = EventFault(**probabilities)
        else:
            self.events.pop(kind, None)

    def call(self, method: str, effect: str, **options: Any) -> CallFault:
        """Add a fault of a method. The first one that applies to a call is used."""
        fault = CallFault(method, effect, **options)
        self.calls.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        self.events.clear()
        self.calls.clear()

    def plan_event(self, kind: str) -> list[float]:
        """Return the delays in seconds with which to send an event; none if it is lost, two if it is duplicated."""
        fault = self.events.get(kind) or self.events.get("*")
        if fault is None:
            return [0.0]
        if self._random.random() < fault.lost:
            return []
        times = 2 if self._random.random() < fault.twice else 1
        return [fault.late_ms / 1000 if self._random.random() < fault.late else 0.0 for _ in range(times)]

    def plan_call(self, method: str) -> CallFault | None:
        """Return the fault of this call, if any, and reduce its count."""
        if method in NEVER_FAULTY:
            return None
        for fault in self.calls:
            if fault.method in (method, "*") and self._random.random() < fault.probability:
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self.calls.remove(fault)
                return fault
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the faults as JSON for the page."""
        return {
            "events": {kind: asdict(fault) for kind, fault in self.events.items()},
            "calls": [asdict(fault) for fault in self.calls],
        }


class Limits:
    """Rate limits of assistants; WeChat answers 操作过于频繁 beyond them. None by default."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._limits: dict[str, tuple[int, float]] = {}
        self._done: dict[tuple[str, str], deque[float]] = {}

    def set(self, action: str, times: int | None, seconds: float = 60.0) -> None:
        """Allow one of the LIMITED actions `times` per `seconds`; None removes the limit."""
        if action not in LIMITED:
            raise Refused(f"能限制的只有：{'、'.join(LIMITED)}")
        if times is None:
            self._limits.pop(action, None)
            return
        if times < 0 or seconds <= 0:
            raise Refused("次数不能为负，秒数须大于 0")
        self._limits[action] = (times, seconds)

    def take(self, account: str, action: str) -> None:
        """Count an action; raise Refused if it exceeds the limit."""
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

    def to_json(self) -> dict[str, dict[str, float]]:
        """Return the limits as JSON for the page."""
        return {action: {"times": times, "seconds": seconds} for action, (times, seconds) in self._limits.items()}
