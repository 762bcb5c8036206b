"""Which members a command means: by the ids WeChat gives for its @s, else by name, never by guess."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from config.texts import fill
from services.commands.ask import Ask
from wechat.events import Contact
from wechat.mentions import SEPARATOR as END
from wechat.mentions import readings

log = logging.getLogger(__name__)
T = TypeVar("T")
Names = dict[str, set[str]]  # name -> ids
SHOWN_WITHIN: Final = 5.0  # seconds: every member is asked for
TAIL: Final = 4  # characters of an id that tell people apart
BLANKS: Final = " \u3000"
_AT: Final = re.compile(rf"@[^@{END}]*{END}")
_MARK: Final = re.compile(r"(?<!\S)@")


@dataclass(frozen=True, slots=True)
class Meant:
    """The people, and what was said besides; or what is wrong with it."""

    people: tuple[Contact, ...] = ()
    rest: str = ""
    problem: str = ""


async def meant(ask: Ask, *, once: Collection[str] = ()) -> Meant:
    """The members of the group whom the command names; where there is none of that name, who was `once` one."""
    told = _told(ask)
    if not told or len(told) < len(_MARK.findall(ask.rest)):  # not all of them
        return await _named(ask, _members(ask), once, told)
    if set(told) - _members(ask):  # joins are not always told
        for room in ask.rooms:
            await ask.house.reconcile.try_room(ask.account, room.id)
    wechat = ask.house.accounts.get(ask.account)
    people = tuple([await wechat.contact(contact_id) for contact_id in told])
    there = {*_members(ask), *once}
    absent = next((person for person in people if person.id not in there), None)
    if absent is not None:
        return Meant(problem=fill(ask.texts.person_unknown, name=absent.name))
    return Meant(people, _without_ats(ask.rest, people))


def _members(ask: Ask) -> set[str]:
    return set[str]().union(*(room.member_ids for room in ask.rooms))


def _told(ask: Ask) -> list[str]:
    """The ids told with the command, without the assistant's; an @ of all is told as an id that is nobody's."""
    wechat = ask.house.accounts.get(ask.account)
    known = _members(ask) | wechat.directory.contacts.keys()
    return list(dict.fromkeys(one for one in ask.mentions if one in known and one != wechat.self_id))


async def _named(ask: Ask, members: Collection[str], once: Collection[str], told: Collection[str]) -> Meant:
    """Those whose names come first, all but the first of them with an @; the assistant's own is passed over."""
    me = ask.house.accounts.get(ask.account).self_id
    shown = await _shown(ask) if ask.room_id else []
    people: dict[str, Contact] = {}
    words = ask.rest
    while not people or words.startswith("@"):
        words = words.lstrip(BLANKS).removeprefix("@").lstrip(BLANKS)
        if not words:
            return Meant(problem=ask.misuse().words)
        name, found = await _called(ask, words, members, once, shown)
        found = [person for person in found if person.id in told] or found
        if not found:
            return Meant(problem=fill(ask.texts.person_unknown, name=name))
        if len(found) > 1:
            return Meant(problem=describe(ask, name, found))
        if found[0].id != me:
            people[found[0].id] = found[0]
        words = words.removeprefix(name).strip(f"{END}{BLANKS}\n")
    return Meant(tuple(people.values()), words)


async def _shown(ask: Ask) -> list[Names]:
    """Who is called what in the group's rooms: what an @ writes. Nothing where the gateway takes too long to tell."""
    wechat = ask.house.accounts.get(ask.account)
    try:
        async with asyncio.timeout(SHOWN_WITHIN):
            return [await wechat.names_in(room.id) for room in ask.rooms]
    except TimeoutError:
        log.warning("group %s: the names in it could not be read in time", ask.number)
        return []


async def _called(
    ask: Ask, words: str, members: Collection[str], once: Collection[str], shown: Sequence[Names]
) -> tuple[str, list[Contact]]:
    """The name that the words begin with, and whose it may be: by what is known of everybody, and by what they are
    called in the group; in private by the latter only where the former is nobody's."""
    wechat = ask.house.accounts.get(ask.account)

    def called(name: str) -> list[str]:
        people = wechat.directory.find(name, among=members)
        ids = [person.id for person in people]
        if not any(name in (person.id, person.weixin) for person in people):
            ids += [who for names in shown for who in names.get(name, ()) if who in members]
        return list(dict.fromkeys(ids))

    def ids_of(name: str) -> list[str]:
        return called(name) or with_tail(name, called, str)

    name, ids = _first(words, ids_of)
    if not ids and not shown:
        shown = await _shown(ask)
        name, ids = _first(words, ids_of)
    if not ids and once:
        name, found = _first(words, lambda name: wechat.directory.find(name, among=once))
        return name, found
    return name, [await wechat.contact(contact_id) for contact_id in ids]


def _first(words: str, find: Callable[[str], list[T]]) -> tuple[str, list[T]]:
    """The first reading of a name that stands for somebody, and for whom; else the last one."""
    name, found = words[:20], list[T]()
    for name in readings(words):
        if found := find(name):
            break
    return name, found


def with_tail(name: str, find: Callable[[str], list[T]], id_of: Callable[[T], str]) -> list[T]:
    """Of those who share a name, whose id ends as what stands behind it: how they are told apart by `describe`."""
    shared, _, tail = name.rpartition(" ")
    return [one for one in find(shared) if id_of(one).endswith(tail)] if shared and len(tail) == TAIL else []


def describe(ask: Ask, name: str, people: Sequence[Contact]) -> str:
    """That a name stands for several people, with what tells them apart."""
    nothing = ask.texts.nothing
    lines = [
        fill(
            ask.texts.person_line,
            name=person.name,
            alias=person.alias or nothing,
            weixin=person.weixin or nothing,
            tail=person.id[-TAIL:],
        )
        for person in people
    ]
    return fill(ask.texts.person_ambiguous, name=name, people="\n".join(lines))


def _without_ats(words: str, people: Sequence[Contact]) -> str:
    """What is left of a command without its @s."""
    words = _AT.sub(" ", words)
    for person in people:
        for name in (person.name, person.alias):
            if name:
                words = words.replace(f"@{name}", " ")
    return " ".join(word for word in words.split() if not word.startswith("@"))
