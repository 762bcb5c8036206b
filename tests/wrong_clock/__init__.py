"""Processes with a wrong clock, by libfaketime."""

from __future__ import annotations

import os
from pathlib import Path

LIBRARIES = [
    *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"),
    *Path("/usr/lib").glob("faketime/libfaketimeMT.so.1"),
]


def environment(**times: str) -> dict[str, str]:
    """Return the environment of a Python process with these settings of libfaketime, which must be installed."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    return {"LD_PRELOAD": str(LIBRARIES[0]), "PYTHONPATH": path, "FAKETIME_DONT_FAKE_MONOTONIC": "1", **times}
