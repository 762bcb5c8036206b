"""Names of people and groups by id, as shown in the console."""

from __future__ import annotations

from typing import Final

from app.container import Container
from services.accounts.console_sessions import TERMINAL

MAX_FOUND: Final = 500
BY_ID: Final = ("person", "console")  # prefixes of who acted, before a WeChat id


def person_name(container: Container, contact_id: str) -> str:
    """Return the name of a person on any account that knows them, or ""."""
    for wechat in container.accounts:
        contact = wechat.directory.contacts.get(contact_id)
        if contact is not None and contact.name:
            return contact.alias or contact.name
    return ""


def actor_name(container: Container, who: str) -> str:
    """Return the name of the acting person; "" for machines and unknown people."""
    prefix, _, contact_id = who.partition(":")
    return person_name(container, contact_id) if prefix in BY_ID and contact_id != TERMINAL else ""


def ids_called(container: Container, part: str) -> list[str]:
    """The ids of people, WeChat rooms and groups whose name has this in it; not all of very many."""
    found: list[str] = []
    for wechat in container.accounts:
        people = wechat.directory.contacts.values()
        found += [one.id for one in people if part in one.name or part in one.alias or part in one.weixin]
        found += [room.id for room in wechat.directory.rooms.values() if part in room.topic]
    found += [str(qun.number) for qun in container.groups if part in qun.topic]
    return found[:MAX_FOUND]


def target_name(container: Container, account: str, target: str) -> str:
    """Return the name of the person, group or room that was acted on, or ""."""
    if not target or " " in target:
        return ""
    if account in container.accounts.names():
        room = container.accounts.get(account).directory.rooms.get(target)
        if room is not None:
            return room.topic
    if target.isdecimal() and len(target) >= 6:
        qun = container.groups.by_number(int(target)) if len(target) < 19 else None
        return qun.topic if qun else ""
    return person_name(container, target)
