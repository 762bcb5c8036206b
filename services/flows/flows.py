"""Messages of people that start, answer or cancel flows: conversations that call business systems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from sqlmodel import Session, select

from config import Config
from config.flow_settings import CANCEL, RETRY, FlowSettings, normalised
from config.texts import fill
from models.db import Store
from models.flows import FlowRun, RunState
from services.clock import Clock
from services.decision import Decision
from services.flows import retries
from services.flows.open_runs import OpenRuns, open_key
from services.flows.start_rules import StartRules
from services.flows.steps import FlowSteps, write_if_open


class Flows:
    """The configured flows. `wants_person`: whether a text asks for a member of staff."""

    def __init__(
        self,
        store: Store,
        steps: FlowSteps,
        open_runs: OpenRuns,
        rules: StartRules,
        config: Config,
        wants_person: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        self._store = store
        self._steps = steps
        self._open_runs = open_runs
        self._rules = rules
        self._wants_person = wants_person
        self._texts = config.texts
        self._clock = clock
        self.configure(config.flows)

    def configure(self, flows: Sequence[FlowSettings]) -> None:
        """Replace the flows; running ones continue with their copy."""
        self._by_start_word = {normalised(word): flow for flow in flows for word in flow.start}

    async def handle(self, account: str, person: str, text: str | None) -> Decision | None:
        """Return the decision about a private message; None if it does not concern a flow.

        `text`: None for a message that is not a text.
        """
        text = text.strip() if text is not None else None
        word = normalised(text or "")
        flow = self._by_start_word.get(word)
        run = await self._open_run(account, person)
        if flow is not None and not await self._rules.may_start(account, person, flow):
            return Decision(self._texts.not_allowed)
        if run is None and flow is not None:
            return Decision(write=partial(self._start, account=account, person=person, flow=flow))
        if run is None:
            return await self._retry(account, person) if word == RETRY else None
        if word == CANCEL:
            return Decision(write=write_if_open(run, self._steps.cancel))
        if flow is not None:
            return Decision(fill(self._texts.flow_open, flow=run.flow, state=self.describe_state(run)))
        if run.state != RunState.ASKING or word.startswith("/") or self._wants_person(text or ""):
            return None
        if not text:
            return Decision(self._texts.flow_text_wanted)
        return Decision(write=write_if_open(run, partial(self._steps.take_answer, text=text), same_step=True))

    async def asked_at(self, account: str, person: str) -> float:
        """Return when the person's flow asked its current question; 0 if it is not asking."""
        run = await self._open_run(account, person)
        return run.changed_at if run is not None and run.state == RunState.ASKING else 0.0

    def describe_state(self, run: FlowRun) -> str:
        """Describe the state of an open run for people."""
        if run.state == RunState.ASKING:
            return self._texts.flow_asking
        return self._texts.flow_calling if run.state == RunState.CALLING else self._texts.flow_waiting

    async def _open_run(self, account: str, person: str) -> FlowRun | None:
        if not self._open_runs.may_have(account, person):
            return None
        key = open_key(account, person)
        return await self._store.read(lambda s: s.exec(select(FlowRun).where(FlowRun.open_key == key)).first())

    def _start(self, session: Session, account: str, person: str, flow: FlowSettings) -> None:
        if session.exec(select(FlowRun.id).where(FlowRun.open_key == open_key(account, person))).first() is not None:
            return  # started by another of this person's messages just now
        if self._may_start_another(session, account, person):
            self._steps.start(session, account, person, flow)

    async def _retry(self, account: str, person: str) -> Decision | None:
        """Continue the person's failed run; return None if there is none."""
        now = self._clock()
        failed = await self._store.read(lambda s: retries.last_failed(s, account, person, now))
        if failed is None:
            return None
        if not await self._rules.may_start(account, person, FlowSettings.model_validate_json(failed.spec)):
            return Decision(self._texts.not_allowed)

        def write(session: Session) -> None:
            run = retries.last_failed(session, account, person, now)
            if run is not None and self._may_start_another(session, account, person):
                self._steps.retry(session, run)

        return Decision(write=write)

    def _may_start_another(self, session: Session, account: str, person: str) -> bool:
        """Whether the person is below the limit; otherwise they are notified."""
        if self._rules.has_started_too_many(session, account, person):
            self._steps.send(session, account, person, self._texts.flow_too_many)
            return False
        return True
