"""The runs of all flows: resumed at start, continued by callbacks, ended by admins."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from errors import NotFound
from models.db import Store
from models.durable import Outcome
from models.flows import DISCARDED, OPEN_STATES, FlowCallback, FlowRun, RunState
from services.accounts.audit import Audit
from services.clock import Clock
from services.flows.expiry import FlowExpiry
from services.flows.open_runs import OpenRuns
from services.flows.running_calls import RunningCalls
from services.flows.steps import FlowSteps


class FlowRuns:
    """Runs are stored after each step and survive restarts."""

    def __init__(
        self,
        store: Store,
        steps: FlowSteps,
        calls: RunningCalls,
        open_runs: OpenRuns,
        expiry: FlowExpiry,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._store = store
        self._steps = steps
        self._calls = calls
        self._open_runs = open_runs
        self._expiry = expiry
        self._audit = audit
        self._clock = clock

    # ---- start and stop ----

    async def start(self) -> None:
        """Repeat the calls that an earlier process did not finish, with their idempotency keys."""
        self._resume(await self.open())

    def start_empty(self) -> None:
        """Start without runs: those of an account are loaded when it is taken over."""
        self._open_runs.load(())

    async def load(self, accounts: Collection[str]) -> None:
        """Resume the runs of accounts that another process has served until now."""
        self._resume(await self.open(accounts))

    async def drop(self, account: str, grace: float) -> None:
        """Leave the runs of an account to another process; its calls may finish for `grace` seconds."""
        self._open_runs.drop(account)
        await self._calls.drop(account, grace)

    async def stop(self, grace: float) -> None:
        """Give calls `grace` seconds to finish; the others are repeated at the next start."""
        await self._expiry.stop()
        await self._calls.stop(grace)

    def _resume(self, runs: Sequence[FlowRun]) -> None:
        self._open_runs.load(runs)
        for run in runs:
            if run.state == RunState.CALLING and run.id not in self._calls:
                self._calls.begin(run.id or 0)

    # ---- callbacks ----

    async def callback(self, secret: str) -> FlowCallback:
        """Return the callback of a secret; raise NotFound."""
        row = await self._store.read(
            lambda s: s.exec(select(FlowCallback).where(FlowCallback.secret == secret)).first()
        )
        if row is None:
            raise NotFound("callback")
        return row

    async def receive_callback(self, callback: FlowCallback, result: dict[str, Any]) -> None:
        """Store the result of a callback, unless there is one already; continue the run if it waits for it."""

        def write(session: Session) -> None:
            run = session.get(FlowRun, callback.run_id)
            if run is None:  # just pruned
                return
            is_open = run.state in OPEN_STATES
            can_continue = is_open or run.retry_until is not None
            stored = session.connection().execute(
                update(FlowCallback)
                .where(col(FlowCallback.id) == callback.id, col(FlowCallback.body).is_(None))
                .values(body=json.dumps(result) if can_continue else DISCARDED, received_at=self._clock())
            )
            if not stored.rowcount:
                return
            if not is_open:
                self._steps.report_late_result(session, run, result)
            elif run.state == RunState.WAITING and run.step == callback.step:
                self._steps.advance(session, run)

        await self._store.write(write)

    # ---- administration ----

    async def open(self, accounts: Collection[str] | None = None) -> list[FlowRun]:
        """Return the open runs of some accounts or of all, oldest first."""
        query = select(FlowRun).where(col(FlowRun.state).in_(OPEN_STATES)).order_by(col(FlowRun.id))
        if accounts is not None:
            query = query.where(col(FlowRun.account).in_(accounts))
        return list(await self._store.read(lambda s: s.exec(query).all()))

    def cancel(self, session: Session, run_id: int, actor: str) -> FlowRun:
        """Cancel a run and notify the person, inside a transaction; raise NotFound if it is not open."""
        run = session.get(FlowRun, run_id)
        if run is None or run.state not in OPEN_STATES:
            raise NotFound(f"flow run {run_id}")
        self._steps.cancel_by_admin(session, run)
        self._audit.record(session, run.account, "flow_ended", actor, str(run_id), Outcome.DONE, flow=run.flow)
        return run

    def open_counts(self) -> dict[str, int]:
        """Count the open runs by state, from memory, for the metrics."""
        return self._open_runs.counts()
