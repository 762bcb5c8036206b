"""`python bot.py` as a child process that starts in milliseconds, forked from a process that has imported the bot.

Importing takes seconds of CPU. The child is a process like any other: it has its own files and can be killed.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import runpy
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

ROOT: Final = Path(__file__).parent.parent
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["bot"])


class ChildProcess(Protocol):
    """What the tests need of a child process; asyncio's own has it too."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def send_signal(self, signal: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    async def wait(self) -> int: ...


class PreloadedProcess:
    """A child process with the interface of asyncio's."""

    def __init__(self, process: Any) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self._process.pid)

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        code: int | None = self._process.exitcode
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal; ProcessLookupError if it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError(self.pid)
        os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait until it has ended; return its exit code."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        return int(self._process.exitcode)


async def start_bot(config: Path, log: Path, environment: Mapping[str, str]) -> PreloadedProcess:
    """Start `bot.py --config FILE` with its output appended to a log."""
    arguments = ("bot.py", "--config", str(config))
    process = _context.Process(target=_run, args=(arguments, str(log), dict(environment)), daemon=True)
    await asyncio.to_thread(_start, process, log)
    return PreloadedProcess(process)


def _start(process: Any, log: Path) -> None:
    log.touch()  # tests may read it before the child opens it
    process.start()


def _run(arguments: tuple[str, ...], log: str, environment: dict[str, str]) -> None:
    """In the child: become `python bot.py`."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = list(arguments)
    sys.orig_argv = [sys.executable, *arguments]
    runpy.run_path(arguments[0], run_name="__main__")
