"""Which members a command means: by the ids WeChat gives for its @s, else by name, never by guess."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.commands.ask import Ask
from texts import fill
from wechat.events import Contact

END: Final = "\u2005"  # what WeChat puts behind an @name
_AT: Final = re.compile(rf"@[^@{END}]*{END}")


@dataclass(frozen=True, slots=True)
class Meant:
    """The people, and what was said besides; or what is wrong with it."""

    people: tuple[Contact, ...] = ()
    rest: str = ""
    problem: str = ""


async def meant(ask: Ask) -> Meant:
    """The members of the group whom the command names."""
    wechat = ask.house.accounts.get(ask.account)
    ids = [contact_id for contact_id in ask.mentions if contact_id != wechat.self_id]
    if ids:
        people = tuple([await wechat.contact(contact_id) for contact_id in dict.fromkeys(ids)])
        return Meant(people, _without_ats(ask.rest, people))
    name, rest = _name(ask.rest)
    if not name:
        return Meant(problem=ask.misuse().words)
    members = set[str]().union(*(room.member_ids for room in ask.rooms)) - {wechat.self_id}
    found = wechat.directory.find(name, among=members)
    if not found and rest:  # a nickname with blanks in it
        found, rest = wechat.directory.find(f"{name} {rest}", among=members), ""
    if not found:
        return Meant(problem=fill(ask.texts.person_unknown, name=name))
    if len(found) > 1:
        return Meant(problem=describe(ask, name, found))
    return Meant((found[0],), rest)


def describe(ask: Ask, name: str, people: Sequence[Contact]) -> str:
    """That a name stands for several people, with what tells them apart."""
    nothing = ask.texts.nothing
    lines = [
        fill(
            ask.texts.person_line,
            name=person.name,
            alias=person.alias or nothing,
            weixin=person.weixin or nothing,
            tail=person.id[-4:],
        )
        for person in people
    ]
    return fill(ask.texts.person_ambiguous, name=name, people="\n".join(lines))


def _name(words: str) -> tuple[str, str]:
    """The name a command begins with, and what follows it."""
    words = words.lstrip("@ ")
    if END in words:
        name, _, rest = words.partition(END)
        return name.strip(), rest.strip()
    first, _, rest = words.partition(" ")
    return first.strip(), rest.strip()


def _without_ats(words: str, people: Sequence[Contact]) -> str:
    """What is left of a command without its @s."""
    words = _AT.sub(" ", words)
    for person in people:
        for name in (person.name, person.alias):
            if name:
                words = words.replace(f"@{name}", " ")
    return " ".join(word for word in words.split() if not word.startswith("@"))
