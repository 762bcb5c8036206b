"""/令牌 /换令牌 /群信息 /统计: what there is to know of a group, and its join token."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlmodel import Session

from config.texts import fill
from models.groups import Qun
from services.commands.ask import Answer, Ask
from services.groups import new_token

DAYS: Final = 14
DAY: Final = 86400.0


async def token(ask: Ask) -> Answer:
    """The join token, where it was asked for: it is made to be handed on, and the landing page shows it as well."""
    qun = ask.group
    words = fill(ask.texts.token_shown, topic=qun.topic, token=qun.token, url=ask.house.groups.url(qun))
    return Answer(words + _until(ask, qun.token_expires_at))


async def change_token(ask: Ask) -> Answer:
    """Another join token; the old one leads nowhere from now on."""
    if ask.rest:
        return ask.misuse()
    fresh, days = new_token(), ask.house.config.groups.token_days
    until = ask.house.clock() + days * DAY if days else None

    def act(session: Session) -> str:
        qun = ask.house.groups.patch(session, ask.group.number, token=fresh, token_expires_at=until)
        ask.note(session, "token")
        return fill(ask.texts.token_changed, topic=qun.topic, token=fresh) + _until(ask, until)

    return Answer(act=act)


def _until(ask: Ask, at: float | None) -> str:
    if at is None:
        return ""
    return "\n" + fill(ask.texts.token_until, date=f"{datetime.fromtimestamp(at, ask.house.zone):%Y-%m-%d %H:%M}")


async def info(ask: Ask) -> Answer:
    """What there is to know of a group."""
    house, texts, qun = ask.house, ask.texts, ask.group
    owner = house.accounts.get(qun.account).directory.contacts.get(qun.owner_id)
    words = fill(
        texts.group_info,
        topic=qun.topic,
        number=qun.number,
        code=qun.code,
        state=getattr(texts, f"state_{qun.state}"),
        owner=owner.name if owner else qun.owner,
        members=house.groups.member_count(qun),
        capacity=house.config.groups.capacity * max(1, len(house.groups.rooms(qun))),
        warn_limit=house.config.groups.warn_limit,
        blacklisted=len(await house.ladder.blacklisted(qun)),
        welcome=_welcome(ask, qun),
        url=house.groups.url(qun),
    )
    return Answer(words)


def _welcome(ask: Ask, qun: Qun) -> str:
    welcome = ask.house.config.groups.welcome if qun.welcome is None else qun.welcome
    return welcome or ask.texts.nothing


async def statistics(ask: Ask) -> Answer:
    """The numbers of the last 14 days."""
    await ask.house.tally.drain()  # this command, too, is something that was said
    qun, days = ask.group, await ask.house.tally.days(ask.group.number, DAYS)
    words = fill(
        ask.texts.statistics,
        topic=qun.topic,
        days=DAYS,
        lines="\n".join(f"{day.date[5:]} {day.joins} {day.leaves} {day.messages}" for day in days),
        joins=sum(day.joins for day in days),
        leaves=sum(day.leaves for day in days),
        messages=sum(day.messages for day in days),
        members=ask.house.groups.member_count(qun),
    )
    return Answer(words)
