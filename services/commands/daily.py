"""/日报 /任务: the morning report of a group, and what the clock does."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlmodel import Session

from config.texts import fill
from services.commands.ask import Answer, Ask
from services.job_book import NEW

ON: Final = "开"
OFF: Final = "关"


async def report(ask: Ask) -> Answer:
    """The group's owner gets a report every morning, or no longer."""
    if ask.rest not in (ON, OFF):
        return ask.misuse()

    def act(session: Session) -> str:
        ask.house.groups.patch(session, ask.group.number, wants_report=ask.rest == ON)
        ask.note(session, "report", wanted=ask.rest)
        return fill(ask.texts.report_on if ask.rest == ON else ask.texts.report_off, topic=ask.group.topic)

    return Answer(act=act)


async def jobs(ask: Ask) -> Answer:
    """The jobs with their last and next runs."""
    return Answer("\n".join(_line(ask, name) for name in ask.house.job_book.names) or ask.texts.job_none)


def _line(ask: Ask, name: str) -> str:
    book = ask.house.job_book
    run = book.last.get(name)
    if run is not None and run.result == NEW:
        run = None
    went = "" if run is None else (run.result if run.ok else f"✗ {run.result}")
    last = "—" if run is None else _when(ask, run.at)
    return fill(ask.texts.job_line, name=name, last=last, result=went, next=_when(ask, book.next_at(name)))


def _when(ask: Ask, seconds: float | None) -> str:
    return "—" if seconds is None else datetime.fromtimestamp(seconds, ask.house.zone).strftime("%m-%d %H:%M")
