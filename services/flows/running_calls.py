"""The calls that flows have under way, beside the conversations, so that a slow system does not hold up its person."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from sqlmodel import Session

from config.flow_settings import FlowSettings
from config.texts import Texts
from models.db import Store
from models.flows import FlowRun, RunState
from services.clock import Clock
from services.flows.calls import CallFailed, SystemCaller
from services.flows.steps import FlowSteps, about_open

log = logging.getLogger(__name__)
CALL_AGAIN: Final = 30.0  # seconds after the bot itself could not go on with a call
SIGN_OF_LIFE: Final = 5.0  # seconds of a call after which its person is told that it is still under way


class RunningCalls:
    """Makes the call at which a run stands, and moves the run on with its answer."""

    def __init__(self, store: Store, steps: FlowSteps, caller: SystemCaller, texts: Texts, clock: Clock) -> None:
        self._store = store
        self._steps = steps
        self._caller = caller
        self._texts = texts
        self._clock = clock
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._stopping = False
        steps.on_call = self.begin

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._calls

    def begin(self, run_id: int) -> None:
        """Make the call at which a run stands."""
        if self._stopping:
            return
        task = asyncio.create_task(self._call(run_id), name=f"flow run {run_id}")
        self._calls[run_id] = task
        task.add_done_callback(lambda done: self._called(run_id, done))

    def cancel(self, run_id: int) -> None:
        """Give up the call of a run that was cancelled."""
        if run_id in self._calls:
            self._calls[run_id].cancel()

    async def stop(self, grace: float) -> None:
        """Let calls finish for `grace` seconds; what does not is made again at the next start."""
        self._stopping = True
        calls = list(self._calls.values())
        if calls:
            await asyncio.wait(calls, timeout=grace)
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    def _called(self, run_id: int, done: asyncio.Task[None]) -> None:
        if self._calls.get(run_id) is done:
            del self._calls[run_id]
        if not done.cancelled() and done.exception() is not None:
            log.error("flow run %s: its call failed, again in %d s", run_id, CALL_AGAIN, exc_info=done.exception())
            asyncio.get_running_loop().call_later(CALL_AGAIN, self.begin, run_id)

    async def _call(self, run_id: int) -> None:
        run = await self._store.read(lambda s: s.get_one(FlowRun, run_id))
        if run.state != RunState.CALLING:
            return
        sign = asyncio.create_task(self._show_life(run), name=f"flow run {run_id}: sign of life")
        try:
            answer, error, key = await self._answer(run)
        finally:
            sign.cancel()
            await asyncio.gather(sign, return_exceptions=True)

        def go_on(session: Session, run: FlowRun) -> None:
            if answer is not None:
                self._steps.called(session, run, answer)
            else:
                self._steps.fail(session, run, error, call_key=key)

        await self._store.write(about_open(run, go_on, same_step=True))

    async def _answer(self, run: FlowRun) -> tuple[dict[str, Any] | None, str, str]:
        """The system's answer; or None, why there is none, and the key under which the call may be carried out."""
        call = FlowSettings.model_validate_json(run.spec).steps[run.step].call
        key = run.call_key or f"{run.key}-{run.step}"
        try:
            if call is None:
                raise LookupError("the step is no call")
            values = await self._store.read(lambda s: self._steps.values(s, run))
            return await self._caller.call(call, values, key), "", key
        except CallFailed as failure:
            return None, str(failure), "" if failure.refused else key
        except Exception:
            log.exception("flow run %s: step %s is broken", run.id, run.step + 1)
            return None, self._texts.flow_broken, key

    async def _show_life(self, run: FlowRun) -> None:
        await asyncio.sleep(max(0.0, run.changed_at + SIGN_OF_LIFE - self._clock()))
        await self._store.write(about_open(run, self._steps.still_calling, same_step=True))
