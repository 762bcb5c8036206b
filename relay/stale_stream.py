"""When to end an event stream that the gateway keeps for a lost connection of this relay."""

from __future__ import annotations

import time

from relay.journal import Journal
from relay.journal_tables import Fact


class StaleStream:
    """Whether the client that holds the gateway's event stream is a lost connection of this relay.

    A gateway with TLS on Node.js (20, 22, 24) does not notice one kill -9 of its client in a hundred, if it was just
    writing to it, and then refuses every other client. Only Stop frees its stream. That would also end the stream of a
    living client, so it is called once, and only if this relay held the stream last, as far as it knows.
    """

    def __init__(self, journal: Journal, endpoint: str, after: float) -> None:
        self._journal = journal
        self._endpoint = endpoint
        self._after = after  # seconds of refusals; 0 = never
        self._since: float | None = None  # the first refusal since this relay held the stream (monotonic)

    def opened(self) -> None:
        """Record that this relay holds the stream."""
        self._since = None
        self._remember(self._endpoint)

    def ended(self) -> None:
        """Record that the gateway ended the stream, or is about to: another client may hold it from now on."""
        self._remember("")

    def refused(self) -> bool:
        """Record a refusal; return whether Stop should be called."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        is_own = self._journal.held == self._endpoint
        return is_own and self._after > 0 and now - self._since >= self._after

    def _remember(self, endpoint: str) -> None:
        if self._journal.held != endpoint:
            self._journal.held = endpoint
            self._journal.remember(Fact.HELD, endpoint)
