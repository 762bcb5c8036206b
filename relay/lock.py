"""One process per data folder."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

from relay.journal import JournalError

log = logging.getLogger(__name__)


def acquire(folder: Path, *, wait: bool) -> None:
    """Lock the folder, and with it its ports, until the process ends.

    If another relay holds it: raise JournalError, or with `wait` wait until that one has ended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)  # never closed: the kernel does
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            os.close(file)
            raise JournalError(f"{folder}: another relay uses it") from None
        log.warning("waiting for the other relay to exit")
        fcntl.flock(file, fcntl.LOCK_EX)
