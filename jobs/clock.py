"""Runs the jobs on APScheduler; what was missed while the bot was down is made up once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from config import ConfigError
from jobs.job import Job
from services.house import House
from services.job_book import Run
from settings import Job as Change

log = logging.getLogger(__name__)


def _changes(changes: Sequence[Change], names: Collection[str]) -> dict[str, Change]:
    for number, change in enumerate(changes):
        if change.name not in names:
            known = ", ".join(names)
            raise ConfigError(f"jobs.{number}.name: {change.name!r} will not do: there is no such job, only {known}")
    return {change.name: change for change in changes}


def _trigger(name: str, cron: str, zone: ZoneInfo) -> CronTrigger:
    try:
        return CronTrigger.from_crontab(cron, timezone=zone)
    except ValueError as error:
        raise ConfigError(f"jobs, cron of {name}: {cron!r} will not do: five fields as in crontab: {error}") from None


class Jobs:
    """The scheduler. A job never runs twice at once, and one that fails is logged and runs again at its next time.

    ConfigError when the config changes a job that there is not, or to a time that is none.
    """

    def __init__(self, house: House, jobs: Sequence[Job]) -> None:
        self._house = house
        changes = _changes(house.config.jobs, [job.name for job in jobs])
        kept = [job for job in jobs if job.name not in changes or changes[job.name].enabled]
        crons = {job.name: (changes[job.name].cron if job.name in changes else "") or job.cron for job in kept}
        self._triggers = {name: _trigger(name, cron, house.zone) for name, cron in crons.items()}
        self._jobs = {job.name: job for job in kept}
        self._running = {job.name: asyncio.Lock() for job in kept}
        # The memory store: what must outlive the process is a row (services.job_book), not a scheduler's pickle.
        self._scheduler = AsyncIOScheduler(timezone=house.zone)
        self._making_up: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make up what was missed, and tick from now on."""
        book = self._house.job_book
        await book.load()
        book.names, book.next_at = list(self._jobs), self._next_at
        missed = [name for name in self._jobs if self._was_missed(name)]
        for name, trigger in self._triggers.items():
            await book.begin(name)
            self._scheduler.add_job(
                self.run, trigger, args=[name], id=name, coalesce=True, misfire_grace_time=None, max_instances=1
            )
        self._scheduler.start()
        self._making_up = asyncio.create_task(self._make_up(missed))

    async def stop(self) -> None:
        """Tick no more."""
        self._scheduler.shutdown(wait=False)
        if self._making_up is not None:
            self._making_up.cancel()
            await asyncio.gather(self._making_up, return_exceptions=True)

    async def made_up(self) -> None:
        """Wait until what was missed is made up."""
        if self._making_up is not None:
            await self._making_up

    async def run(self, name: str) -> None:
        """Run a job now and write down how it went."""
        began = time.perf_counter()
        async with self._running[name]:
            at = self._house.clock()
            try:
                result, ok = await self._jobs[name].run(self._house), True
            except Exception as error:
                log.exception("job %s failed", name)
                result, ok = type(error).__name__, False
            spent = (time.perf_counter() - began) * 1000
            words = "" if result is None else str(result)
            await self._house.job_book.note(name, Run(at, ok, words, round(spent, 1)))
        level = logging.INFO if result or not ok else logging.DEBUG
        log.log(level, "job %s: %s %s, %.0f ms", name, "done" if ok else "failed", words, spent)

    async def _make_up(self, names: Sequence[str]) -> None:
        for name in names:
            log.info("job %s was missed while the bot was down", name)
            await self.run(name)

    def _was_missed(self, name: str) -> bool:
        last = self._house.job_book.last.get(name)
        if last is None or not self._jobs[name].made_up:
            return False
        due = self._next_after(name, last.at)
        return due is not None and due <= self._house.clock()

    def _next_at(self, name: str) -> float | None:
        return self._next_after(name, self._house.clock()) if name in self._triggers else None

    def _next_after(self, name: str, seconds: float) -> float | None:
        at = datetime.fromtimestamp(seconds, UTC)
        due = self._triggers[name].get_next_fire_time(at, at)
        return None if due is None else due.timestamp()
