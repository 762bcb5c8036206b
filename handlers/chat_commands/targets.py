"""Identifies the members a command is about: by the ids of mentions, else by name; ambiguous names are an error."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from config.texts import fill
from handlers.chat_commands.request import CommandRequest
from wechat.entities import Contact
from wechat.mentions import SEPARATOR as END
from wechat.mentions import possible_names

log = logging.getLogger(__name__)
T = TypeVar("T")
Names = dict[str, set[str]]  # name -> ids
NAMES_TIMEOUT: Final = 5.0  # seconds; every member is read
ID_SUFFIX_LENGTH: Final = 4  # last characters of an id, which distinguish people with the same name
BLANKS: Final = " \u3000"
_AT: Final = re.compile(rf"@[^@{END}]*{END}")
_MARK: Final = re.compile(r"(?<!\S)@")


@dataclass(frozen=True, slots=True)
class Targets:
    """The people and the rest of the text, or the reply if there is a problem."""

    people: tuple[Contact, ...] = ()
    rest: str = ""
    problem: str = ""


async def find_targets(request: CommandRequest, *, former: Collection[str] = ()) -> Targets:
    """Return the members named in a command; if there is none of a name, look among `former` (former members)."""
    reported = _reported_mentions(request)
    if not reported or len(reported) < len(_MARK.findall(request.rest)):  # the gateway did not report all mentions
        return await _parse_names(request, _members(request), former, reported)
    if set(reported) - _members(request):  # the gateway may not have reported a join
        for room in request.rooms:
            await request.container.reconcile.try_room(request.account, room.id)
    wechat = request.container.accounts.get(request.account)
    people = tuple([await wechat.contact(contact_id) for contact_id in reported])
    candidates = {*_members(request), *former}
    absent = next((person for person in people if person.id not in candidates), None)
    if absent is not None:
        return Targets(problem=fill(request.texts.person_unknown, name=absent.name))
    return Targets(people, _without_mentions(request.rest, people))


def _members(request: CommandRequest) -> set[str]:
    return set[str]().union(*(room.member_ids for room in request.rooms))


def _reported_mentions(request: CommandRequest) -> list[str]:
    """Return the reported mentions except the assistant. An @ of everyone is reported as an unknown id."""
    wechat = request.container.accounts.get(request.account)
    candidates = _members(request) | wechat.directory.contacts.keys()
    return list(dict.fromkeys(id for id in request.mentions if id in candidates and id != wechat.self_id))


async def _parse_names(
    request: CommandRequest, members: Collection[str], former: Collection[str], reported: Collection[str]
) -> Targets:
    """Parse the leading names, all but the first with an @. The assistant's own name is skipped."""
    own_id = request.container.accounts.get(request.account).self_id
    names_shown = await _shown_names(request) if request.room_id else []
    people: dict[str, Contact] = {}
    rest = request.rest
    while not people or rest.startswith("@"):
        rest = rest.lstrip(BLANKS).removeprefix("@").lstrip(BLANKS)
        if not rest:
            return Targets(problem=request.usage_error().text)
        name, matching = await _leading_name(request, rest, members, former, names_shown)
        matching = [person for person in matching if person.id in reported] or matching
        if not matching:
            return Targets(problem=fill(request.texts.person_unknown, name=name))
        if len(matching) > 1:
            return Targets(problem=describe(request, name, matching))
        if matching[0].id != own_id:
            people[matching[0].id] = matching[0]
        rest = rest.removeprefix(name).strip(f"{END}{BLANKS}\n")
    return Targets(tuple(people.values()), rest)


async def _shown_names(request: CommandRequest) -> list[Names]:
    """Return the names shown in the group's rooms, as used in mentions; [] if the gateway takes too long."""
    wechat = request.container.accounts.get(request.account)
    try:
        async with asyncio.timeout(NAMES_TIMEOUT):
            return [await wechat.names_in(room.id) for room in request.rooms]
    except TimeoutError:
        log.warning("group %s: could not read the names of its members in time", request.number)
        return []


async def _leading_name(
    request: CommandRequest, text: str, members: Collection[str], former: Collection[str], names_shown: Sequence[Names]
) -> tuple[str, list[Contact]]:
    """Return the leading name and the people it may refer to.

    Names include nicknames, aliases and names in the group; in private the latter only if the others do not match.
    """
    wechat = request.container.accounts.get(request.account)

    def called(name: str) -> list[str]:
        people = wechat.directory.find(name, among=members)
        ids = [person.id for person in people]
        if not any(name in (person.id, person.weixin) for person in people):
            ids += [id for names in names_shown for id in names.get(name, ()) if id in members]
        return list(dict.fromkeys(ids))

    def ids_of(name: str) -> list[str]:
        return called(name) or with_id_suffix(name, called, str)

    name, ids = _first(text, ids_of)
    if not ids and not names_shown:
        names_shown = await _shown_names(request)
        name, ids = _first(text, ids_of)
    if not ids and former:
        name, matching = _first(text, lambda name: wechat.directory.find(name, among=former))
        return name, matching
    return name, [await wechat.contact(contact_id) for contact_id in ids]


def _first(text: str, find: Callable[[str], list[T]]) -> tuple[str, list[T]]:
    """Return the first possible reading of the name that matches someone, else the last one."""
    name, matching = text[:20], list[T]()
    for name in possible_names(text):
        if matching := find(name):
            break
    return name, matching


def with_id_suffix(name: str, find: Callable[[str], list[T]], id_of: Callable[[T], str]) -> list[T]:
    """Return the people found by a name followed by the end of their id, which is how `describe` shows them."""
    shared, _, tail = name.rpartition(" ")
    if not shared or len(tail) != ID_SUFFIX_LENGTH:
        return []
    return [match for match in find(shared) if id_of(match).endswith(tail)]


def describe(request: CommandRequest, name: str, people: Sequence[Contact]) -> str:
    """Return the reply that a name is ambiguous, with the people it matches."""
    no_name = request.texts.nothing
    lines = [
        fill(
            request.texts.person_line,
            name=person.name,
            alias=person.alias or no_name,
            weixin=person.weixin or no_name,
            tail=person.id[-ID_SUFFIX_LENGTH:],
        )
        for person in people
    ]
    return fill(request.texts.person_ambiguous, name=name, people="\n".join(lines))


def _without_mentions(text: str, people: Sequence[Contact]) -> str:
    """Remove the mentions from a command."""
    text = _AT.sub(" ", text)
    for person in people:
        for name in (person.name, person.alias):
            if name:
                text = text.replace(f"@{name}", " ")
    return " ".join(word for word in text.split() if not word.startswith("@"))
