"""What the account itself has sent lately: it comes back as events, which need neither be stored nor read."""

from __future__ import annotations

from typing import Final

MAX: Final = 5000


class SentMessages:
    """The ids of the messages sent last."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def note(self, id: str) -> str:
        """Remember the id of a message that was just sent; returns it."""
        if id:
            self._ids[id] = None
            if len(self._ids) > MAX:
                del self._ids[next(iter(self._ids))]
        return id

    def __contains__(self, id: str) -> bool:
        return id in self._ids
