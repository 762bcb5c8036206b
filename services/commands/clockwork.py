"""/定时 /群发: what is said later, again and again, or everywhere."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Final

from sqlmodel import Session

from config.texts import fill
from services.broadcasts import MINUTES
from services.commands.ask import MOST, Answer, Ask, first_word, whole
from services.commands.words import ADD, DROP
from services.timed import wrong_parts

MOST_TIMED: Final = 20
CRON_FIELDS: Final = 5


async def timed(ask: Ask) -> Answer:
    """A group's timed messages: listed, one added, one dropped."""
    if not ask.rest:
        return await _listed(ask)
    what, words = first_word(ask.rest)
    if what == DROP and (timed_id := whole(words)) is not None:
        return _drop(ask, timed_id)
    *fields, text = words.split(None, CRON_FIELDS) or [""]
    if what != ADD or len(fields) != CRON_FIELDS:
        return ask.misuse()
    if len(text) > MOST:
        return Answer(fill(ask.texts.too_long, most=MOST))
    if len(await ask.house.timed.of(ask.group)) >= MOST_TIMED:
        return Answer(fill(ask.texts.timed_too_many, most=MOST_TIMED))
    return _add(ask, unicodedata.normalize("NFKC", " ".join(fields)), text)


def _add(ask: Ask, cron: str, text: str) -> Answer:
    try:
        due = ask.house.timed.next(cron)
    except ValueError:
        return Answer(fill(ask.texts.timed_bad, why=_wrong(ask, cron), usage=ask.usage))
    if due is None:
        return Answer(fill(ask.texts.timed_bad, why=ask.texts.timed_never, usage=ask.usage))

    def act(session: Session) -> str:
        timed_id = ask.house.timed.add(session, ask.group, cron, text, ask.who, due)
        ask.note(session, "timed", str(timed_id), cron=cron)
        return fill(ask.texts.timed_added, id=timed_id, next=_when(ask, due))

    return Answer(act=act)


def _wrong(ask: Ask, cron: str) -> str:
    """Which part of a crontab line cannot be meant."""
    names, parts = ask.texts.timed_parts.split(), cron.split()
    wrong = [
        fill(ask.texts.timed_part, value=parts[place], name=names[place] if place < len(names) else "")
        for place in wrong_parts(cron, ask.house.zone)
    ]
    return "，".join(wrong)


def _drop(ask: Ask, timed_id: int) -> Answer:
    def act(session: Session) -> str:
        if not ask.house.timed.remove(session, ask.group, timed_id):
            return fill(ask.texts.timed_unknown, id=timed_id)
        ask.note(session, "timed_dropped", str(timed_id))
        return fill(ask.texts.timed_removed, id=timed_id)

    return Answer(act=act)


async def _listed(ask: Ask) -> Answer:
    rows = await ask.house.timed.of(ask.group)
    lines = "\n".join(
        fill(ask.texts.timed_line, id=row.id, cron=row.cron, next=_when(ask, row.next_at), words=row.text)
        for row in rows
    )
    return Answer(fill(ask.texts.timed_shown, topic=ask.group.topic, lines=lines or ask.texts.nothing))


def _when(ask: Ask, at: float) -> str:
    return f"{datetime.fromtimestamp(at, ask.house.zone):%Y-%m-%d %H:%M}"


async def broadcast(ask: Ask) -> Answer:
    """A text for every group of the assistant: kept, and shown with what it would do, until it is confirmed."""
    if not ask.rest:
        return ask.misuse()
    if len(ask.rest) > 4 * MOST:
        return Answer(fill(ask.texts.too_long, most=4 * MOST))
    count = ask.house.broadcasts.groups(ask.account)
    if not count:
        return Answer(ask.texts.broadcast_no_groups)

    def act(session: Session) -> str:
        ask.house.broadcasts.ask(session, ask.account, ask.who, ask.rest)
        return fill(ask.texts.broadcast_asked, count=count, words=ask.rest, minutes=MINUTES)

    return Answer(act=act)
