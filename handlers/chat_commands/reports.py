"""/日报 /任务: daily report of a group, and scheduled jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlmodel import Session

from config.texts import fill
from handlers.chat_commands.request import CommandReply, CommandRequest
from services.upkeep.job_log import NEW

NAME: Final = "/日报"
ON: Final = "开"
OFF: Final = "关"


async def report(request: CommandRequest) -> CommandReply:
    """Subscribe the group's owner to the daily report, or unsubscribe them."""
    if request.rest not in (ON, OFF):
        return request.usage_error()

    def act(session: Session) -> str:
        request.container.groups.patch(session, request.group.number, wants_report=request.rest == ON)
        request.note(session, "report", wanted=request.rest)
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
    job_log = request.container.job_log
    run = job_log.last.get(name)
    if run is not None and run.result == NEW:
        run = None
    outcome = "" if run is None else (run.result if run.ok else f"✗ {run.result}")
    last = "—" if run is None else _format_time(request, run.at)
    times = (
        f"{getattr(request.texts, f'job_{name}', '')} {name}".strip()
    )  # the name is the one used in `jobs:` of the config
    return fill(
        request.texts.job_line, name=times, last=last, result=outcome, next=_format_time(request, job_log.next_at(name))
    )


def _format_time(request: CommandRequest, seconds: float | None) -> str:
    return "—" if seconds is None else datetime.fromtimestamp(seconds, request.container.zone).strftime("%m-%d %H:%M")
