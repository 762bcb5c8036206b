"""Which responses a journal has, in memory, because most calls have no stored response and need no disk read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MAX_KEYS: Final = 100_000  # about 7 MB


class ResponseIndex:
    """The keys of stored responses. Of those above MAX_KEYS it knows only how many there are."""

    def __init__(self) -> None:
        self._keys: set[int] = set()  # hashes: a collision would need billions of responses
        self._unknown = 0

    def __len__(self) -> int:
        return len(self._keys) + self._unknown

    def add(self, path: str, request: bytes) -> None:
        """Add the response of a call."""
        key = hash((path, request))
        if len(self._keys) < MAX_KEYS or key in self._keys:
            self._keys.add(key)
        else:
            self._unknown += 1

    def remove(self, keys: Iterable[tuple[str, bytes]]) -> None:
        """Remove the responses of calls (path, request)."""
        for path, request in keys:
            key = hash((path, request))
            if key in self._keys:
                self._keys.remove(key)
            elif self._unknown:
                self._unknown -= 1

    def may_have(self, path: str, request: bytes) -> bool:
        """Whether the response of a call may be stored. False is certain."""
        return self._unknown > 0 or hash((path, request)) in self._keys
