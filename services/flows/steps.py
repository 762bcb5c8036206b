"""The steps of a flow. Each runs inside a transaction that holds its state and everything it says."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlmodel import Session, col, select

from config.flow_settings import CALLBACK_URL, FlowSettings, FlowStep, WaitStep
from config.texts import Texts, fill
from models.db import after_commit
from models.flows import NO_MORE, FlowCallback, FlowRun, RunState
from services.clock import Clock
from services.flows.values import Unfillable, fill_body, fill_text, fill_what_is_there, meets, reason, summary
from services.messaging.messages import Messages
from services.messaging.webhook_events import WebhookEvents

log = logging.getLogger(__name__)
HOUR = 3600.0
ANSWER_HOURS = 24.0  # how long a person may take to answer


class Failed(Exception):
    """A step ends the flow; the message is for the person."""


class FlowSteps:
    """Moves a run on until it has to wait: for the person, for a call, for a callback. After the commit `on_call` hears
    of a run that wants its call made, `on_pause` of every run that waits, `on_end` of one that is over."""

    def __init__(
        self,
        messages: Messages,
        webhook_events: WebhookEvents,
        texts: Texts,
        public_url: str,
        zone: ZoneInfo,
        clock: Clock,
    ) -> None:
        self._messages = messages
        self._webhook_events = webhook_events
        self._texts = texts
        self._public_url = public_url
        self._zone = zone
        self._clock = clock
        self.on_call: Callable[[int], None] = lambda _run_id: None
        self.on_pause: Callable[[FlowRun], None] = lambda _run: None
        self.on_end: Callable[[FlowRun], None] = lambda _run: None

    # ---- moving on ----

    def begin(self, session: Session, account: str, person: str, flow: FlowSettings) -> FlowRun:
        """Start a run, with an address to call back at for every step that waits."""
        now = self._clock()
        run = FlowRun(
            account=account, person=person, flow=flow.name, spec=flow.model_dump_json(exclude_none=True),
            open_key=open_key(account, person), started_at=now, changed_at=now,
        )  # fmt: skip
        session.add(run)
        session.flush()
        for index, step in enumerate(flow.steps):
            if step.wait:
                session.add(FlowCallback(secret=secrets.token_urlsafe(24), run_id=run.id or 0, step=index))
        session.flush()
        self.go_on(session, run)
        return run

    def go_on(self, session: Session, run: FlowRun) -> None:
        """Do the steps from where the run stands."""
        run.changed_at = self._clock()
        session.add(run)
        steps = FlowSettings.model_validate_json(run.spec).steps
        try:
            while run.step < len(steps):
                if not self._do(session, run, steps[run.step]):
                    after_commit(session, lambda: self.on_pause(run))
                    return
                run.step, run.question = run.step + 1, 0
        except Failed as error:
            self.fail(session, run, str(error))
        except Unfillable as error:
            self.fail(session, run, fill(self._texts.flow_missing, name=error))
        else:
            self._end(session, run, RunState.FINISHED)

    def _do(self, session: Session, run: FlowRun, step: FlowStep) -> bool:
        """Do a step; False when it has to wait."""
        if step.ask:
            return self._ask(session, run, list(step.ask.values()))
        if step.say:
            self._say(session, run, fill_text(step.say, self.values(session, run)))
            return True
        if step.wait:
            return self._wait(session, run, step.wait)
        run.state, run.deadline = RunState.CALLING, None
        after_commit(session, lambda: self.on_call(run.id or 0))
        return False

    def _ask(self, session: Session, run: FlowRun, questions: list[str]) -> bool:
        if run.question >= len(questions):
            return True
        self._say(session, run, fill_text(questions[run.question], self.values(session, run)))
        run.state, run.deadline = RunState.ASKING, self._clock() + ANSWER_HOURS * HOUR
        return False

    def _wait(self, session: Session, run: FlowRun, wait: WaitStep) -> bool:
        body = session.exec(
            select(FlowCallback.body).where(FlowCallback.run_id == run.id, FlowCallback.step == run.step)
        ).first()
        if body is None:
            run.state, run.deadline = RunState.WAITING, self._clock() + wait.hours * HOUR
            return False
        result = json.loads(body)
        run.bring(wait.callback, result)
        if not meets(result, fill_body(wait.expect, self.values(session, run))):
            raise Failed(reason(result) or self._texts.flow_no_reason)
        return True

    # ---- what comes in ----

    def answered(self, session: Session, run: FlowRun, words: str) -> None:
        """The person answered the question that stands."""
        asked = FlowSettings.model_validate_json(run.spec).steps[run.step].ask or {}
        run.bring(list(asked)[run.question], words)
        run.question += 1
        self.go_on(session, run)

    def called(self, session: Session, run: FlowRun, answer: dict[str, Any]) -> None:
        """The system answered the call."""
        call = FlowSettings.model_validate_json(run.spec).steps[run.step].call
        if call is not None:
            run.bring(call.into, answer)
        run.step += 1
        self.go_on(session, run)

    # ---- ends ----

    def fail(self, session: Session, run: FlowRun, error: str) -> None:
        """End the run with the flow's own words for it."""
        words = FlowSettings.model_validate_json(run.spec).failed
        self._say(session, run, fill_what_is_there(words, {**self.values(session, run), "error": error}))
        self._end(session, run, RunState.FAILED, error)

    def cancel(self, session: Session, run: FlowRun, words: str) -> None:
        """End the run because somebody wants it to."""
        self._say(session, run, fill(words, flow=run.flow))
        self._end(session, run, RunState.CANCELLED)

    def late(self, session: Session, run: FlowRun, result: dict[str, Any]) -> None:
        """A system brought a result that its run, now over, did not wait for. Who did not end it wants to know."""
        said = summary(result)
        after_commit(session, lambda: log.warning("flow run %s is %s, and has a result", run.id, run.state))
        if run.state != RunState.CANCELLED:
            since = datetime.fromtimestamp(run.started_at, self._zone).strftime("%m-%d %H:%M")
            self._say(session, run, fill(self._texts.flow_late, since=since, flow=run.flow, result=said))
        self._webhook_events.tell(session, "flow.late", run.person, {**_about(run), "result": said})

    def _end(self, session: Session, run: FlowRun, state: RunState, error: str = "") -> None:
        run.state, run.error, run.deadline, run.open_key = state, error, None, None
        run.changed_at, run.brought = self._clock(), NO_MORE  # it may have held what is nobody's business later
        session.add(run)
        self._webhook_events.tell(session, "flow.finished", run.person, {**_about(run), "error": error})
        came = (col(FlowCallback.run_id) == run.id, col(FlowCallback.body).is_not(None))
        for early in session.exec(select(FlowCallback.body).where(*came, FlowCallback.step > run.step)).all():
            self.late(session, run, json.loads(early or NO_MORE))
        session.connection().execute(update(FlowCallback).where(*came).values(body=NO_MORE))
        after_commit(session, lambda: self.on_end(run))

    # ---- small things ----

    def values(self, session: Session, run: FlowRun) -> dict[str, Any]:
        """Everything that {names} of the run's step stand for."""
        values = {**run.values, "flow": run.flow, "person": run.person, "assistant": run.account}
        coming = select(FlowCallback.secret).where(FlowCallback.run_id == run.id, FlowCallback.step >= run.step)
        secret = session.exec(coming.order_by(col(FlowCallback.step))).first()
        if secret is not None:
            values[CALLBACK_URL] = f"{self._public_url}/wxbot/callback/{secret}"
        return values

    def _say(self, session: Session, run: FlowRun, words: str) -> None:
        self.tell(session, run.account, run.person, words)

    def tell(self, session: Session, account: str, person: str, words: str) -> None:
        """Promise to say something to a person; what is empty once it is filled in is not said."""
        if words.strip():
            self._messages.say(session, account, person, words)


def _about(run: FlowRun) -> dict[str, Any]:
    """What business systems are told of a run."""
    return {
        "run": run.id,
        "flow": run.flow,
        "assistant": run.account,
        "contact_id": run.person,
        "state": str(run.state),
    }


def open_key(account: str, person: str) -> str:
    """What is unique among open runs."""
    return f"{account}/{person}"


def account_of(key: str) -> str:
    """The account in such a key."""
    return key.rpartition("/")[0]
