"""The identity of the SQLite file: writes to a deleted or replaced file would be lost without an error."""

from __future__ import annotations

from pathlib import Path


class FileLost(OSError):
    """The database file was deleted or replaced while it was open."""


class DatabaseFile:
    """A database file that must stay the same file while the process runs."""

    def __init__(self, path: Path | None) -> None:
        self._path = path  # None: the database is on a server
        self._identity: tuple[int, int] | None = None

    def remember(self) -> None:
        """Remember the identity of the current file."""
        if self._path is not None:
            self._identity = _identity(self._path)

    @property
    def is_lost(self) -> bool:
        """Whether the file was deleted or replaced."""
        return self._path is not None and self._identity is not None and _identity(self._path) != self._identity

    def check(self) -> None:
        """Raise FileLost if the file is lost."""
        if self.is_lost:
            raise FileLost(f"the database file {self._path} was deleted or replaced")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
