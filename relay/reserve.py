"""Disk space set aside for a journal: without any free space, SQLite cannot even delete."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Final

# A deletion is first written to the WAL, which grows to 1000 pages (4 MB) and one more transaction.
SIZE: Final = 8 * 1024 * 1024
FREE: Final = 2 * SIZE  # bytes free on the disk when the space is set aside


class Reserve:
    """A file that is deleted when the disk is full."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def hold(self) -> None:
        """Make the file, unless it exists or the disk is nearly full."""
        try:
            if self._path.exists() or shutil.disk_usage(self._path.parent).free < FREE:
                return
            self._path.write_bytes(os.urandom(SIZE))  # no file system can compress it
        except OSError:
            self._path.unlink(missing_ok=True)

    def release(self) -> bool:
        """Delete the file; return False if there is none."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


def is_full(error: sqlite3.Error) -> bool:
    """Whether SQLite failed for want of space, which in some of its files it reports as an I/O error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
