"""Definition of a scheduled job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from app.container import Container


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """A job with its default time as a crontab line in the configured time zone.

    `run` returns its result (a number, a word) for the log. A job may be repeated after a crash, so it must be
    idempotent. `catch_up`: whether it runs once at the start if runs were missed while the bot was down; then
    `run_late`, if given, is called instead of `run`, with the last missed time (Unix seconds). `one_process`: it runs
    in one process of a cluster; other jobs run in every process, for the accounts it serves.
    """

    name: str
    cron: str
    run: Callable[[Container], Awaitable[Any]]
    catch_up: bool = True
    one_process: bool = False
    run_late: Callable[[Container, float], Awaitable[Any]] | None = None
