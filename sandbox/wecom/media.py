"""Temporary files of the stand-in: limits of size, and three days of validity (documents 90253, 90254)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from sandbox.wecom.answers import OK, refused

VALID_SECONDS: Final = 259_200.0  # seconds; three days
MIN_BYTES: Final = 6  # bytes
MEGABYTE: Final = 1024**2
MAX_BYTES: Final = {"image": 10 * MEGABYTE, "voice": 2 * MEGABYTE, "video": 10 * MEGABYTE, "file": 20 * MEGABYTE}


class MediaFiles:
    """Files by media_id, which is no longer known after three days."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._files: dict[str, tuple[str, bytes, float]] = {}  # name, bytes, and when it was stored

    def store(self, name: str, data: bytes) -> str:
        """Store a file; return its media_id."""
        id = secrets.token_hex(16)
        self._files[id] = name, data, self._clock()
        return id

    def get(self, media_id: str) -> tuple[str, bytes] | None:
        """Return the name and bytes of a file, or None."""
        name, data, stored_at = self._files.get(media_id, ("", b"", -VALID_SECONDS))
        return (name, data) if stored_at > self._clock() - VALID_SECONDS else None

    def upload(self, kind: str, name: str, data: bytes) -> dict[str, Any]:
        """media/upload."""
        if kind not in MAX_BYTES:
            return refused(40004, "invalid media type")
        if len(data) < MIN_BYTES:
            return refused(40006, "invalid media size")
        if len(data) > MAX_BYTES[kind]:
            return refused(45001, "media size out of limit")
        return {**OK, "type": kind, "media_id": self.store(name, data), "created_at": str(int(self._clock()))}
