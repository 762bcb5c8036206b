"""Definition of a scheduled job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from app.container import Container


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """A job with its default time as a crontab line in the configured time zone.

    `run` answers with what it did (a number, a word), for the log. A job may be begun again after a crash in its
    middle, so what it does must bear that. `made_up`: whether a time missed while the bot was down is made up, once;
    `make_up` then runs instead of `run`, with the last time that was missed (Unix seconds), if the job depends on it.
    `once`: of several processes one runs it; the others' are about the accounts that each serves.
    """

    name: str
    cron: str
    run: Callable[[Container], Awaitable[Any]]
    made_up: bool = True
    once: bool = False
    make_up: Callable[[Container, float], Awaitable[Any]] | None = None
