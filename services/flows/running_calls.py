"""The running calls of flows. Each is a task, so that a slow system does not block the person's conversation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

from sqlmodel import Session

from config.flow_settings import FlowSettings
from config.texts import Texts
from models.db import Store
from models.flows import FlowRun, RunState
from services.clock import Clock
from services.flows.calls import CallFailed, SystemCaller
from services.flows.open_runs import OpenRuns
from services.flows.steps import FlowSteps, write_if_open
from services.work.ownership import Ownership

log = logging.getLogger(__name__)
CALL_RETRY_SECONDS: Final = 30.0  # seconds until a call whose result could not be stored is repeated
SLOW_SECONDS: Final = 5.0  # until the person is notified that the call is still running


class RunningCalls:
    """Makes the call of a run's current step, and continues the run with the response."""

    def __init__(
        self,
        store: Store,
        steps: FlowSteps,
        open_runs: OpenRuns,
        caller: SystemCaller,
        texts: Texts,
        clock: Clock,
        ownership: Ownership,
    ) -> None:
        self._ownership = ownership
        self._accounts: dict[int, str] = {}  # the account of each call
        self._store = store
        self._steps = steps
        self._caller = caller
        self._texts = texts
        self._clock = clock
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._stopping = False
        open_runs.subscribe(self._run_changed)

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._calls

    def begin(self, run_id: int) -> None:
        """Start the call of a run's current step."""
        if self._stopping:
            return
        task = asyncio.create_task(self._call(run_id), name=f"flow run {run_id}")
        self._calls[run_id] = task
        task.add_done_callback(lambda done: self._finished(run_id, done))

    async def drop(self, account: str, grace: float) -> None:
        """Let the calls of an account finish for `grace` seconds; another process repeats those that do not."""
        await _end([task for run_id, task in self._calls.items() if self._accounts.get(run_id) == account], grace)

    async def stop(self, grace: float) -> None:
        """Let calls finish for `grace` seconds; those that do not are repeated at the next start."""
        self._stopping = True
        await _end(list(self._calls.values()), grace)

    def _run_changed(self, run: FlowRun) -> None:
        if run.state == RunState.CALLING:
            self.begin(run.id or 0)
        elif run.state == RunState.CANCELLED and run.id in self._calls:
            self._calls[run.id].cancel()

    def _finished(self, run_id: int, done: asyncio.Task[None]) -> None:
        if self._calls.get(run_id) is done:
            del self._calls[run_id]
            self._accounts.pop(run_id, None)
        if not done.cancelled() and done.exception() is not None:
            log.error(
                "flow run %s: its call failed, again in %d s", run_id, CALL_RETRY_SECONDS, exc_info=done.exception()
            )
            asyncio.get_running_loop().call_later(CALL_RETRY_SECONDS, self._restart, run_id)

    def _restart(self, run_id: int) -> None:
        if run_id not in self._calls:  # not resumed meanwhile, with its account
            self.begin(run_id)

    async def _call(self, run_id: int) -> None:
        run = await self._store.read(lambda s: s.get_one(FlowRun, run_id))
        if run.state != RunState.CALLING or not self._ownership.holds(run.account):
            return
        self._accounts[run_id] = run.account
        slow_report = asyncio.create_task(self._report_slow(run), name=f"flow run {run_id}: slow call")
        try:
            response, error, key = await self._response(run)
        finally:
            slow_report.cancel()
            await asyncio.gather(slow_report, return_exceptions=True)

        def write(session: Session, run: FlowRun) -> None:
            if response is not None:
                self._steps.take_response(session, run, response)
            else:
                self._steps.fail(session, run, error, call_key=key)

        await self._store.write(write_if_open(run, write, same_step=True))

    async def _response(self, run: FlowRun) -> tuple[dict[str, Any] | None, str, str]:
        """Return the response, or None with the error and the idempotency key of a call that may be executed."""
        call = FlowSettings.model_validate_json(run.spec).steps[run.step].call
        key = run.call_key or f"{run.key}-{run.step}"
        try:
            if call is None:
                raise LookupError("the step is not a call")
            values = await self._store.read(lambda s: self._steps.values(s, run))
            return await self._caller.call(call, values, key), "", key
        except CallFailed as failure:
            return None, str(failure), "" if failure.refused else key
        except Exception:
            log.exception("flow run %s: step %s is broken", run.id, run.step + 1)
            return None, self._texts.flow_broken, key

    async def _report_slow(self, run: FlowRun) -> None:
        await asyncio.sleep(max(0.0, run.changed_at + SLOW_SECONDS - self._clock()))
        await self._store.write(write_if_open(run, self._steps.report_slow_call, same_step=True))


async def _end(calls: Sequence[asyncio.Task[None]], grace: float) -> None:
    """Let calls finish for `grace` seconds, and cancel the others."""
    if calls:
        await asyncio.wait(calls, timeout=grace)
    for task in calls:
        task.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
