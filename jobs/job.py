"""Definition of a scheduled job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from app.container import Container


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """A job with its default time as a crontab line in the configured time zone.

    `run` returns a summary for the log. A job may run again after a crash, so it must be idempotent. `made_up`: whether
    a run missed while the bot was down is made up, once.
    """

    name: str
    cron: str
    run: Callable[[Container], Awaitable[Any]]
    made_up: bool = True
