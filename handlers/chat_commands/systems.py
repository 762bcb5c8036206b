"""/流程 /重发: open flows, and failed webhook deliveries."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from sqlmodel import Session

from config.texts import fill
from errors import NotFound
from handlers.chat_commands.request import CommandReply, CommandRequest, parse_row_id
from models.durable import OutboxItem, WorkState
from models.flows import FlowRun

END: Final = "结束"
ALL: Final = "全部"
MAX_SHOWN: Final = 20


async def flows(request: CommandRequest) -> CommandReply:
    """List the open flows of the account; 结束 编号 cancels one and notifies the person."""
    runs = await request.container.flow_runs.open([request.account])
    words = request.rest.split()
    if not words:
        lines = "\n".join(_line(request, run) for run in runs[-MAX_SHOWN:])
        return CommandReply(fill(request.texts.flow_list, runs=lines) if runs else request.texts.flow_none)
    number = parse_row_id(words[1]) if len(words) == 2 and words[0] == END else None
    if number is None:
        return request.usage_error()
    unknown = fill(request.texts.flow_end_unknown, id=number)
    if number not in {run.id for run in runs}:
        return CommandReply(unknown)

    def end(session: Session) -> str:
        try:
            run = request.container.flow_runs.cancel(session, number, request.actor)
        except NotFound:
            return unknown
        return fill(request.texts.flow_end_done, id=number, flow=run.flow)

    return CommandReply(act=end)


async def resend(request: CommandRequest) -> CommandReply:
    """List the deliveries that failed finally; 编号 or 全部 sends them again."""
    failed = await request.container.webhooks.newest_events(WorkState.FAILED)
    if not request.rest:
        lines = "\n".join(_event_line(request, item) for item in failed[:MAX_SHOWN])
        return CommandReply(fill(request.texts.resend_list, events=lines) if failed else request.texts.resend_none)
    number = parse_row_id(request.rest)
    if number is None and request.rest != ALL:
        return request.usage_error()
    ids = [item.id or 0 for item in reversed(failed) if number in (None, item.id)]  # oldest first
    if not ids:
        return CommandReply(fill(request.texts.resend_unknown, id=number) if number else request.texts.resend_none)

    def again(session: Session) -> str:
        for item_id in ids:
            request.container.webhooks.send_again(session, item_id, request.actor)
        return fill(request.texts.resend_done, count=len(ids))

    return CommandReply(act=again)


def _line(request: CommandRequest, run: FlowRun) -> str:
    contact = request.container.accounts.get(request.account).directory.contacts.get(run.person)
    person = contact.name if contact and contact.name else run.person
    state = request.container.flows.describe_state(run)
    return fill(
        request.texts.flow_line,
        id=run.id,
        flow=run.flow,
        person=person,
        state=state,
        since=_format_moment(request, run.started_at),
    )


def _event_line(request: CommandRequest, item: OutboxItem) -> str:
    kind, at = json.loads(item.body)["type"], _format_moment(request, item.done_at or item.created_at)
    return fill(request.texts.resend_line, id=item.id, type=kind, at=at, error=item.error)


def _format_moment(request: CommandRequest, moment: float) -> str:
    return datetime.fromtimestamp(moment, request.container.zone).strftime("%m-%d %H:%M")
