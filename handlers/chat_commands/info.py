"""/令牌 /换令牌 /群信息 /统计: information about a group, and its join token."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlmodel import Session

from config.texts import fill
from handlers.chat_commands.request import CommandReply, CommandRequest
from models.groups import Qun
from services.support.service_levels import described, opened_between

DAYS: Final = 14
DAY: Final = 86400.0


async def token(request: CommandRequest) -> CommandReply:
    """Show the join token, also in the group: it is meant to be shared, and the landing page shows it, too."""
    qun = request.group
    reply = fill(request.texts.token_shown, topic=qun.topic, token=qun.token, url=request.container.groups.url(qun))
    return CommandReply(reply + _until(request, qun.token_expires_at))


async def change_token(request: CommandRequest) -> CommandReply:
    """Replace the join token; the old one becomes invalid."""
    if request.rest:
        return request.usage_error()

    def act(session: Session) -> str:
        audit = request.container.audit
        qun = request.container.group_lifecycle.renew_token(session, audit, request.group, request.actor)
        return fill(request.texts.token_changed, topic=qun.topic, token=qun.token) + _until(
            request, qun.token_expires_at
        )

    return CommandReply(act=act)


def _until(request: CommandRequest, at: float | None) -> str:
    if at is None:
        return ""
    return "\n" + fill(
        request.texts.token_until, date=f"{datetime.fromtimestamp(at, request.container.zone):%Y-%m-%d %H:%M}"
    )


async def info(request: CommandRequest) -> CommandReply:
    """Show information about the group."""
    container, texts, qun = request.container, request.texts, request.group
    owner = container.accounts.get(qun.account).directory.contacts.get(qun.owner_id)
    reply = fill(
        texts.group_info,
        topic=qun.topic,
        number=qun.number,
        code=qun.code,
        state=getattr(texts, f"state_{qun.state}"),
        owner=owner.name if owner else qun.owner,
        members=container.groups.member_count(qun),
        capacity=container.config.groups.capacity * max(1, len(container.groups.rooms(qun))),
        warn_limit=container.config.groups.warn_limit,
        blacklisted=len(await container.sanctions.blacklisted(qun)),
        welcome=_welcome(request, qun),
        url=container.groups.url(qun),
    )
    return CommandReply(reply)


def _welcome(request: CommandRequest, qun: Qun) -> str:
    welcome = request.container.config.groups.welcome if qun.welcome is None else qun.welcome
    return welcome or request.texts.nothing


async def statistics(request: CommandRequest) -> CommandReply:
    """Show the numbers of the last 14 days."""
    await request.container.daily_stats.drain()  # includes the message with this command
    qun, days = request.group, await request.container.daily_stats.days(request.group.number, DAYS)
    reply = fill(
        request.texts.statistics,
        topic=qun.topic,
        days=DAYS,
        lines="\n".join(f"{day.date[5:]} {day.joins} {day.leaves} {day.messages}" for day in days),
        joins=sum(day.joins for day in days),
        leaves=sum(day.leaves for day in days),
        messages=sum(day.messages for day in days),
        members=request.container.groups.member_count(qun),
    )
    container, now = request.container, request.container.clock()
    if not container.accounts.is_admin(qun.account, request.actor):
        return CommandReply(reply)
    tickets = await container.store.read(lambda s: opened_between(s, qun.account, now - DAYS * DAY, now))
    return CommandReply("\n".join(filter(None, [reply, described(tickets, request.texts)])))
