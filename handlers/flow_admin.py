"""/流程 and /重发: an admin sees and ends the flows under way, and sends again what business systems did not take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from errors import NotFound
from handlers.turn import Turn
from models.durable import OutboxItem, WorkState
from models.flows import FlowRun
from texts import fill
from wechat.events import MessageKind, PrivateMessage

FLOWS = "/流程"
END = "结束"
RESEND = "/重发"
ALL = "全部"
MOST_SHOWN = 20


async def command(event: PrivateMessage, turn: Turn) -> bool:
    """Take /流程 and /重发."""
    words = event.text.split()
    if event.kind is not MessageKind.TEXT or turn.is_old or not words or words[0] not in (FLOWS, RESEND):
        return False
    if not turn.house.accounts.is_admin(event.account, event.contact_id):
        turn.reply(turn.house.config.texts.not_allowed)
    elif words[0] == FLOWS:
        await flows(turn, words[1:])
    else:
        await resend(turn, words[1:])
    return True


async def flows(turn: Turn, words: Sequence[str]) -> None:
    """/流程 lists what is under way on this account; /流程 结束 编号 ends one."""
    texts = turn.house.config.texts
    runs = [run for run in await turn.house.flows.open_runs() if run.account == turn.event.account]
    if not words:
        lines = "\n".join(_line(turn, run) for run in runs[-MOST_SHOWN:])
        turn.reply(fill(texts.flow_list, runs=lines) if runs else texts.flow_none)
        return
    number = _number(words[1]) if len(words) == 2 and words[0] == END else None
    if number is None:
        turn.reply(texts.flow_usage)
        return
    run = next((run for run in runs if run.id == number), None)
    if run is None:
        turn.reply(fill(texts.flow_end_unknown, id=number))
        return
    turn.write(lambda s: turn.house.flows.end(s, number))
    turn.reply(fill(texts.flow_end_done, id=number, flow=run.flow))


async def resend(turn: Turn, words: Sequence[str]) -> None:
    """/重发 lists what was given up; /重发 编号 and /重发 全部 send it again."""
    texts, webhooks = turn.house.config.texts, turn.house.webhooks
    failed = await webhooks.listed(WorkState.FAILED)
    if not words:
        lines = "\n".join(_event_line(turn, item) for item in failed[:MOST_SHOWN])
        turn.reply(fill(texts.resend_list, events=lines) if failed else texts.resend_none)
        return
    number = _number(words[0])
    if len(words) != 1 or (number is None and words[0] != ALL):
        turn.reply(texts.resend_usage)
        return
    ids = [item.id for item in reversed(failed) if number is None or item.id == number]  # the oldest first
    try:
        for item_id in ids:
            await webhooks.resend(item_id or 0)
    except NotFound:
        ids = []
    if ids:
        turn.reply(fill(texts.resend_done, count=len(ids)))
    else:
        turn.reply(fill(texts.resend_unknown, id=number) if number is not None else texts.resend_none)


def _number(word: str) -> int | None:
    digits = word.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 18 else None


def _line(turn: Turn, run: FlowRun) -> str:
    contact = turn.wechat.directory.contacts.get(run.person)
    person = contact.name if contact and contact.name else run.person
    texts, state = turn.house.config.texts, turn.house.flows.state_words(run)
    return fill(texts.flow_line, id=run.id, flow=run.flow, person=person, state=state, since=_at(turn, run.started_at))


def _event_line(turn: Turn, item: OutboxItem) -> str:
    kind = json.loads(item.body)["type"]
    at = _at(turn, item.done_at or item.created_at)
    return fill(turn.house.config.texts.resend_line, id=item.id, type=kind, at=at, error=item.error)


def _at(turn: Turn, moment: float) -> str:
    return datetime.fromtimestamp(moment, turn.house.zone).strftime("%m-%d %H:%M")
