"""What people ask of the clock: /任务 shows admins the jobs, /日报 开|关 is for owners of groups."""

from __future__ import annotations

from datetime import datetime

from handlers.turn import Turn
from services.job_book import JobBook
from texts import fill
from wechat.events import MessageKind, PrivateMessage

JOBS = "/任务"
REPORT = "/日报"
ON, OFF = "开", "关"


async def jobs(event: PrivateMessage, turn: Turn) -> bool:
    """List the jobs with their last and next runs, to admins."""
    if event.kind is not MessageKind.TEXT or event.text.strip() != JOBS:
        return False
    texts, book = turn.house.config.texts, turn.house.job_book
    if not turn.house.accounts.is_admin(event.account, event.contact_id):
        turn.reply(texts.not_allowed)
        return True
    turn.reply("\n".join(_line(turn, book, name) for name in book.names) or texts.job_none)
    return True


def _line(turn: Turn, book: JobBook, name: str) -> str:
    run = book.last.get(name)
    went = "" if run is None else (run.result if run.ok else f"✗ {run.result}")
    last = _when(turn, run.at) if run is not None and run.result != "new" else "—"
    return fill(
        turn.house.config.texts.job_line, name=name, last=last, result=went, next=_when(turn, book.next_at(name))
    )


def _when(turn: Turn, seconds: float | None) -> str:
    return "—" if seconds is None else datetime.fromtimestamp(seconds, turn.house.zone).strftime("%m-%d %H:%M")


async def report(event: PrivateMessage, turn: Turn) -> bool:
    """Switch the morning report on or off for all groups the person owns."""
    words = event.text.split()
    if event.kind is not MessageKind.TEXT or not words or words[0] != REPORT:
        return False
    texts, groups = turn.house.config.texts, turn.house.groups
    own = [q.number for q in groups if q.account == event.account and q.owner_id == event.contact_id]
    if not own:
        turn.reply(texts.report_no_group)
    elif len(words) != 2 or words[1] not in (ON, OFF):
        turn.reply(texts.report_usage)
    else:
        for number in own:
            turn.write(lambda s, n=number: groups.patch(s, n, wants_report=words[1] == ON))  # type: ignore[misc]
        turn.reply(texts.report_on if words[1] == ON else texts.report_off)
    return True
