"""Queued jobs and the results of their delivery."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from models.durable import Priority, WorkState


@dataclass(slots=True)
class Job:
    """A queued job, as kept in memory until it is finished."""

    id: int
    queue: str
    key: str
    body: dict[str, Any]
    priority: str = Priority.REPLY
    run_at: float = 0
    created_at: float = 0
    attempts: int = 0
    state: str = WorkState.QUEUED
    due_at: float = 0  # when it should have been done; set when the outbox takes it in
    account: str = ""  # the account whose holder runs the job; "" = none
    dropped: bool = False  # cancelled, or its account is served by another process now

    def has_id(self, row: tuple[int]) -> None:
        """Set the id from the inserted row."""
        (self.id,) = row


@dataclass(frozen=True, slots=True)
class Retry:
    """Result of a delivery that failed and is retried after `again_in` seconds."""

    again_in: float
    why: str
    counts: bool = True  # whether the attempt counts towards the limit


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Result of a delivery that failed finally; `unknown` if it may have succeeded."""

    why: str
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Result of a job that was cancelled before it was attempted."""


Result = str | Retry | GiveUp | Cancelled


Deliver = Callable[[Job], Awaitable[Result]]
