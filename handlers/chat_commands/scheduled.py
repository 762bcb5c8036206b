"""/定时 /群发: timed messages and broadcasts."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Final

from sqlmodel import Session

from config.texts import fill
from errors import NotFound
from handlers.chat_commands.request import MAX_TEXT, CommandReply, CommandRequest, first_word, parse_row_id
from handlers.chat_commands.words import ADD, CANCEL, DROP
from models.rules import Broadcast
from services.outreach.broadcasts import CONFIRM_MINUTES
from services.outreach.chinese_times import cron_of
from services.outreach.timed_messages import MAX_PER_GROUP, TooManyTimed, invalid_fields

CRON_FIELDS: Final = 5
MAX_LISTED: Final = 10
MAX_SHOWN: Final = 20  # characters of a broadcast in the list


async def timed(request: CommandRequest) -> CommandReply:
    """List a group's timed messages, add one, or delete one."""
    if not request.rest:
        return await _list_timed(request)
    action, argument = first_word(request.rest)
    if action == DROP and (timed_id := parse_row_id(argument)) is not None:
        return _remove(request, timed_id)
    spoken = cron_of(argument if action == ADD else request.rest)
    if spoken is not None:
        action, (cron, text) = ADD, spoken
        argument = f"{cron} {text}"
    *fields, text = argument.split(None, CRON_FIELDS) or [""]
    if action != ADD or len(fields) != CRON_FIELDS:
        return request.usage_error()
    if len(text) > MAX_TEXT:
        return CommandReply(fill(request.texts.too_long, most=MAX_TEXT))
    return _add(request, unicodedata.normalize("NFKC", " ".join(fields)), text)


def _add(request: CommandRequest, cron: str, text: str) -> CommandReply:
    try:
        due = request.container.timed_messages.next(cron)
    except ValueError:
        return CommandReply(fill(request.texts.timed_bad, why=_invalid_fields(request, cron), usage=request.usage))
    if due is None:
        return CommandReply(fill(request.texts.timed_bad, why=request.texts.timed_never, usage=request.usage))

    def act(session: Session) -> str:
        try:
            row = request.container.timed_messages.add(session, request.group, cron, text, request.actor)
        except TooManyTimed:
            return fill(request.texts.timed_too_many, most=MAX_PER_GROUP)
        return fill(request.texts.timed_added, id=row.id, next=_format_time(request, row.next_at))

    return CommandReply(act=act)


def _invalid_fields(request: CommandRequest, cron: str) -> str:
    """Name the invalid fields of a crontab line."""
    names, parts = request.texts.timed_parts.split(), cron.split()
    errors = [
        fill(request.texts.timed_part, value=parts[place], name=names[place] if place < len(names) else "")
        for place in invalid_fields(cron, request.container.zone)
    ]
    return "，".join(errors)


def _remove(request: CommandRequest, timed_id: int) -> CommandReply:
    def act(session: Session) -> str:
        try:
            request.container.timed_messages.remove(session, timed_id, request.actor, request.group.number)
        except NotFound:
            return fill(request.texts.timed_unknown, id=timed_id)
        return fill(request.texts.timed_removed, id=timed_id)

    return CommandReply(act=act)


async def _list_timed(request: CommandRequest) -> CommandReply:
    rows = await request.container.timed_messages.of(request.group)
    lines = "\n".join(
        fill(
            request.texts.timed_line, id=row.id, cron=row.cron, next=_format_time(request, row.next_at), words=row.text
        )
        for row in rows
    )
    return CommandReply(
        fill(request.texts.timed_shown, topic=request.group.topic, lines=lines or request.texts.nothing)
    )


def _format_time(request: CommandRequest, at: float) -> str:
    return f"{datetime.fromtimestamp(at, request.container.zone):%Y-%m-%d %H:%M}"


async def broadcast(request: CommandRequest) -> CommandReply:
    """Store a broadcast and show it with the number of groups, until it is confirmed."""
    if not request.rest:
        return request.usage_error()
    action, number = first_word(request.rest)
    if action == CANCEL and not number:
        return await _unfinished(request)
    if action == CANCEL and (broadcast_id := parse_row_id(number)) is not None:
        return _cancel(request, broadcast_id)
    if len(request.rest) > 4 * MAX_TEXT:
        return CommandReply(fill(request.texts.too_long, most=4 * MAX_TEXT))
    count = request.container.broadcast_targets.group_count(request.account)
    if not count:
        return CommandReply(request.texts.broadcast_no_groups)

    def act(session: Session) -> str:
        request.container.broadcasts.ask(session, request.account, request.sender_id, request.rest)
        return fill(request.texts.broadcast_asked, count=count, words=request.rest, minutes=CONFIRM_MINUTES)

    return CommandReply(act=act)


async def _unfinished(request: CommandRequest) -> CommandReply:
    """List the broadcasts that can be cancelled."""
    sent = request.container.sent_broadcasts
    rows = await request.container.store.read(lambda s: sent.unfinished(s, request.account, MAX_LISTED))
    lines = [
        fill(
            request.texts.broadcast_line,
            id=row.id,
            at=_format_time(request, row.run_at or row.created_at),
            words=_first_line(row),
        )
        for row in rows
    ]
    return CommandReply(fill(request.texts.broadcasts_unfinished, lines="\n".join(lines) or request.texts.nothing))


def _first_line(row: Broadcast) -> str:
    line = " ".join(row.text.split())
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…"


def _cancel(request: CommandRequest, broadcast_id: int) -> CommandReply:
    def act(session: Session) -> str:
        try:
            count = request.container.sent_broadcasts.cancel(session, broadcast_id, request.actor)
        except NotFound:
            return fill(request.texts.broadcast_unknown, id=broadcast_id)
        if not count:
            return fill(request.texts.broadcast_finished, id=broadcast_id)
        return fill(request.texts.broadcast_stopped, id=broadcast_id, count=count)

    return CommandReply(act=act)
