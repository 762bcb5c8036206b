"""/流程 /重发: the conversations with business systems that are under way, and what those systems did not take."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from sqlmodel import Session

from config.texts import fill
from models.durable import OutboxItem, WorkState
from models.flows import FlowRun
from services.commands.ask import Answer, Ask, whole

END: Final = "结束"
ALL: Final = "全部"
MOST_SHOWN: Final = 20


async def flows(ask: Ask) -> Answer:
    """The flows under way on this account; 结束 编号 ends one, and its person is told."""
    runs = [run for run in await ask.house.flows.open_runs() if run.account == ask.account]
    words = ask.rest.split()
    if not words:
        lines = "\n".join(_line(ask, run) for run in runs[-MOST_SHOWN:])
        return Answer(fill(ask.texts.flow_list, runs=lines) if runs else ask.texts.flow_none)
    number = whole(words[1]) if len(words) == 2 and words[0] == END else None
    if number is None:
        return ask.misuse()
    unknown = fill(ask.texts.flow_end_unknown, id=number)
    if number not in {run.id for run in runs}:
        return Answer(unknown)

    def end(session: Session) -> str:
        run = ask.house.flows.end(session, number)
        if run is None:
            return unknown
        ask.note(session, "flow", str(number), flow=run.flow)
        return fill(ask.texts.flow_end_done, id=number, flow=run.flow)

    return Answer(act=end)


async def resend(ask: Ask) -> Answer:
    """What was given up after three days; 编号 or 全部 sends it again."""
    failed = await ask.house.webhooks.listed(WorkState.FAILED)
    if not ask.rest:
        lines = "\n".join(_event_line(ask, item) for item in failed[:MOST_SHOWN])
        return Answer(fill(ask.texts.resend_list, events=lines) if failed else ask.texts.resend_none)
    number = whole(ask.rest)
    if number is None and ask.rest != ALL:
        return ask.misuse()
    ids = [item.id or 0 for item in reversed(failed) if number in (None, item.id)]  # the oldest first
    if not ids:
        return Answer(fill(ask.texts.resend_unknown, id=number) if number else ask.texts.resend_none)

    def again(session: Session) -> str:
        for item_id in ids:
            ask.house.webhooks.send_again(session, item_id)
        ask.note(session, "resend", ask.rest)
        return fill(ask.texts.resend_done, count=len(ids))

    return Answer(act=again)


def _line(ask: Ask, run: FlowRun) -> str:
    contact = ask.house.accounts.get(ask.account).directory.contacts.get(run.person)
    person = contact.name if contact and contact.name else run.person
    state = ask.house.flows.state_words(run)
    return fill(
        ask.texts.flow_line, id=run.id, flow=run.flow, person=person, state=state, since=_at(ask, run.started_at)
    )


def _event_line(ask: Ask, item: OutboxItem) -> str:
    kind, at = json.loads(item.body)["type"], _at(ask, item.done_at or item.created_at)
    return fill(ask.texts.resend_line, id=item.id, type=kind, at=at, error=item.error)


def _at(ask: Ask, moment: float) -> str:
    return datetime.fromtimestamp(moment, ask.house.zone).strftime("%m-%d %H:%M")
