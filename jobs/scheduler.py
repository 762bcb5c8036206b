"""Runs the jobs on APScheduler. Runs that were missed while the bot was down are replaced by one run at the start."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import stamina
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from app.container import Container
from config import Config
from config.settings import JobSettings as Change
from jobs.job import ScheduledJob
from models.db import is_away
from services.outreach.timed_messages import trigger
from services.upkeep.job_log import JobRun
from services.upkeep.reload import PreparedChange
from services.work.ownership import GLOBAL

log = logging.getLogger(__name__)
ONLINE_TIMEOUT: Final = 60.0  # seconds to wait for the accounts before running missed jobs
CHECK_INTERVAL: Final = 20.0  # seconds between checks whether the clock was set back
MAX_SECONDS_WITHOUT_HOLDER: Final = 120.0  # of an account; a job that was due in this time may have missed it
LOAD_SECONDS: Final = 15.0  # within which accounts that are taken together are all loaded


def _times(jobs: Sequence[ScheduledJob], config: Config) -> dict[str, BaseTrigger]:
    """Return the trigger of each enabled job; raise ConfigError naming an invalid change."""
    zone = ZoneInfo(config.timezone)
    times = {job.name: trigger(job.cron, zone) for job in jobs}
    names = list(times)
    for number, change in enumerate(config.jobs):
        place = ("jobs", number)
        if change.name not in names:
            allowed = ", ".join(names)
            raise config.error(
                (*place, "name"),
                f"jobs.{number + 1}.name: {change.name!r} is not valid: unknown job; allowed: {allowed}",
            )
        if not change.enabled:
            times.pop(change.name, None)
        elif change.cron:
            try:
                times[change.name] = trigger(change.cron, zone)
            except ValueError as error:
                raise config.error(
                    (*place, "cron"),
                    f"jobs.{number + 1}.cron: {change.cron!r} is not valid: expected five crontab fields: {error}",
                ) from None
    return times


def check_times(jobs: Sequence[ScheduledJob], config: Config) -> None:
    """Raise ConfigError for invalid job times."""
    _times(jobs, config)


class Jobs:
    """The scheduler. A job never runs concurrently with itself; a failed one is logged and runs again at its next time.

    Raises ConfigError if the config changes an unknown job or has an invalid time.
    """

    def __init__(self, container: Container, jobs: Sequence[ScheduledJob]) -> None:
        self._container = container
        self._known = {job.name: job for job in jobs}
        container.reloader.on_reload(self._prepare)
        self._triggers = _times(jobs, container.config)
        self._running = {name: asyncio.Lock() for name in self._known}
        # Jobs are kept in memory: the state that must survive a restart is in the database (services.upkeep.job_log).
        self._scheduler = AsyncIOScheduler(timezone=container.zone)
        self._tasks: list[asyncio.Task[None]] = []
        self._changes = list(container.config.jobs)
        self._after_taking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the scheduler, and run the missed jobs."""
        job_log = self._container.job_log
        await job_log.load()
        job_log.names, job_log.next_at = list(self._triggers), self._next_at
        missed = {name: due for name in self._triggers if (due := self._missed(name)) is not None}
        for name in self._triggers:
            await job_log.begin(name)
            self._plan(name)
        self._scheduler.start()
        self._tasks = [asyncio.create_task(self._run_late_jobs(missed)), asyncio.create_task(self._follow_clock())]

    def _plan(self, name: str) -> None:
        self._scheduler.add_job(
            self._run_planned,
            self._triggers[name],
            args=[name],
            id=name,
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
            replace_existing=True,
        )

    async def _run_planned(self, name: str) -> None:
        try:
            await self.run(name)
        except asyncio.CancelledError:
            if self._scheduler.running:
                raise
            log.info("job %s was cancelled because the process stops", name)

    def _prepare(self, config: Config) -> PreparedChange:
        """Prepare the job times of a new config."""
        triggers = _times(list(self._known.values()), config)
        return PreparedChange(lambda: self._take(triggers, config.jobs))

    def _take(self, triggers: dict[str, BaseTrigger], changes: Sequence[Change]) -> None:
        if list(changes) == self._changes:
            return
        self._changes = list(changes)
        for name in self._triggers.keys() - triggers.keys():
            self._scheduler.remove_job(name)
        self._triggers = triggers
        self._container.job_log.names = list(triggers)
        for name in triggers:
            self._plan(name)
            self._tasks.append(asyncio.create_task(self._container.job_log.begin(name)))

    async def stop(self) -> None:
        """Stop the scheduler and cancel its tasks."""
        self._scheduler.shutdown(wait=False)
        tasks = [*self._tasks, *([self._after_taking] if self._after_taking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def account_taken(self) -> None:
        """Run the jobs soon that were missed while an account had no holder; jobs are idempotent."""
        if self._after_taking is None or self._after_taking.done():
            self._after_taking = asyncio.create_task(self._run_missed_jobs())

    async def _run_missed_jobs(self) -> None:
        await asyncio.sleep(LOAD_SECONDS)
        async for attempt in stamina.retry_context(on=is_away, attempts=None, timeout=None, wait_max=CHECK_INTERVAL):
            with attempt:
                await self._container.job_log.load()  # runs of other processes
        for name in list(self._triggers):
            job = self._known[name]
            if job.catch_up and (self._missed(name) is not None if job.one_process else self._was_due_lately(name)):
                await self.run(name)

    def _was_due_lately(self, name: str) -> bool:
        due = self._next_after(name, self._container.clock() - MAX_SECONDS_WITHOUT_HOLDER)
        return due is not None and due <= self._container.clock()

    async def wait_for_missed_runs(self) -> None:
        """Wait until the missed jobs have run."""
        await asyncio.gather(*self._tasks[:1])

    async def run(self, name: str, due: float | None = None) -> None:
        """Run a job now and record the result. `due`: when it should have run, if that was missed."""
        job = self._known[name]
        if job.one_process and not self._container.ownership.holds(GLOBAL):
            return
        started = time.perf_counter()
        async with self._running[name]:
            at = self._container.clock()
            try:
                if due is None or job.run_late is None:
                    running = job.run(self._container)
                else:
                    running = job.run_late(self._container, due)
                result, ok = await running, True
            except Exception as error:
                log.exception("job %s failed", name)
                result, ok = type(error).__name__, False
            elapsed = (time.perf_counter() - started) * 1000
            outcome = "" if result is None else str(result)
            await self._container.job_log.record(name, JobRun(at, ok, outcome, round(elapsed, 1)))
        level = logging.INFO if result or not ok else logging.DEBUG
        log.log(level, "job %s: %s %s, %.0f ms", name, "done" if ok else "failed", outcome, elapsed)

    async def _run_late_jobs(self, missed: Mapping[str, float]) -> None:
        """Run the jobs that were missed while the bot was down. `missed`: by name, when they were last due."""
        if self._container.cluster is not None and missed:  # accounts are taken one after the other
            await asyncio.sleep(LOAD_SECONDS + self._container.config.cluster.lease_seconds)
        # group data is reliable once the accounts have read it again
        await self._container.accounts.all_online(ONLINE_TIMEOUT)
        for name, due in missed.items():
            log.info("job %s was missed while the bot was down", name)
            await self.run(name, due)

    async def _follow_clock(self) -> None:
        """Schedule all jobs again when the clock was set back: APScheduler would wait for the old times."""
        latest = self._container.clock()
        while True:
            await asyncio.sleep(CHECK_INTERVAL)
            if self._container.clock() < latest:
                log.warning("the clock was set back: all jobs are rescheduled")
                for name, times in self._triggers.items():
                    self._scheduler.reschedule_job(name, trigger=times)
            latest = self._container.clock()
            self._container.account_clocks.check()
            await asyncio.to_thread(self._container.media.check)

    def _missed(self, name: str) -> float | None:
        """Return the last time at which a job was due while the bot was down; None if there is none."""
        last = self._container.job_log.last.get(name)
        if last is None or not self._known[name].catch_up:
            return None
        now = self._container.clock()
        due = self._next_after(name, last.at)
        if due is None or due > now:
            return None
        if self._known[name].run_late is not None:
            while (following := self._next_after(name, due + 1)) is not None and following <= now:
                due = following
        return due

    def _next_at(self, name: str) -> float | None:
        return self._next_after(name, self._container.clock()) if name in self._triggers else None

    def _next_after(self, name: str, seconds: float) -> float | None:
        at = datetime.fromtimestamp(seconds, UTC)
        due = self._triggers[name].get_next_fire_time(at, at)
        return None if due is None else due.timestamp()
