"""What the clock does: one visible list; each job is a thin call into a service."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from services.house import House

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A job with its usual time as a crontab line, in the config's time zone."""

    name: str
    cron: str
    run: Callable[[House], Awaitable[Any]]


JOBS: Final[tuple[Job, ...]] = (Job("expire_memberships", "* * * * *", lambda house: house.memberships.expire()),)


class Jobs:
    """Runs the jobs; a job never runs twice at once."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._scheduler = AsyncIOScheduler(timezone=house.zone)

    def start(self) -> None:
        """Begin to tick."""
        for job in JOBS:
            trigger = CronTrigger.from_crontab(job.cron, timezone=self._house.zone)
            self._scheduler.add_job(self._run, trigger, args=[job], id=job.name, coalesce=True, misfire_grace_time=None)
        self._scheduler.start()

    async def stop(self) -> None:
        """Tick no more."""
        self._scheduler.shutdown(wait=False)

    async def _run(self, job: Job) -> None:
        began = time.perf_counter()
        result = await job.run(self._house)
        log.info("job %s: %s, %.0f ms", job.name, result, (time.perf_counter() - began) * 1000)
