"""Messages since the state was last saved, one JSON line each, written before the recipients are notified."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sandbox.world.model import ChatMessage, MediaFile, WorldState

SUFFIX: Final = ".journal"


class MessageJournal:
    """The journal of a state file."""

    def __init__(self, path: Path, plain: Callable[[ChatMessage], dict[str, Any]]) -> None:
        self._path = path.with_name(path.name + SUFFIX)
        self._plain = plain
        self._last = 0  # the number of the newest message that is kept
        self._file = -1

    def open(self, state: WorldState) -> None:
        """Start; the current state is in the state file."""
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._last = max(state.messages, default=0)

    def add_new(self, state: WorldState, keep_media: Callable[[MediaFile], None]) -> int:
        """Store the messages since the last call; return their number."""
        new: list[ChatMessage] = []
        for seq in reversed(state.messages):
            if seq <= self._last:
                break
            new.append(state.messages[seq])
        lines = []
        for message in reversed(new):
            media = state.media.get(message.media) if message.media else None
            if media is not None:
                keep_media(media)
            media_ref = {"id": media.id, "name": media.name} if media is not None else None
            lines.append(json.dumps({"message": self._plain(message), "media": media_ref}, ensure_ascii=False) + "\n")
        if lines:
            os.write(self._file, "".join(lines).encode())
            self._last = new[0].seq
        return len(new)

    @property
    def is_open(self) -> bool:
        """Whether it has been started."""
        return self._file >= 0

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return os.fstat(self._file).st_size if self.is_open else 0

    def drop(self, size: int | None = None) -> None:
        """Remove the first `size` bytes, or everything, that is now in the state file."""
        if not self.is_open:
            return
        if size is None:
            os.ftruncate(self._file, 0)
            return
        remainder = self._path.read_bytes()[size:]
        temporary = self._path.with_name(self._path.name + ".tmp")
        temporary.write_bytes(remainder)
        temporary.replace(self._path)
        os.close(self._file)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)

    def close(self) -> None:
        """End."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a state file's journal, up to a line torn by a crash."""
    journal = path.with_name(path.name + SUFFIX)
    rows: list[dict[str, Any]] = []
    if not journal.exists():
        return rows
    for line in journal.read_bytes().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
