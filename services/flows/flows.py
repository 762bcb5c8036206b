"""Flows: conversations that call business systems.

The state is stored after each step and survives restarts. Calls run in tasks of their own, so that a slow system does
not block the person's conversation.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from config import Config
from config.flow_settings import CANCEL, RETRY, FlowSettings, spoken
from config.texts import fill
from errors import NotFound
from models.db import Store
from models.flows import NO_MORE, OPEN_STATES, FlowCallback, FlowRun, RunState
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from services.clock import Clock
from services.decision import Decision
from services.flows import retries
from services.flows.running_calls import RunningCalls
from services.flows.steps import HOUR, FlowSteps, about_open, account_of, open_key
from services.groups.group_owners import GroupOwners

log = logging.getLogger(__name__)
MAX_PER_HOUR: Final = 30  # flows that one person who is no admin may start
SLACK: Final = 0.05  # seconds by which two clocks may differ
A_MINUTE: Final = 60.0  # the clock looks for ended waits so often


class Flows:
    """Runs the configured flows."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        owners: GroupOwners,
        steps: FlowSteps,
        calls: RunningCalls,
        config: Config,
        wants_person: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._owners = owners
        self._steps = steps
        self._calls = calls
        self.configure(config.flows)
        self._wants_person = wants_person
        self._texts = config.texts
        self._clock = clock
        self._alarms: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._open: dict[str, str] = {}  # state by account and person; "" = ended while `start` was loading
        self._loaded = False
        steps.on_pause = self._paused
        steps.on_end = self._ended

    def configure(self, flows: Sequence[FlowSettings]) -> None:
        """Replace the flows; running ones continue with their copy."""
        self._by_word = {spoken(word): flow for flow in flows for word in flow.start}

    # ---- start and stop ----

    async def start(self) -> None:
        """Repeat the calls that an earlier process did not finish, with their idempotency keys."""
        self._resume(await self.open_runs())

    def start_empty(self) -> None:
        """Start without runs: those of an account are loaded when it is taken."""
        self._loaded = True

    async def load(self, account: str) -> None:
        """Resume the runs of one account that another process has served until now."""
        self._resume(await self.open_runs(account))

    async def drop(self, account: str, grace: float) -> None:
        """Leave the runs of an account to another process; its calls may finish for `grace` seconds."""
        self._open = {key: state for key, state in self._open.items() if account_of(key) != account}
        await self._calls.drop(account, grace)

    def _resume(self, runs: Sequence[FlowRun]) -> None:
        known = {open_key(run.account, run.person): run.state for run in runs} | self._open
        self._open, self._loaded = {key: state for key, state in known.items() if state}, True
        for run in runs:
            if run.state == RunState.CALLING and run.id not in self._calls:
                self._calls.begin(run.id or 0)

    async def stop(self, grace: float) -> None:
        """Give calls `grace` seconds to finish; the others are repeated at the next start."""
        self._stopping = True
        await self._calls.stop(grace)
        alarms = list(self._alarms)
        for task in alarms:
            task.cancel()
        await asyncio.gather(*alarms, return_exceptions=True)

    # ---- messages of people ----

    async def heard(self, account: str, person: str, words: str | None) -> Decision | None:
        """Return what to do about a private message (None: not a text); None if it does not concern a flow."""
        words = words.strip() if words is not None else None
        bare = spoken(words or "")
        flow = self._by_word.get(bare)
        run = await self._open_run(account, person)
        if flow is not None and not await self._may(account, person, flow):
            return Decision(self._texts.not_allowed)
        if run is None and flow is not None:
            return Decision(write=partial(self._begin, account=account, person=person, flow=flow))
        if run is None:
            return await self._retried(account, person) if bare == RETRY else None
        if bare == CANCEL:
            cancel = partial(self._steps.cancel, words=self._texts.flow_cancelled)
            return Decision(write=about_open(run, cancel))
        if flow is not None:
            return Decision(fill(self._texts.flow_open, flow=run.flow, state=self.state_words(run)))
        if run.state != RunState.ASKING or bare.startswith("/") or self._wants_person(words or ""):
            return None
        if not words:
            return Decision(self._texts.flow_text_wanted)
        return Decision(write=about_open(run, partial(self._steps.answered, words=words), same_step=True))

    async def _retried(self, account: str, person: str) -> Decision | None:
        """重试: the person's failed flow goes on; None when there is none."""
        now = self._clock()
        failed = await self._store.read(lambda s: retries.last_failed(s, account, person, now))
        if failed is None:
            return None
        if not await self._may(account, person, FlowSettings.model_validate_json(failed.spec)):
            return Decision(self._texts.not_allowed)

        def write(session: Session) -> None:
            run = retries.last_failed(session, account, person, now)
            if run is not None and not self._has_too_many(session, account, person):
                self._steps.retry(session, run)

        return Decision(write=write)

    async def asked_at(self, account: str, person: str) -> float:
        """Return when the person's flow asked its current question; 0 if it is not asking."""
        run = await self._open_run(account, person)
        return run.changed_at if run is not None and run.state == RunState.ASKING else 0.0

    async def _may(self, account: str, person: str, flow: FlowSettings) -> bool:
        if flow.allow == "everyone" or self._accounts.is_admin(account, person):
            return True
        return flow.allow == "owners" and await self._owners.owns_any(account, person)

    async def _open_run(self, account: str, person: str) -> FlowRun | None:
        key = open_key(account, person)
        if self._loaded and key not in self._open:
            return None
        return await self._store.read(lambda s: s.exec(select(FlowRun).where(FlowRun.open_key == key)).first())

    def _begin(self, session: Session, account: str, person: str, flow: FlowSettings) -> None:
        if session.exec(select(FlowRun.id).where(FlowRun.open_key == open_key(account, person))).first() is not None:
            return  # begun by another of this person's messages just now
        if not self._has_too_many(session, account, person):
            self._steps.begin(session, account, person, flow)

    def _has_too_many(self, session: Session, account: str, person: str) -> bool:
        """Whether the person has begun as many flows as is allowed, which they are then told."""
        if self._accounts.is_admin(account, person):
            return False
        recent = select(func.count(col(FlowRun.id))).where(
            FlowRun.account == account, FlowRun.person == person, FlowRun.started_at > self._clock() - HOUR
        )
        if session.exec(recent).one() < MAX_PER_HOUR:
            return False
        self._steps.tell(session, account, person, self._texts.flow_too_many)
        return True

    def state_words(self, run: FlowRun) -> str:
        """Describe the state of an open run for people."""
        if run.state == RunState.ASKING:
            return self._texts.flow_asking
        return self._texts.flow_calling if run.state == RunState.CALLING else self._texts.flow_waiting

    # ---- calls and callbacks ----

    async def callback(self, secret: str) -> FlowCallback:
        """Return the callback of a secret; raise NotFound."""
        row = await self._store.read(
            lambda s: s.exec(select(FlowCallback).where(FlowCallback.secret == secret)).first()
        )
        if row is None:
            raise NotFound("callback")
        return row

    async def called_back(self, callback: FlowCallback, result: dict[str, Any]) -> None:
        """Store the result of a callback, unless there is one already; continue the run if it waits for it."""

        def take(session: Session) -> None:
            run = session.get(FlowRun, callback.run_id)
            if run is None:  # just pruned
                return
            is_open = run.state in OPEN_STATES
            is_kept = is_open or run.retry_until is not None
            first = session.connection().execute(
                update(FlowCallback)
                .where(col(FlowCallback.id) == callback.id, col(FlowCallback.body).is_(None))
                .values(body=json.dumps(result) if is_kept else NO_MORE, received_at=self._clock())
            )
            if first.rowcount and not is_open:
                self._steps.late(session, run, result)
            elif first.rowcount and run.state == RunState.WAITING and run.step == callback.step:
                self._steps.go_on(session, run)

        await self._store.write(take)

    # ---- expiry and administration ----

    async def expire(self) -> int:
        """End the runs whose answer or callback is overdue; return their number."""
        late = select(FlowRun).where(col(FlowRun.state).in_(OPEN_STATES), col(FlowRun.deadline) <= self._clock())
        found = await self._store.read(lambda s: s.exec(late).all())
        runs = [run for run in found if self._accounts.holds(run.account)]
        for run in runs:
            no_answer = run.state == RunState.ASKING
            error = self._texts.flow_no_answer if no_answer else self._texts.flow_no_result
            await self._store.write(about_open(run, partial(self._steps.fail, error=error), same_step=True))
        await self._store.write(lambda s: retries.forget_late(s, self._clock()))
        return len(runs)

    async def open_runs(self, account: str | None = None) -> list[FlowRun]:
        """Return the open runs of one account or of all, oldest first."""
        wanted = select(FlowRun).where(col(FlowRun.state).in_(OPEN_STATES)).order_by(col(FlowRun.id))
        if account is not None:
            wanted = wanted.where(FlowRun.account == account)
        return list(await self._store.read(lambda s: s.exec(wanted).all()))

    def end(self, session: Session, run_id: int) -> FlowRun | None:
        """Cancel a run and tell its person, inside a transaction; return None if it is not open."""
        run = session.get(FlowRun, run_id)
        if run is None or run.state not in OPEN_STATES:
            return None
        self._steps.cancel(session, run, self._texts.flow_ended)
        return run

    def open_counts(self) -> dict[str, int]:
        """Count the open runs by state, from memory, for the metrics."""
        counted = Counter(self._open.values())
        return {str(state): counted[state] for state in OPEN_STATES}

    def _paused(self, run: FlowRun) -> None:
        self._open[open_key(run.account, run.person)] = run.state
        left = run.deadline - self._clock() if run.deadline else A_MINUTE
        if left < A_MINUTE and not self._stopping:
            task = asyncio.create_task(self._expire_in(left), name=f"flow run {run.id}: wait expired")
            self._alarms.add(task)
            task.add_done_callback(self._alarms.discard)

    async def _expire_in(self, seconds: float) -> None:
        await asyncio.sleep(seconds + SLACK)
        await self.expire()

    def _ended(self, run: FlowRun) -> None:
        key = open_key(run.account, run.person)
        if self._loaded:
            self._open.pop(key, None)
        else:
            self._open[key] = ""
        if run.state == RunState.CANCELLED:
            self._calls.cancel(run.id or 0)


def end_run(session: Session, flows: Flows, audit: Audit, run_id: int, who: str) -> FlowRun:
    """End a run at somebody's wish, inside a transaction: its person is told. NotFound when no such run is open."""
    run = flows.end(session, run_id)
    if run is None:
        raise NotFound(f"flow run {run_id}")
    audit.note(session, run.account, "flow_ended", who, str(run_id), "done", flow=run.flow)
    return run
