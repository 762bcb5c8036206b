"""/踢 /警告 /拉黑 /解除拉黑: sanctions against members, identified by WeChat id."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from config.texts import fill
from errors import BotError, WeChatError
from handlers.chat_commands.request import CommandReply, CommandRequest, describe_error
from handlers.chat_commands.targets import Targets, describe, find_targets, with_id_suffix
from models.groups import MemberRecord
from wechat.entities import Contact


@dataclass(frozen=True, slots=True)
class _RemovalResult:
    """Result of removing people: those removed, and a line for each failure."""

    out: tuple[Contact, ...]
    failures: tuple[str, ...]


async def kick(request: CommandRequest) -> CommandReply:
    """Remove people from the group; they may join again."""
    targets = await _selected_people(request)
    if targets.problem:
        return CommandReply(targets.problem)
    removal = await _remove_people(request, targets.people)
    return CommandReply(_lines(request.texts.kicked, removal.out, removal.failures))


async def warn(request: CommandRequest) -> CommandReply:
    """Warn people like the moderator does, with an @ in the group and the same limit."""
    targets = await _selected_people(request)
    if targets.problem:
        return CommandReply(targets.problem)
    reason = targets.rest or request.texts.reason_command
    qun, actions, limit = request.group, request.container.member_actions, request.container.config.groups.warn_limit

    def act(session: Session) -> str:
        lines = []
        for person in targets.people:
            room = request.container.groups.room_of(qun, person.id)
            room_id = room.id if room else request.room_id
            count = actions.warn(session, qun, person, reason, request.actor, room_id)
            if count >= limit:
                lines.append(fill(request.texts.banned_by_limit, name=person.name, limit=limit))
            elif room_id != request.room_id:  # in this room, the warning itself is the answer
                lines.append(fill(request.texts.warned_by_command, name=person.name, count=count, limit=limit))
        return "\n".join(lines)

    return CommandReply(act=act)


async def blacklist(request: CommandRequest) -> CommandReply:
    """Blacklist and remove people, including former members."""
    targets = await _selected_people(
        request, former=await request.container.membership_states.former_members(request.group)
    )
    if targets.problem:
        return CommandReply(targets.problem)
    reason = targets.rest or request.texts.reason_command

    def keep(session: Session) -> None:
        for person in targets.people:
            request.container.member_actions.blacklist(session, request.group, person, reason, request.actor)

    await request.container.store.write(keep)  # first, so that they cannot be added again during the removal
    removal = await _remove_people(request, targets.people)
    return CommandReply(_lines(request.texts.blacklisted_done, targets.people, removal.failures))


async def unblacklist(request: CommandRequest) -> CommandReply:
    """Remove someone from the blacklist, by a current or former name, and reset their warnings."""
    name = request.rest.lstrip("@").strip().rstrip("\u2005")
    if not name:
        return request.usage_error()
    listed = await request.container.sanctions.blacklisted(request.group)
    directory = request.container.accounts.get(request.account).directory

    def called(name: str) -> list[MemberRecord]:
        return [row for row in listed if name in _names(row, directory.contacts.get(row.contact_id))]

    matching = [row for row in listed if row.contact_id == name] or called(name)
    matching = matching or with_id_suffix(name, called, lambda row: row.contact_id)
    if not matching:
        names = "、".join(row.name or row.contact_id[-4:] for row in listed) or request.texts.nothing
        return CommandReply(fill(request.texts.not_blacklisted, name=name, names=names))
    if len(matching) > 1:
        people = [directory.contacts.get(row.contact_id) or Contact(row.contact_id, row.name) for row in matching]
        return CommandReply(describe(request, name, people))

    def act(session: Session) -> str:
        request.container.member_actions.unblacklist(session, request.group, matching[0].contact_id, request.actor)
        return fill(request.texts.forgiven, name=matching[0].name or name)

    return CommandReply(act=act)


def _names(row: MemberRecord, contact: Contact | None) -> set[str]:
    now = {contact.name, contact.alias, contact.weixin} if contact else set()
    return {row.name, *now} - {""}


async def _selected_people(request: CommandRequest, *, former: Collection[str] = ()) -> Targets:
    """Return the people a command is about; none of them may be exempt from sanctions."""
    if not request.rooms:
        return Targets(problem=fill(request.texts.wechat_refused, why=request.texts.refused_not_in_group))
    targets = await find_targets(request, former=former)
    exempt = [person.name for person in request.container.member_actions.exempt(request.group, targets.people)]
    if exempt:
        return Targets(problem=fill(request.texts.person_exempt, name="、".join(exempt)))
    return targets


async def _remove_people(request: CommandRequest, people: Iterable[Contact]) -> _RemovalResult:
    removed, failures = [], []
    for person in people:
        try:
            await request.container.member_actions.remove(request.group, person.id, request.actor)
        except (WeChatError, BotError) as error:
            failures.append(fill(request.texts.not_kicked, name=person.name, why=describe_error(request.texts, error)))
        else:
            removed.append(person)
    return _RemovalResult(tuple(removed), tuple(failures))


def _lines(done: str, people: Sequence[Contact], failures: Sequence[str]) -> str:
    first = [fill(done, names="、".join(person.name for person in people))] if people else []
    return "\n".join([*first, *failures])
