"""The steps of a flow. Each runs in a transaction with its state and its messages."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from sqlmodel import Session, col, select

from config.flow_settings import CALLBACK_URL, CONFIRM, FlowSettings, FlowStep, WaitStep, normalised
from config.texts import Texts, fill
from models.db import after_commit
from models.durable import OutboxItem
from models.flows import DISCARDED, OPEN_STATES, FlowCallback, FlowRun, RunState
from services.clock import HOUR, LocalTime
from services.flows import retries
from services.flows.answers import InvalidAnswer, confirmation_body, parse_answer, question_body
from services.flows.open_runs import OpenRuns, open_key
from services.flows.values import MissingValue, fill_available, fill_body, fill_text, matches, reason, summary
from services.messaging.messages import Body, Messages
from services.messaging.messages import text as text_body
from services.messaging.webhook_events import WebhookEvents

log = logging.getLogger(__name__)
ANSWER_HOURS = 24.0  # hours that a person has to answer


class StepFailed(Exception):
    """A step ends the flow; the message is shown to the person."""


class FlowSteps:
    """Executes the steps of a run until it has to wait for the person, a call, or a callback."""

    def __init__(
        self,
        messages: Messages,
        webhook_events: WebhookEvents,
        open_runs: OpenRuns,
        texts: Texts,
        public_url: str,
        local_time: LocalTime,
    ) -> None:
        self._messages = messages
        self._webhook_events = webhook_events
        self._open_runs = open_runs
        self._texts = texts
        self._public_url = public_url
        self._local_time = local_time
        self._clock = local_time.clock

    # ---- progress ----

    def start(self, session: Session, account: str, person: str, flow: FlowSettings) -> FlowRun:
        """Start a run and create a callback for each of its waiting steps."""
        now = self._clock()
        retries.discard_failed(session, account, person)
        run = FlowRun(
            account=account, person=person, flow=flow.name, spec=flow.model_dump_json(exclude_none=True),
            open_key=open_key(account, person), started_at=now, changed_at=now,
        )  # fmt: skip
        session.add(run)
        session.flush()
        retries.add_callbacks(session, run, flow)
        self.advance(session, run)
        return run

    def retry(self, session: Session, failed: FlowRun) -> None:
        """Continue a failed run, as a new one, at the step that failed."""
        run = retries.new_run(session, failed, open_key(failed.account, failed.person), self._clock())
        self.advance(session, run)

    def advance(self, session: Session, run: FlowRun) -> None:
        """Execute the steps from the current one on."""
        run.changed_at = self._clock()
        session.add(run)
        steps = FlowSettings.model_validate_json(run.spec).steps
        try:
            while run.step < len(steps):
                if not self._execute(session, run, steps[run.step]):
                    after_commit(session, lambda: self._open_runs.changed(run))
                    return
                run.step, run.question = run.step + 1, 0
        except StepFailed as error:
            self.fail(session, run, str(error))
        except MissingValue as error:
            self.fail(session, run, fill(self._texts.flow_missing, name=error), permanent=True)
        else:
            self._end(session, run, RunState.FINISHED)

    def _execute(self, session: Session, run: FlowRun, step: FlowStep) -> bool:
        """Execute a step; return False if the run has to wait."""
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
        return False

    def _ask(self, session: Session, run: FlowRun, step: FlowStep) -> bool:
        questions = list(step.questions.values())
        if run.question >= len(questions):
            return True
        question = questions[run.question]
        question_text = fill_text(question.question, self.values(session, run))
        self._await_answer(session, run, question_body(question, question_text, self._texts))
        return False

    def _confirm(self, session: Session, run: FlowRun, summary: str) -> bool:
        if run.question:
            return True
        summary_text = fill_text(summary, self.values(session, run))
        self._await_answer(session, run, confirmation_body(summary_text, self._texts))
        return False

    def _await_answer(self, session: Session, run: FlowRun, question: Body) -> None:
        self._messages.queue(session, run.account, run.person, question)
        run.state, run.deadline = RunState.ASKING, self._clock() + ANSWER_HOURS * HOUR

    def _wait(self, session: Session, run: FlowRun, wait: WaitStep) -> bool:
        body = session.exec(
            select(FlowCallback.body).where(FlowCallback.run_id == run.id, FlowCallback.step == run.step)
        ).first()
        if body is None:
            run.state, run.deadline = RunState.WAITING, self._clock() + wait.hours * HOUR
            return False
        result = json.loads(body)
        run.set_value(wait.callback, result)
        if not matches(result, fill_body(wait.expect, self.values(session, run))):
            raise StepFailed(reason(result) or self._texts.flow_no_reason)
        return True

    # ---- results ----

    def take_answer(self, session: Session, run: FlowRun, text: str) -> None:
        """Continue with the person's answer. An invalid one is explained, and the question stays open."""
        step = FlowSettings.model_validate_json(run.spec).steps[run.step]
        try:
            if step.confirm:
                if normalised(text) != CONFIRM:
                    raise InvalidAnswer(self._texts.flow_confirm_wanted)
            else:
                name, question = list(step.questions.items())[run.question]
                run.set_value(name, parse_answer(question, text, self._texts))
        except InvalidAnswer as error:
            run.changed_at = self._clock()
            session.add(run)
            self._say(session, run, fill_available(str(error), self.values(session, run)))
            return
        run.question += 1
        self.advance(session, run)

    def report_slow_call(self, session: Session, run: FlowRun) -> None:
        """Notify the person once that the call takes long."""
        key = f"flow:{run.key}:{run.step}:slow"
        if session.exec(select(OutboxItem.id).where(col(OutboxItem.idempotency_key) == key)).first() is None:
            body = text_body(self._texts.flow_still_calling)
            self._messages.queue(session, run.account, run.person, body, idempotency_key=key)

    def take_response(self, session: Session, run: FlowRun, response: dict[str, Any]) -> None:
        """Continue with the response of a call."""
        call = FlowSettings.model_validate_json(run.spec).steps[run.step].call
        if call is not None:
            run.set_value(call.into, response)
        run.step, run.call_key = run.step + 1, ""
        self.advance(session, run)

    # ---- ends ----

    def fail(self, session: Session, run: FlowRun, error: str, *, call_key: str = "", permanent: bool = False) -> None:
        """End the run with the flow's own text. It can be retried, unless the error is `permanent`.

        `call_key`: the idempotency key of a call that may have been executed.
        """
        flow = FlowSettings.model_validate_json(run.spec)
        notice = fill_available(flow.failed, {**self.values(session, run), "error": error})
        if flow.steps[run.step].call and not permanent:
            notice += f"\n{self._texts.flow_retry}"
        self._say(session, run, notice)
        run.call_key = call_key
        self._end(session, run, RunState.FAILED, error, permanent=permanent)

    def cancel(self, session: Session, run: FlowRun) -> None:
        """End the run at the person's request."""
        self._say(session, run, fill(self._texts.flow_cancelled, flow=run.flow))
        self._end(session, run, RunState.CANCELLED)

    def cancel_by_admin(self, session: Session, run: FlowRun) -> None:
        """End the run at an admin's request."""
        self._say(session, run, fill(self._texts.flow_ended, flow=run.flow))
        self._end(session, run, RunState.CANCELLED)

    def report_late_result(self, session: Session, run: FlowRun, result: dict[str, Any]) -> None:
        """Report a result that arrived after the end of its run. The person is notified, unless they cancelled it."""
        described = summary(result)
        after_commit(session, lambda: log.warning("flow run %s is %s and already has a result", run.id, run.state))
        if run.state != RunState.CANCELLED:
            since = self._local_time.at(run.started_at).strftime("%m-%d %H:%M")
            self._say(session, run, fill(self._texts.flow_late, since=since, flow=run.flow, result=described))
        self._webhook_events.publish(session, "flow.late", run.person, {**_event_data(run), "result": described})

    def _end(self, session: Session, run: FlowRun, state: RunState, error: str = "", *, permanent: bool = True) -> None:
        now = self._clock()
        run.state, run.error, run.deadline, run.open_key, run.changed_at = state, error, None, None, now
        session.add(run)
        self._webhook_events.publish(session, "flow.finished", run.person, {**_event_data(run), "error": error})
        received = (col(FlowCallback.run_id) == run.id, col(FlowCallback.body).is_not(None))
        for unused in session.exec(select(FlowCallback.body).where(*received, FlowCallback.step > run.step)).all():
            self.report_late_result(session, run, json.loads(unused or DISCARDED))
        if permanent:
            retries.discard(session, run)
        else:
            run.retry_until = now + retries.RETRY_SECONDS
        after_commit(session, lambda: self._open_runs.changed(run))

    # ---- helpers ----

    def values(self, session: Session, run: FlowRun) -> dict[str, Any]:
        """Return the values of the {names} available in the run's current step."""
        values = {**run.values, "flow": run.flow, "person": run.person, "assistant": run.account}
        next_callback = select(FlowCallback.secret).where(FlowCallback.run_id == run.id, FlowCallback.step >= run.step)
        secret = session.exec(next_callback.order_by(col(FlowCallback.step))).first()
        if secret is not None:
            values[CALLBACK_URL] = f"{self._public_url}/wxbot/callback/{secret}"
        return values

    def _say(self, session: Session, run: FlowRun, text: str) -> None:
        self.send(session, run.account, run.person, text)

    def send(self, session: Session, account: str, person: str, text: str) -> None:
        """Queue a message to the person, unless the text is empty after filling it in."""
        if text.strip():
            self._messages.queue(session, account, person, text)


def _event_data(run: FlowRun) -> dict[str, Any]:
    """Return the event data of a run."""
    return {
        "run": run.id,
        "flow": run.flow,
        "assistant": run.account,
        "contact_id": run.person,
        "state": str(run.state),
    }


def write_if_open(
    seen: FlowRun, act: Callable[[Session, FlowRun], None], *, same_step: bool = False
) -> Callable[[Session], None]:
    """Return a write that does nothing if the run has ended, or (`same_step`) advanced, since it was read."""

    def write(session: Session) -> None:
        run = session.get(FlowRun, seen.id)
        if run is None or run.state not in OPEN_STATES:
            return
        if same_step and (run.state, run.step, run.question) != (seen.state, seen.step, seen.question):
            return
        act(session, run)

    return write
