"""Imported by Python at its start: with libfaketime 0.9.10 `time.sleep` fails with EINVAL, `Event.wait` works."""

import threading
import time
from typing import SupportsFloat


def sleep(seconds: SupportsFloat) -> None:
    """Sleep as `time.sleep` does."""
    threading.Event().wait(float(seconds))


time.sleep = sleep  # type: ignore[assignment]
