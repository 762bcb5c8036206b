"""/踢 /警告 /拉黑 /解除拉黑: what befalls members, who are found by their WeChat ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from config.texts import fill
from errors import BotError, WeChatError
from models.groups import Standing
from services.commands.ask import Answer, Ask, why
from services.commands.meant import Meant, describe, meant, with_tail
from wechat.events import Contact


@dataclass(frozen=True, slots=True)
class _Tried:
    """What came of taking people out: those who are out, and a line for each who is not."""

    out: tuple[Contact, ...]
    failures: tuple[str, ...]


async def kick(ask: Ask) -> Answer:
    """Take people out; they may come again."""
    found = await _victims(ask)
    if found.problem:
        return Answer(found.problem)
    tried = await _take_out(ask, found.people)
    return Answer(_lines(ask.texts.kicked, tried.out, tried.failures))


async def warn(ask: Ask) -> Answer:
    """Warn people as the guard does, with an @ in the group and up the same ladder."""
    found = await _victims(ask)
    if found.problem:
        return Answer(found.problem)
    reason = found.rest or ask.texts.reason_command
    qun, ladder, limit = ask.group, ask.house.ladder, ask.house.config.groups.warn_limit

    def act(session: Session) -> str:
        lines = []
        for person in found.people:
            room = ask.house.groups.room_of(qun, person.id)
            where = room.id if room else ask.room_id
            count = ladder.warn(session, qun, where, person.id, person.name, reason, ask.actor)
            if count >= limit:
                lines.append(fill(ask.texts.banned_by_limit, name=person.name, limit=limit))
            elif where != ask.room_id:  # else the warning itself, with its @, is the answer
                lines.append(fill(ask.texts.warned_by_command, name=person.name, count=count, limit=limit))
        return "\n".join(lines)

    return Answer(act=act)


async def blacklist(ask: Ask) -> Answer:
    """Take people out, and out again whenever they come back; also who has gone already."""
    found = await _victims(ask, once=await ask.house.memberships.once_in(ask.group))
    if found.problem:
        return Answer(found.problem)
    reason = found.rest or ask.texts.reason_command

    def keep(session: Session) -> None:
        for person in found.people:
            ask.house.ladder.blacklist(session, ask.group, person.id, person.name, reason, ask.actor)

    await ask.house.store.write(keep)  # first of all: whoever is out must not be let in again meanwhile
    tried = await _take_out(ask, found.people)
    return Answer(_lines(ask.texts.blacklisted_done, found.people, tried.failures))


async def forgive(ask: Ask) -> Answer:
    """Take somebody off the blacklist, by the name they had or have; their warnings are forgotten."""
    name = ask.rest.lstrip("@").strip().rstrip("\u2005")
    if not name:
        return ask.misuse()
    listed = await ask.house.ladder.blacklisted(ask.group)
    directory = ask.house.accounts.get(ask.account).directory

    def called(name: str) -> list[Standing]:
        return [row for row in listed if name in _names(row, directory.contacts.get(row.contact_id))]

    found = [row for row in listed if row.contact_id == name] or called(name)
    found = found or with_tail(name, called, lambda row: row.contact_id)
    if not found:
        names = "、".join(row.name or row.contact_id[-4:] for row in listed) or ask.texts.nothing
        return Answer(fill(ask.texts.not_blacklisted, name=name, names=names))
    if len(found) > 1:
        people = [directory.contacts.get(row.contact_id) or Contact(row.contact_id, row.name) for row in found]
        return Answer(describe(ask, name, people))

    def act(session: Session) -> str:
        ask.house.ladder.forgive(session, ask.group, found[0].contact_id, ask.actor)
        return fill(ask.texts.forgiven, name=found[0].name or name)

    return Answer(act=act)


def _names(row: Standing, contact: Contact | None) -> set[str]:
    now = {contact.name, contact.alias, contact.weixin} if contact else set()
    return {row.name, *now} - {""}


async def _victims(ask: Ask, *, once: Collection[str] = ()) -> Meant:
    """The people a command is about; none of them may be out of its reach."""
    if not ask.rooms:
        return Meant(problem=fill(ask.texts.wechat_refused, why=ask.texts.refused_not_in_group))
    found = await meant(ask, once=once)
    spared = [person.name for person in found.people if ask.house.ladder.is_exempt(ask.group, person.id)]
    if spared:
        return Meant(problem=fill(ask.texts.person_exempt, name="、".join(spared)))
    return found


async def _take_out(ask: Ask, people: Iterable[Contact]) -> _Tried:
    out, failures = [], []
    for person in people:
        try:
            await ask.house.memberships.put_out(ask.group, person.id, ask.actor)
        except (WeChatError, BotError) as error:
            failures.append(fill(ask.texts.not_kicked, name=person.name, why=why(ask.texts, error)))
        else:
            out.append(person)
    return _Tried(tuple(out), tuple(failures))


def _lines(done: str, people: Sequence[Contact], failures: Sequence[str]) -> str:
    first = [fill(done, names="、".join(person.name for person in people))] if people else []
    return "\n".join([*first, *failures])
