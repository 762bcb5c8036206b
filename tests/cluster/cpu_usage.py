"""CPU time of the participants of a chaos test."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psutil

Read = Callable[[], float]  # CPU seconds so far


def of_process(pid: int) -> float:
    """Return the CPU seconds of a process; 0 if it has ended."""
    with suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0


def of_server(pid: int) -> float:
    """Return the CPU seconds of a process and its children, including those that have ended."""
    with suppress(psutil.Error):
        server = psutil.Process(pid)
        times = server.cpu_times()
        ended = float(times.children_user + times.children_system)
        return of_process(pid) + ended + sum(of_process(child.pid) for child in server.children())
    return 0.0


class CpuUsage:
    """CPU of named participants since the start of the measurement."""

    def __init__(self, participants: dict[str, Read]) -> None:
        self._participants: Final = participants
        self._began = time.monotonic()
        self._before = {name: read() for name, read in participants.items()}
        psutil.cpu_percent()

    def __str__(self) -> str:
        elapsed = time.monotonic() - self._began
        shares = {name: (read() - self._before[name]) / elapsed for name, read in self._participants.items()}
        parts = ", ".join(f"{name} {share:.0%}" for name, share in sorted(shares.items(), key=lambda item: -item[1]))
        return (
            f"CPU during {elapsed:.0f} s, of one core: {parts}; together {sum(shares.values()):.0%}; "
            f"the machine's {psutil.cpu_count()} cores {psutil.cpu_percent():.0f}% busy"
        )
