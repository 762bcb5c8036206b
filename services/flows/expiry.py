"""Ends runs whose answer or callback is overdue."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from config.texts import Texts
from models.db import Store
from models.fence import WriteRefused
from models.flows import OPEN_STATES, FlowRun, RunState
from services.accounts.registry import Accounts
from services.clock import MINUTE, Clock
from services.flows import retries
from services.flows.open_runs import OpenRuns
from services.flows.steps import FlowSteps, write_if_open

log = logging.getLogger(__name__)
CLOCK_TOLERANCE: Final = 0.05  # seconds by which two clocks may differ
JOB_INTERVAL: Final = MINUTE  # the job that calls `expire`; shorter waits get a timer


class FlowExpiry:
    """Ends overdue runs: by a job once a minute, and by timers for waits that end sooner."""

    def __init__(
        self, store: Store, accounts: Accounts, steps: FlowSteps, open_runs: OpenRuns, texts: Texts, clock: Clock
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._steps = steps
        self._texts = texts
        self._clock = clock
        self._timers: set[asyncio.Task[None]] = set()
        self._stopped = False
        open_runs.subscribe(self._run_changed)

    async def expire(self) -> int:
        """End the overdue runs; return their number."""
        query = select(FlowRun).where(col(FlowRun.state).in_(OPEN_STATES), col(FlowRun.deadline) <= self._clock())
        overdue = await self._store.read(lambda s: s.exec(query).all())
        runs = [run for run in overdue if self._accounts.holds(run.account)]
        for run in runs:
            no_answer = run.state == RunState.ASKING
            error = self._texts.flow_no_answer if no_answer else self._texts.flow_no_result
            await self._store.write(write_if_open(run, partial(self._steps.fail, error=error), same_step=True))
        await self._store.write(lambda s: retries.discard_expired(s, self._clock()))
        return len(runs)

    async def stop(self) -> None:
        """Cancel the timers."""
        self._stopped = True
        timers = list(self._timers)
        for task in timers:
            task.cancel()
        await asyncio.gather(*timers, return_exceptions=True)

    def _run_changed(self, run: FlowRun) -> None:
        if run.state not in OPEN_STATES or run.deadline is None or self._stopped:
            return
        seconds = run.deadline - self._clock()
        if seconds < JOB_INTERVAL:
            task = asyncio.create_task(self._expire_in(seconds), name=f"flow run {run.id}: wait expired")
            self._timers.add(task)
            task.add_done_callback(self._timers.discard)

    async def _expire_in(self, seconds: float) -> None:
        await asyncio.sleep(seconds + CLOCK_TOLERANCE)
        try:
            await self.expire()
        except (DBAPIError, WriteRefused) as error:  # the job ends the run within a minute
            log.warning("could not end overdue flow runs: %s", type(error).__name__)
