"""重试: continues a failed run, as a new run, at the step that failed."""

from __future__ import annotations

import secrets
from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from config.flow_settings import FlowSettings
from models.flows import DISCARDED, FlowCallback, FlowRun

RETRY_SECONDS: Final = 24 * 3600.0  # seconds within which a failed run can be retried


def add_callbacks(session: Session, run: FlowRun, flow: FlowSettings, existing: frozenset[int] = frozenset()) -> None:
    """Create a callback address for each waiting step from the current one on, except steps in `existing`."""
    for index, step in enumerate(flow.steps):
        if step.wait and index >= run.step and index not in existing:
            session.add(FlowCallback(secret=secrets.token_urlsafe(24), run_id=run.id or 0, step=index))
    session.flush()


def last_failed(session: Session, account: str, person: str, now: float) -> FlowRun | None:
    """Return the person's newest run if it failed and can be retried."""
    query = select(FlowRun).where(FlowRun.account == account, FlowRun.person == person)
    run = session.exec(query.order_by(col(FlowRun.id).desc()).limit(1)).first()
    return run if run is not None and run.retry_until is not None and run.retry_until > now else None


def new_run(session: Session, failed: FlowRun, open_key: str, now: float) -> FlowRun:
    """Create a run that continues at the failed step, or, if a wait failed, at the step that sent its callback address.

    A call without a response keeps its idempotency key and its callback addresses: it may have been executed.
    """
    flow = FlowSettings.model_validate_json(failed.spec)
    step = flow.callback_sender(failed.step) if flow.steps[failed.step].wait else failed.step
    is_earlier = step < failed.step
    run = FlowRun(
        account=failed.account, person=failed.person, flow=failed.flow, spec=failed.spec, collected=failed.collected,
        step=step, question=0 if is_earlier else failed.question, call_key="" if is_earlier else failed.call_key,
        open_key=open_key, started_at=now, changed_at=now,
    )  # fmt: skip
    session.add(run)
    session.flush()
    first_unsent = step + bool(run.call_key)  # addresses that earlier steps have sent are in use
    waits = [index for index, flow_step in enumerate(flow.steps) if flow_step.wait and index >= step]
    reused = frozenset(index for index in waits if flow.callback_sender(index) < first_unsent)
    in_use = update(FlowCallback).where(col(FlowCallback.run_id) == failed.id, col(FlowCallback.step).in_(reused))
    session.connection().execute(in_use.values(run_id=run.id))
    add_callbacks(session, run, flow, reused)
    discard(session, failed)
    return run


def discard_failed(session: Session, account: str, person: str) -> None:
    """Discard the data of the person's failed runs: another flow starts."""
    reused = col(FlowRun.retry_until).is_not(None)
    for run in session.exec(select(FlowRun).where(FlowRun.account == account, FlowRun.person == person, reused)).all():
        discard(session, run)


def discard_expired(session: Session, now: float) -> None:
    """Discard the data of failed runs that can no longer be retried."""
    for run in session.exec(select(FlowRun).where(col(FlowRun.retry_until) <= now)).all():
        discard(session, run)


def discard(session: Session, run: FlowRun) -> None:
    """Discard the answers and results of a run that has ended, since they may be personal."""
    run.retry_until, run.collected, run.call_key = None, DISCARDED, ""
    session.add(run)
    received = (col(FlowCallback.run_id) == run.id, col(FlowCallback.body).is_not(None))
    session.connection().execute(update(FlowCallback).where(*received).values(body=DISCARDED))
