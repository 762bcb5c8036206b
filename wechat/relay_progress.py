"""How far an account has the events of a relay, when its gateway is one, and the epoch it calls with."""

from __future__ import annotations

from protocol.relaying import ACKNOWLEDGED, EPOCH, RESUME, Position


class RelayProgress:
    """Without a relay all of this stays empty; gateways pay no attention to the metadata."""

    def __init__(self) -> None:
        self._epoch = 0
        self._journal = ""  # of the relay that is connected
        self._stored: Position | None = None  # everything up to here is in the database
        self._handed = 0  # the last number that was given to be stored

    def begin(self, epoch: int, position: str) -> None:
        """The process starts: its epoch, and the position that the database has."""
        self._epoch, self._stored = epoch, Position.parse(position)

    def opened(self, journal: str) -> None:
        """A stream was opened; `journal` is "" for a gateway that is no relay."""
        self._journal = journal
        self._handed = self._stored.number if self._stored and self._stored.journal == journal else 0

    def position_of(self, number: int) -> str:
        """The position of an event that is handed on to be stored; "" without a relay."""
        if not (self._journal and number):
            return ""
        self._handed = max(self._handed, number)
        return str(Position(self._journal, number))

    def passed(self, number: int) -> None:
        """An event that nothing is stored of. It is acknowledged with the next one, or at once when none waits."""
        if not (self._journal and number):
            return
        stored = self._stored.number if self._stored and self._stored.journal == self._journal else 0
        if self._handed <= stored or self._handed == 0:
            self._handed, self._stored = number, Position(self._journal, number)

    def acknowledge(self, position: str) -> None:
        """Everything up to this position is in the database."""
        parsed = Position.parse(position)
        if parsed is None or parsed.journal != self._journal:
            return
        if self._stored is None or self._stored.journal != parsed.journal or self._stored.number < parsed.number:
            self._stored = parsed

    def constant(self) -> dict[str, str]:
        """The metadata that every call of this process carries."""
        return {EPOCH: str(self._epoch)} if self._epoch else {}

    def current(self, *, resuming: bool) -> dict[str, str]:
        """The metadata of a call that is made now."""
        metadata = {RESUME: str(self._stored or "new")} if resuming and self._epoch else {}
        if self._stored and self._stored.journal == self._journal:
            metadata[ACKNOWLEDGED] = str(self._stored)
        return metadata
