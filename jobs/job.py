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
    idempotent. `made_up`: whether runs missed while the bot was down are made up by one run; `make_up`, if given, then
    runs instead of `run`, with the last missed time (Unix seconds). `once`: it runs in one process of a cluster; other
    jobs run in every process, for the accounts it serves.
    """

    name: str
    cron: str
    run: Callable[[Container], Awaitable[Any]]
    made_up: bool = True
    once: bool = False
    make_up: Callable[[Container, float], Awaitable[Any]] | None = None
