"""Decides whether the clock can be trusted for deleting old data."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sqlmodel import Session

from models.db import Store
from models.durable import Setting
from services.clock import DAY, HOUR, Clock

log = logging.getLogger(__name__)
KEY: Final = "clock_trust"
TOLERANCE: Final = HOUR  # seconds by which the clock may run ahead of the monotonic clock
MAX_OFF_SECONDS: Final = 7 * DAY  # seconds a machine may have been switched off
TRUSTED_AFTER: Final = 7 * DAY  # seconds a clock must run steadily after a jump to be trusted
UPTIME: Final = Path("/proc/uptime")
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A reading of the clock (Unix seconds) with the seconds since boot and the id of that boot."""

    clock: float
    uptime: float
    boot: str


class ClockTrust:
    """Compares the clock with the monotonic time since the stored reading.

    A clock that jumped ahead is trusted again after it has run evenly for a week.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.jump_seconds = 0.0  # seconds by which the clock jumped ahead; 0 while it is trusted

    async def load(self) -> None:
        """Start with the stored reading, or with the current one."""
        if await self._store.read(lambda s: s.get(Setting, KEY)) is None:
            await self._store.write(lambda s: _store(s, self._read(), None))

    async def is_trusted(self) -> bool:
        """Whether the clock has moved as expected since the last trusted reading, which is then replaced."""
        return await self._store.write(self._check)

    def _check(self, session: Session) -> bool:
        row, now = session.get(Setting, KEY), self._read()
        if row is None:
            _store(session, now, None)
            return True
        stored = json.loads(row.value)
        trusted = ClockReading(**stored["believed"])
        untrusted = ClockReading(**stored["doubted"]) if stored["doubted"] else None
        self.jump_seconds = _seconds_ahead(trusted, now)
        if self.jump_seconds == 0.0 or (
            untrusted and not _seconds_ahead(untrusted, now) and _elapsed(untrusted, now) > TRUSTED_AFTER
        ):
            self.jump_seconds = 0.0
            _store(session, now, None)
            return True
        log.error(
            "the clock has jumped ahead by %.1f days: pruning is suspended until it is corrected",
            self.jump_seconds / DAY,
        )
        _store(session, trusted, untrusted if untrusted and not _seconds_ahead(untrusted, now) else now)
        return False

    def _read(self) -> ClockReading:
        try:
            uptime, boot = float(UPTIME.read_text().split()[0]), BOOT_ID.read_text().strip()
        except (OSError, ValueError, IndexError):  # not on Linux
            uptime, boot = time.monotonic(), ""
        return ClockReading(self._clock(), uptime, boot)


def _elapsed(earlier: ClockReading, now: ClockReading) -> float:
    return now.uptime - earlier.uptime if now.boot == earlier.boot else now.clock - earlier.clock


def _seconds_ahead(earlier: ClockReading, now: ClockReading) -> float:
    """Return the seconds by which the clock is ahead of the expected time; 0 within the tolerance or if it was set
    back.
    """
    moved = now.clock - earlier.clock
    if now.boot == earlier.boot and now.uptime >= earlier.uptime:
        extra = moved - (now.uptime - earlier.uptime)
        return extra if extra > TOLERANCE else 0.0
    return moved if moved > MAX_OFF_SECONDS else 0.0


def _store(session: Session, trusted: ClockReading, untrusted: ClockReading | None) -> None:
    value = {"believed": asdict(trusted), "doubted": asdict(untrusted) if untrusted else None}
    session.merge(Setting(key=KEY, value=json.dumps(value)))
