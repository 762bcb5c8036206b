"""Flows: conversations that call business systems. Their state is in the database after each step, and goes on from
there whatever dies; calls are made beside the conversation, so that a slow system does not hold up its person."""

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
from config.flow_settings import CANCEL, FlowSettings, spoken
from config.texts import fill
from errors import NotFound
from models.db import Store
from models.flows import NO_MORE, OPEN_STATES, FlowCallback, FlowRun, RunState
from models.groups import QunState
from services.accounts.registry import Accounts
from services.clock import Clock
from services.decision import Decision
from services.flows.calls import CallFailed, SystemCaller
from services.flows.steps import HOUR, FlowSteps, account_of, open_key
from services.groups.groups import Groups

log = logging.getLogger(__name__)
MAX_PER_HOUR: Final = 30  # flows that one person who is no admin may start
CALL_AGAIN: Final = 30.0  # seconds after the bot itself could not go on with a call
SLACK: Final = 0.05  # seconds by which two clocks may differ
A_MINUTE: Final = 60.0  # the clock looks for ended waits so often


class Flows:
    """Runs every flow of the config."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        steps: FlowSteps,
        caller: SystemCaller,
        config: Config,
        wants_person: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._steps = steps
        self._caller = caller
        self.configure(config.flows)
        self._wants_person = wants_person
        self._texts = config.texts
        self._clock = clock
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._callers: dict[int, str] = {}  # the account of each call
        self._alarms: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._open: dict[str, str] = {}  # state by account and person; "" = ended while `start` was reading
        self._loaded = False
        steps.on_call = self._call_soon
        steps.on_pause = self._paused
        steps.on_end = self._ended

    def configure(self, flows: Sequence[FlowSettings]) -> None:
        """Begin these from now on; those under way go on as they began."""
        self._by_word = {spoken(word): flow for flow in flows for word in flow.start}

    # ---- life ----

    async def start(self) -> None:
        """Make the calls again that an earlier process did not finish, each with the same idempotency key."""
        self._take_up(await self.open_runs())

    def start_empty(self) -> None:
        """Begin without runs: those of each account are taken up when it is taken."""
        self._loaded = True

    async def load(self, account: str) -> None:
        """Do the same for one account that another process has served until now."""
        self._take_up(await self.open_runs(account))

    def _take_up(self, runs: Sequence[FlowRun]) -> None:
        known = {open_key(run.account, run.person): run.state for run in runs} | self._open
        self._open, self._loaded = {key: state for key, state in known.items() if state}, True
        for run in runs:
            if run.state == RunState.CALLING and run.id not in self._calls:
                self._call_soon(run.id or 0)

    async def drop(self, account: str, grace: float) -> None:
        """Leave the runs of an account to another process; their calls may finish for `grace` seconds."""
        self._open = {key: state for key, state in self._open.items() if account_of(key) != account}
        calls = [task for run_id, task in self._calls.items() if self._callers.get(run_id) == account]
        if calls:
            await asyncio.wait(calls, timeout=grace)
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def stop(self, grace: float) -> None:
        """Let calls finish for `grace` seconds; what does not is made again at the next start."""
        self._stopping = True
        calls = list(self._calls.values())
        if calls:
            await asyncio.wait(calls, timeout=grace)
        tasks = [*calls, *self._alarms]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- the person ----

    async def heard(self, account: str, person: str, words: str | None) -> Decision | None:
        """What a person's private message (None: it is no text) means to their flow; None when it is no flow's."""
        words = words.strip() if words is not None else None
        bare = spoken(words or "")
        flow = self._by_word.get(bare)
        run = await self._open_run(account, person)
        if flow is not None and not self._may(account, person, flow):
            return Decision(self._texts.not_allowed)
        if run is None:
            return Decision(write=lambda s: self._begin(s, account, person, flow)) if flow else None
        if bare == CANCEL:
            cancel = partial(self._steps.cancel, words=self._texts.flow_cancelled)
            return Decision(write=self._with_open(run, cancel))
        if flow is not None:
            return Decision(fill(self._texts.flow_open, flow=run.flow, state=self.state_words(run)))
        if run.state != RunState.ASKING or bare.startswith("/") or self._wants_person(words or ""):
            return None
        if not words:
            return Decision(self._texts.flow_text_wanted)
        return Decision(write=self._with_open(run, partial(self._steps.answered, words=words), same_step=True))

    async def asked_at(self, account: str, person: str) -> float:
        """When a person's flow asked what it waits to be told; 0 = it waits for nothing of theirs."""
        run = await self._open_run(account, person)
        return run.changed_at if run is not None and run.state == RunState.ASKING else 0.0

    def _may(self, account: str, person: str, flow: FlowSettings) -> bool:
        if flow.allow == "everyone" or self._accounts.is_admin(account, person):
            return True
        return flow.allow == "owners" and any(
            qun.account == account and qun.owner_id == person and qun.state == QunState.ACTIVE for qun in self._groups
        )

    async def _open_run(self, account: str, person: str) -> FlowRun | None:
        key = open_key(account, person)
        if self._loaded and key not in self._open:
            return None
        return await self._store.read(lambda s: s.exec(select(FlowRun).where(FlowRun.open_key == key)).first())

    def _begin(self, session: Session, account: str, person: str, flow: FlowSettings) -> None:
        key = open_key(account, person)
        recent = select(func.count(col(FlowRun.id))).where(
            FlowRun.account == account, FlowRun.person == person, FlowRun.started_at > self._clock() - HOUR
        )
        if session.exec(select(FlowRun.id).where(FlowRun.open_key == key)).first() is not None:
            return  # begun by another of this person's messages just now
        if not self._accounts.is_admin(account, person) and session.exec(recent).one() >= MAX_PER_HOUR:
            self._steps.tell(session, account, person, self._texts.flow_too_many)
            return
        self._steps.begin(session, account, person, flow)

    def _with_open(
        self, seen: FlowRun, act: Callable[[Session, FlowRun], None], *, same_step: bool = False
    ) -> Callable[[Session], None]:
        """A write about a run as it was seen; nothing when it has ended, or (same_step) moved on, meanwhile."""

        def write(session: Session) -> None:
            run = session.get(FlowRun, seen.id)
            if run is None or run.state not in OPEN_STATES:
                return
            if same_step and (run.state, run.step, run.question) != (seen.state, seen.step, seen.question):
                return
            act(session, run)

        return write

    def state_words(self, run: FlowRun) -> str:
        """How an open run stands, for people."""
        if run.state == RunState.ASKING:
            return self._texts.flow_asking
        return self._texts.flow_calling if run.state == RunState.CALLING else self._texts.flow_waiting

    # ---- the systems ----

    def _call_soon(self, run_id: int) -> None:
        if self._stopping:
            return
        task = asyncio.create_task(self._call(run_id), name=f"flow run {run_id}")
        self._calls[run_id] = task
        task.add_done_callback(lambda done: self._called(run_id, done))

    def _called(self, run_id: int, done: asyncio.Task[None]) -> None:
        if self._calls.get(run_id) is done:
            del self._calls[run_id]
            self._callers.pop(run_id, None)
        if not done.cancelled() and done.exception() is not None:
            log.error("flow run %s: its call failed, again in %d s", run_id, CALL_AGAIN, exc_info=done.exception())
            asyncio.get_running_loop().call_later(CALL_AGAIN, self._call_soon, run_id)

    async def _call(self, run_id: int) -> None:
        run = await self._store.read(lambda s: s.get_one(FlowRun, run_id))
        call = FlowSettings.model_validate_json(run.spec).steps[run.step].call
        if run.state != RunState.CALLING or call is None or not self._accounts.holds(run.account):
            return
        self._callers[run_id] = run.account
        values = await self._store.read(lambda s: self._steps.values(s, run))
        answer: dict[str, Any] | None = None
        error = ""
        try:
            answer = await self._caller.call(call, values, f"{run.key}-{run.step}")
        except CallFailed as failure:
            error = str(failure)
        except Exception:
            log.exception("flow run %s: step %s is broken", run_id, run.step + 1)
            error = self._texts.flow_broken

        def go_on(session: Session, run: FlowRun) -> None:
            if answer is not None:
                self._steps.called(session, run, answer)
            else:
                self._steps.fail(session, run, error)

        await self._store.write(self._with_open(run, go_on, same_step=True))

    async def callback(self, secret: str) -> FlowCallback:
        """Where a system brings a result to; NotFound."""
        row = await self._store.read(
            lambda s: s.exec(select(FlowCallback).where(FlowCallback.secret == secret)).first()
        )
        if row is None:
            raise NotFound("callback")
        return row

    async def called_back(self, callback: FlowCallback, result: dict[str, Any]) -> None:
        """A system brings a result; the first one counts, and is kept until its step waits for it."""

        def take(session: Session) -> None:
            run = session.get(FlowRun, callback.run_id)
            if run is None:  # pruned just now
                return
            is_open = run.state in OPEN_STATES
            first = session.connection().execute(
                update(FlowCallback)
                .where(col(FlowCallback.id) == callback.id, col(FlowCallback.body).is_(None))
                .values(body=json.dumps(result) if is_open else NO_MORE, received_at=self._clock())
            )
            if first.rowcount and not is_open:
                self._steps.late(session, run, result)
            elif first.rowcount and run.state == RunState.WAITING and run.step == callback.step:
                self._steps.go_on(session, run)

        await self._store.write(take)

    # ---- the clock and the admins ----

    async def expire(self) -> int:
        """End the runs whose answer or callback has not come in time; returns how many."""
        late = select(FlowRun).where(col(FlowRun.state).in_(OPEN_STATES), col(FlowRun.deadline) <= self._clock())
        runs = [
            run for run in await self._store.read(lambda s: s.exec(late).all()) if self._accounts.holds(run.account)
        ]
        for run in runs:
            no_answer = run.state == RunState.ASKING
            error = self._texts.flow_no_answer if no_answer else self._texts.flow_no_result
            await self._store.write(self._with_open(run, partial(self._steps.fail, error=error), same_step=True))
        return len(runs)

    async def open_runs(self, account: str | None = None) -> list[FlowRun]:
        """The runs that are under way, of one account or of all, the oldest first."""
        wanted = select(FlowRun).where(col(FlowRun.state).in_(OPEN_STATES)).order_by(col(FlowRun.id))
        if account is not None:
            wanted = wanted.where(FlowRun.account == account)
        return list(await self._store.read(lambda s: s.exec(wanted).all()))

    def end(self, session: Session, run_id: int) -> FlowRun | None:
        """End a run for its person, who is told, inside a transaction; None when no such run is open."""
        run = session.get(FlowRun, run_id)
        if run is None or run.state not in OPEN_STATES:
            return None
        self._steps.cancel(session, run, self._texts.flow_ended)
        return run

    def open_counts(self) -> dict[str, int]:
        """How many runs are asking, calling, waiting; from memory, for the figures."""
        counted = Counter(self._open.values())
        return {str(state): counted[state] for state in OPEN_STATES}

    def _paused(self, run: FlowRun) -> None:
        self._open[open_key(run.account, run.person)] = run.state
        left = run.deadline - self._clock() if run.deadline else A_MINUTE
        if left < A_MINUTE and not self._stopping:
            task = asyncio.create_task(self._expire_in(left), name=f"flow run {run.id}: end of its wait")
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
        if run.state == RunState.CANCELLED and run.id in self._calls:
            self._calls[run.id].cancel()
