"""重试: a failed run is taken up again, as a new run, at the step that failed."""

from __future__ import annotations

import secrets
from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from config.flow_settings import FlowSettings
from models.flows import NO_MORE, FlowCallback, FlowRun

RETRY_SECONDS: Final = 24 * 3600.0  # how long a failed run can be taken up again


def add_callbacks(session: Session, run: FlowRun, flow: FlowSettings, taken: frozenset[int] = frozenset()) -> None:
    """Give every later step that waits an address to call back at, except those that have one (`taken`)."""
    for index, step in enumerate(flow.steps):
        if step.wait and index >= run.step and index not in taken:
            session.add(FlowCallback(secret=secrets.token_urlsafe(24), run_id=run.id or 0, step=index))
    session.flush()


def last_failed(session: Session, account: str, person: str, now: float) -> FlowRun | None:
    """The person's newest run, if it failed and can be taken up again."""
    mine = select(FlowRun).where(FlowRun.account == account, FlowRun.person == person)
    run = session.exec(mine.order_by(col(FlowRun.id).desc()).limit(1)).first()
    return run if run is not None and run.retry_until is not None and run.retry_until > now else None


def continued(session: Session, failed: FlowRun, open_key: str, now: float) -> FlowRun:
    """A new run that stands where the failed one stood. One whose wait failed goes back to the step that handed out
    the address. A call that had no answer keeps its idempotency key and its addresses: it may have been carried out."""
    flow = FlowSettings.model_validate_json(failed.spec)
    step = flow.hands_out(failed.step) if flow.steps[failed.step].wait else failed.step
    back = step < failed.step
    run = FlowRun(
        account=failed.account, person=failed.person, flow=failed.flow, spec=failed.spec, brought=failed.brought,
        step=step, question=0 if back else failed.question, call_key="" if back else failed.call_key,
        open_key=open_key, started_at=now, changed_at=now,
    )  # fmt: skip
    session.add(run)
    session.flush()
    known = step + bool(run.call_key)  # addresses handed out before this step are in use
    waits = [index for index, one in enumerate(flow.steps) if one.wait and index >= step]
    taken = frozenset(index for index in waits if flow.hands_out(index) < known)
    in_use = update(FlowCallback).where(col(FlowCallback.run_id) == failed.id, col(FlowCallback.step).in_(taken))
    session.connection().execute(in_use.values(run_id=run.id))
    add_callbacks(session, run, flow, taken)
    forget(session, failed)
    return run


def forget_failed(session: Session, account: str, person: str) -> None:
    """Forget what the person's failed runs kept: another flow begins."""
    kept = col(FlowRun.retry_until).is_not(None)
    for run in session.exec(select(FlowRun).where(FlowRun.account == account, FlowRun.person == person, kept)).all():
        forget(session, run)


def forget_late(session: Session, now: float) -> None:
    """Forget what failed runs kept that can no longer be taken up."""
    for run in session.exec(select(FlowRun).where(col(FlowRun.retry_until) <= now)).all():
        forget(session, run)


def forget(session: Session, run: FlowRun) -> None:
    """Forget what a run that is over had been told: it may be nobody's business later."""
    run.retry_until, run.brought, run.call_key = None, NO_MORE, ""
    session.add(run)
    came = (col(FlowCallback.run_id) == run.id, col(FlowCallback.body).is_not(None))
    session.connection().execute(update(FlowCallback).where(*came).values(body=NO_MORE))
