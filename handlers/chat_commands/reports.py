"""/日报 /任务: daily report of a group, and scheduled jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlmodel import Session

from config.texts import Texts, fill
from handlers.chat_commands.request import CommandReply, CommandRequest
from services.groups.drift_check import RESULT
from services.upkeep.job_log import NEW, JobRun
from services.upkeep.pruning import REFUSED

NAME: Final = "/日报"
ON: Final = "开"
OFF: Final = "关"


async def report(request: CommandRequest) -> CommandReply:
    """Subscribe the group's owner to the daily report, or unsubscribe them."""
    if request.rest not in (ON, OFF):
        return request.usage_error()

    def act(session: Session) -> str:
        request.container.groups.patch(session, request.group.number, wants_report=request.rest == ON)
        request.record(session, "report", wanted=request.rest)
        reply = request.texts.report_on if request.rest == ON else request.texts.report_off
        number = "" if request.room_id else f"{request.group.number} "
        return fill(reply, topic=request.group.topic, command=f"{NAME} {number}{OFF}")

    return CommandReply(act=act)


async def jobs(request: CommandRequest) -> CommandReply:
    """List the jobs with their last and next runs."""
    return CommandReply(
        "\n".join(_line(request, name) for name in request.container.job_log.names) or request.texts.job_none
    )


def _line(request: CommandRequest, name: str) -> str:
    job_log, texts = request.container.job_log, request.texts
    run = job_log.last.get(name)
    if run is not None and run.result == NEW:
        run = None
    result = "" if run is None else _result(texts, run)
    last = "—" if run is None else _format_time(request, run.at)
    shown = getattr(texts, f"job_{name}", name)
    return fill(texts.job_line, name=shown, last=last, result=result, next=_format_time(request, job_log.next_at(name)))


def _result(texts: Texts, run: JobRun) -> str:
    """Word the stored result of a run."""
    if not run.ok:
        return fill(texts.job_failed, error=run.result)
    if run.result == REFUSED:
        return texts.job_refused
    if match := RESULT.fullmatch(run.result):
        return fill(texts.job_rooms, **match.groupdict())
    return fill(texts.job_count, count=run.result) if run.result.strip("0") else texts.job_nothing


def _format_time(request: CommandRequest, seconds: float | None) -> str:
    return "—" if seconds is None else datetime.fromtimestamp(seconds, request.container.zone).strftime("%m-%d %H:%M")
