"""Recently sent messages of the account, whose echo events are ignored."""

from __future__ import annotations

from typing import Final

MAX_IDS: Final = 5000


class SentMessages:
    """The ids of the last messages sent."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def add(self, id: str) -> str:
        """Store the id of a message just sent, and return it."""
        if id:
            self._ids[id] = None
            if len(self._ids) > MAX_IDS:
                del self._ids[next(iter(self._ids))]
        return id

    def __contains__(self, id: str) -> bool:
        return id in self._ids
