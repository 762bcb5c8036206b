"""One process per data folder."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.journal import JournalError

log = logging.getLogger(__name__)


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold the folder. When another relay holds it: JournalError, or `wait` until that one has ended, however."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise JournalError(f"{folder}: another relay uses it") from None
            log.warning("waiting for the other relay to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
