"""Counters of job results per queue, since the start."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final

from models.durable import Priority
from services.work.job import Cancelled, GiveUp, Job, Retry
from services.work.job import Result as JobResult

LATE_SECONDS: Final = 60.0  # after the planned time; broadcasts are slow by design and never late


class Result(StrEnum):
    """Result of an attempt."""

    SENT = "sent"
    LATE = "late"  # sent more than a minute after the planned time
    RETRIED = "retried"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DeliveryResults:
    """Counters by queue and result."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, Result]] = Counter()

    def count(self, job: Job, result: JobResult, now: float) -> None:
        """Count the result of an attempt."""
        self.counts[job.queue, _result_of(job, result, now)] += 1


def _result_of(job: Job, result: JobResult, now: float) -> Result:
    if isinstance(result, Retry):
        return Result.RETRIED
    if isinstance(result, GiveUp):
        return Result.FAILED
    if isinstance(result, Cancelled):
        return Result.CANCELLED
    is_late = job.priority != Priority.BROADCAST and now - job.due_at > LATE_SECONDS
    return Result.LATE if is_late else Result.SENT
