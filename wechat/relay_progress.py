"""Progress of an account in the events of a relay, and the metadata sent to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from protocol.relaying import ACKNOWLEDGED, EPOCH, RESUME, Position

# Seconds between two changes of the acknowledgement. Calls in between repeat the last one: headers that repeat are
# neither encoded nor decoded again. The calls that monitor the gateway carry the last acknowledgement at any rate.
ACKNOWLEDGE_EVERY: Final = 0.25


class RelayProgress:
    """Position and epoch for a relay. Stays empty with other gateways, which ignore the metadata."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._acknowledged: Position | None = None  # as in the last call
        self._acknowledged_at = 0.0
        self._epoch = 0
        self._journal = ""  # id of the connected relay's journal
        self._stored: Position | None = None  # all events up to here are stored
        self._last_passed = 0  # number of the last event passed on to be stored

    def begin(self, epoch: int, position: str) -> None:
        """Set the epoch of this process and the stored position."""
        self._epoch, self._stored = epoch, Position.parse(position)
        self._acknowledged = None

    def opened(self, journal: str) -> None:
        """A stream was opened; `journal` is "" if the gateway is not a relay."""
        self._journal = journal
        self._last_passed = self._stored.number if self._stored and self._stored.journal == journal else 0

    def position_of(self, number: int) -> str:
        """Return the position of an event to be stored; "" without a relay."""
        if not (self._journal and number):
            return ""
        self._last_passed = max(self._last_passed, number)
        return str(Position(self._journal, number))

    def record_unstored(self, number: int) -> None:
        """Record an event that is not stored. It is acknowledged with the next stored one, or immediately if
        none is pending.
        """
        if not (self._journal and number):
            return
        stored = self._stored.number if self._stored and self._stored.journal == self._journal else 0
        if self._last_passed <= stored or self._last_passed == 0:
            self._last_passed, self._stored = number, Position(self._journal, number)

    def acknowledge(self, position: str) -> None:
        """Record that all events up to this position are stored."""
        parsed = Position.parse(position)
        if parsed is None or parsed.journal != self._journal:
            return
        if self._stored is None or self._stored.journal != parsed.journal or self._stored.number < parsed.number:
            self._stored = parsed

    def base_metadata(self) -> dict[str, str]:
        """Return the metadata of every call."""
        return {EPOCH: str(self._epoch)} if self._epoch else {}

    def position_metadata(self, *, resuming: bool) -> dict[str, str]:
        """Return the metadata that depends on the current position."""
        metadata = {RESUME: str(self._stored or "new")} if resuming and self._epoch else {}
        if self._stored and self._stored.journal == self._journal:
            metadata[ACKNOWLEDGED] = str(self._acknowledgement(self._stored))
        return metadata

    def _acknowledgement(self, stored: Position) -> Position:
        now, last = self._clock(), self._acknowledged
        if last is None or last.journal != stored.journal or now - self._acknowledged_at >= ACKNOWLEDGE_EVERY:
            last, self._acknowledged_at = stored, now
        self._acknowledged = last
        return last
