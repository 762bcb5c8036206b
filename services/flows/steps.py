"""The steps of a flow. Each runs in a transaction with its state and its messages."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from config.flow_settings import CALLBACK_URL, CONFIRM, FlowSettings, FlowStep, WaitStep, spoken
from config.texts import Texts, fill
from models.db import after_commit
from models.durable import OutboxItem
from models.flows import NO_MORE, OPEN_STATES, FlowCallback, FlowRun, RunState
from services.clock import Clock
from services.flows import retries
from services.flows.answers import Unfit, put, put_confirm, understood
from services.flows.values import Unfillable, fill_body, fill_text, fill_what_is_there, meets, reason, summary
from services.messaging.messages import Body, Messages, text
from services.messaging.webhook_events import WebhookEvents

log = logging.getLogger(__name__)
HOUR = 3600.0
ANSWER_HOURS = 24.0  # hours that a person has to answer


class Failed(Exception):
    """A step ends the flow; the message is shown to the person."""


class FlowSteps:
    """Executes the steps of a run until it has to wait for the person, a call, or a callback.

    After the commit, `on_call` is called for a run whose call is to be made, `on_pause` for a run that waits, and
    `on_end` for a run that has ended.
    """

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

    # ---- progress ----

    def begin(self, session: Session, account: str, person: str, flow: FlowSettings) -> FlowRun:
        """Start a run and create a callback for each of its waiting steps."""
        now = self._clock()
        retries.forget_failed(session, account, person)
        run = FlowRun(
            account=account, person=person, flow=flow.name, spec=flow.model_dump_json(exclude_none=True),
            open_key=open_key(account, person), started_at=now, changed_at=now,
        )  # fmt: skip
        session.add(run)
        session.flush()
        retries.add_callbacks(session, run, flow)
        self.go_on(session, run)
        return run

    def retry(self, session: Session, failed: FlowRun) -> None:
        """Go on with a failed run at the step that failed."""
        run = retries.continued(session, failed, open_key(failed.account, failed.person), self._clock())
        self.go_on(session, run)

    def go_on(self, session: Session, run: FlowRun) -> None:
        """Execute the steps from the current one."""
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
            self.fail(session, run, fill(self._texts.flow_missing, name=error), lasting=True)
        else:
            self._end(session, run, RunState.FINISHED)

    def _do(self, session: Session, run: FlowRun, step: FlowStep) -> bool:
        """Do a step; False when it has to wait."""
        if step.questions:
            return self._ask(session, run, step)
        if step.confirm:
            return self._confirm(session, run, step.confirm)
        if step.say:
            self._say(session, run, fill_text(step.say, self.values(session, run)))
            return True
        if step.wait:
            return self._wait(session, run, step.wait)
        run.state, run.deadline = RunState.CALLING, None
        after_commit(session, lambda: self.on_call(run.id or 0))
        return False

    def _ask(self, session: Session, run: FlowRun, step: FlowStep) -> bool:
        questions = list(step.questions.values())
        if run.question >= len(questions):
            return True
        question = questions[run.question]
        words = fill_text(question.question, self.values(session, run))
        self._await_answer(session, run, put(question, words, self._texts))
        return False

    def _confirm(self, session: Session, run: FlowRun, summary: str) -> bool:
        if run.question:
            return True
        words = fill_text(summary, self.values(session, run))
        self._await_answer(session, run, put_confirm(words, self._texts))
        return False

    def _await_answer(self, session: Session, run: FlowRun, asked: Body) -> None:
        self._messages.say(session, run.account, run.person, asked)
        run.state, run.deadline = RunState.ASKING, self._clock() + ANSWER_HOURS * HOUR

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

    # ---- results ----

    def answered(self, session: Session, run: FlowRun, words: str) -> None:
        """The person answered the question that stands; what does not do is said, and the question stays."""
        step = FlowSettings.model_validate_json(run.spec).steps[run.step]
        try:
            if step.confirm:
                if spoken(words) != CONFIRM:
                    raise Unfit(self._texts.flow_confirm_wanted)
            else:
                name, question = list(step.questions.items())[run.question]
                run.bring(name, understood(question, words, self._texts))
        except Unfit as wanted:
            run.changed_at = self._clock()
            session.add(run)
            self._say(session, run, fill_what_is_there(str(wanted), self.values(session, run)))
            return
        run.question += 1
        self.go_on(session, run)

    def still_calling(self, session: Session, run: FlowRun) -> None:
        """The call takes long: the person is told, once."""
        key = f"flow:{run.key}:{run.step}:slow"
        if session.exec(select(OutboxItem.id).where(col(OutboxItem.idempotency_key) == key)).first() is None:
            words = text(self._texts.flow_still_calling)
            self._messages.say(session, run.account, run.person, words, idempotency_key=key)

    def called(self, session: Session, run: FlowRun, answer: dict[str, Any]) -> None:
        """Continue with the response of a call."""
        call = FlowSettings.model_validate_json(run.spec).steps[run.step].call
        if call is not None:
            run.bring(call.into, answer)
        run.step, run.call_key = run.step + 1, ""
        self.go_on(session, run)

    # ---- ends ----

    def fail(self, session: Session, run: FlowRun, error: str, *, call_key: str = "", lasting: bool = False) -> None:
        """End the run with the flow's own words for it. It can be taken up again unless the fault is `lasting`;
        `call_key`: of a call that may have been carried out."""
        flow = FlowSettings.model_validate_json(run.spec)
        words = fill_what_is_there(flow.failed, {**self.values(session, run), "error": error})
        if flow.steps[run.step].call and not lasting:
            words += f"\n{self._texts.flow_retry}"
        self._say(session, run, words)
        run.call_key = call_key
        self._end(session, run, RunState.FAILED, error, lasting=lasting)

    def cancel(self, session: Session, run: FlowRun, words: str) -> None:
        """End the run on request."""
        self._say(session, run, fill(words, flow=run.flow))
        self._end(session, run, RunState.CANCELLED)

    def late(self, session: Session, run: FlowRun, result: dict[str, Any]) -> None:
        """Report a result that arrived after the end of its run. The person is told, unless they cancelled it."""
        said = summary(result)
        after_commit(session, lambda: log.warning("flow run %s is %s and already has a result", run.id, run.state))
        if run.state != RunState.CANCELLED:
            since = datetime.fromtimestamp(run.started_at, self._zone).strftime("%m-%d %H:%M")
            self._say(session, run, fill(self._texts.flow_late, since=since, flow=run.flow, result=said))
        self._webhook_events.tell(session, "flow.late", run.person, {**_about(run), "result": said})

    def _end(self, session: Session, run: FlowRun, state: RunState, error: str = "", *, lasting: bool = True) -> None:
        now = self._clock()
        run.state, run.error, run.deadline, run.open_key, run.changed_at = state, error, None, None, now
        session.add(run)
        self._webhook_events.tell(session, "flow.finished", run.person, {**_about(run), "error": error})
        came = (col(FlowCallback.run_id) == run.id, col(FlowCallback.body).is_not(None))
        for early in session.exec(select(FlowCallback.body).where(*came, FlowCallback.step > run.step)).all():
            self.late(session, run, json.loads(early or NO_MORE))
        if lasting:
            retries.forget(session, run)
        else:
            run.retry_until = now + retries.RETRY_SECONDS
        after_commit(session, lambda: self.on_end(run))

    # ---- helpers ----

    def values(self, session: Session, run: FlowRun) -> dict[str, Any]:
        """Return the values of the {names} available in the run's current step."""
        values = {**run.values, "flow": run.flow, "person": run.person, "assistant": run.account}
        coming = select(FlowCallback.secret).where(FlowCallback.run_id == run.id, FlowCallback.step >= run.step)
        secret = session.exec(coming.order_by(col(FlowCallback.step))).first()
        if secret is not None:
            values[CALLBACK_URL] = f"{self._public_url}/wxbot/callback/{secret}"
        return values

    def _say(self, session: Session, run: FlowRun, words: str) -> None:
        self.tell(session, run.account, run.person, words)

    def tell(self, session: Session, account: str, person: str, words: str) -> None:
        """Queue a message to the person, unless the text is empty after filling it in."""
        if words.strip():
            self._messages.say(session, account, person, words)


def _about(run: FlowRun) -> dict[str, Any]:
    """Return the event data of a run."""
    return {
        "run": run.id,
        "flow": run.flow,
        "assistant": run.account,
        "contact_id": run.person,
        "state": str(run.state),
    }


def about_open(
    seen: FlowRun, act: Callable[[Session, FlowRun], None], *, same_step: bool = False
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


def open_key(account: str, person: str) -> str:
    """Return the key that is unique among open runs."""
    return f"{account}/{person}"
