"""Runs the command line of bot.py in this process if it ends before the bot runs: a new process takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

import bot


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str


RunBot = Callable[..., Ended]


@pytest.fixture
def run_bot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunBot:
    """Return a function that runs `bot.py` with arguments. Not for coroutines: it runs its own event loop."""
    monkeypatch.setattr(bot, "set_up_logging", lambda _format: None)

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["bot.py", *map(str, arguments)])
        capsys.readouterr()
        try:
            code = bot.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said, complained = capsys.readouterr()
        return Ended(code, said, complained)

    return run
