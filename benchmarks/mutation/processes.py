"""Forked processes with a result and a time limit."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

PROCESSES: Final = 2
SURVIVED: Final = 0
KILLED: Final = 1
UNCOVERED: Final = 3  # no test runs it
NOT_APPLICABLE: Final = 4  # it changes nothing, or nothing that can be replaced in memory
BROKEN: Final = 5  # the process ended without a result
TIMED_OUT: Final = 6  # a test waited in vain, or did not end

Job = Callable[[], tuple[int, str]]


@dataclass(slots=True)
class _Child:
    place: int
    process: int
    result: int  # file descriptor of a temporary file
    folder: str
    deadline: float


def run_forked(jobs: Sequence[Job], limits: float | Sequence[float]) -> Iterator[tuple[int, int, str]]:
    """Run each job in its own process, two at a time; yield position, exit code and output as they end."""
    waiting = list(enumerate(jobs))
    running: list[_Child] = []
    try:
        while waiting or running:
            while waiting and len(running) < PROCESSES:
                place, job = waiting.pop(0)
                limit = limits if isinstance(limits, int | float) else limits[place]
                running.append(_start(place, job, limit))
            for child in list(running):
                if (ended := _ended(child)) is not None:
                    running.remove(child)
                    yield child.place, *ended
            time.sleep(0.02)
    finally:
        for child in running:
            _kill(child)


def _start(place: int, job: Job, limit: float) -> _Child:
    folder = tempfile.mkdtemp(prefix="wxbot-mutant-")
    result = os.memfd_create("result")
    process = os.fork()
    if process:
        return _Child(place, process, result, folder, time.monotonic() + limit)
    try:
        os.setsid()
        os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        code, text = _result(job)
        with os.fdopen(result, "wb") as file:
            file.write(f"{code}\n{text}".encode())
    finally:
        os._exit(0)


def _result(job: Job) -> tuple[int, str]:
    try:
        return job()
    except BaseException:  # noqa: BLE001 - shown by the parent
        return BROKEN, traceback.format_exc()


def _ended(child: _Child) -> tuple[int, str] | None:
    done, _ = os.waitpid(child.process, os.WNOHANG)
    if not done:
        if time.monotonic() < child.deadline:
            return None
        _kill(child)
        _forget(child)
        return TIMED_OUT, ""
    os.lseek(child.result, 0, os.SEEK_SET)
    with os.fdopen(child.result, "rb") as file:
        code, _, text = file.read().decode().partition("\n")
    shutil.rmtree(child.folder, ignore_errors=True)
    return (int(code), text) if code else (BROKEN, "")


def _kill(child: _Child) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.process, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(child.process, 0)


def _forget(child: _Child) -> None:
    os.close(child.result)
    shutil.rmtree(child.folder, ignore_errors=True)
