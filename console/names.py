"""Names of people and groups by id, as shown in the console."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiohttp import web
from sqlmodel import Session, col, select

from api.app_keys import CONTAINER
from app.container import Container
from console.peers import gather_parts
from models.groups import Qun
from models.schema import MAX_ID
from services.accounts.console_sessions import TERMINAL

MAX_FOUND: Final = 500
BY_ID: Final = ("person", "console")  # prefixes of who acted, before a WeChat id
PART: Final = "names"


class Names:
    """Names of people, rooms and groups; of accounts of other processes only the requested ones."""

    def __init__(self, container: Container, remote: Mapping[str, str], topics: Mapping[int, str]) -> None:
        self._container = container
        self._remote = remote
        self._topics = topics

    def person(self, contact_id: str) -> str:
        """Return the name of a person on any account that knows them, or ""."""
        return _person(self._container, contact_id) or self._remote.get(contact_id, "")

    def actor(self, actor: str) -> str:
        """Return the name of the acting person; "" for machines and unknown people."""
        return self.person(_acting_person(actor)) if _acting_person(actor) else ""

    def topic(self, number: int) -> str:
        """Return the topic of a group, or ""."""
        qun = self._container.groups.by_number(number)
        return qun.topic if qun else self._topics.get(number, "")

    def target(self, target: str) -> str:
        """Return the name of the person, group or room that was acted on, or ""."""
        if not target or " " in target:
            return ""
        number = _group_number(target)
        if number is not None:
            return self.topic(number)
        return _room(self._container, target) or self.person(target)


async def names_of(request: web.Request, ids: Iterable[str] = (), numbers: Iterable[int] = ()) -> Names:
    """Look up these people and rooms (WeChat ids), and groups (numbers)."""
    container = request.app[CONTAINER]
    if container.peers is None:
        return Names(container, {}, {})
    unknown = {id for id in ids if id and not _known(container, id)}
    remote = {number for number in numbers if container.groups.by_number(number) is None}
    parts = await gather_parts(request, PART, local_names, ids=",".join(sorted(unknown))) if unknown else []
    topics = await container.store.read(lambda s: _topics(s, remote)) if remote else {}
    return Names(container, {id: name for part in parts for id, name in part.items()}, topics)


def acting(actors: Iterable[str]) -> list[str]:
    """Return the WeChat ids of acting people."""
    return [id for id in map(_acting_person, actors) if id]


def targets(texts: Iterable[str]) -> tuple[list[str], list[int]]:
    """Separate targets of actions into WeChat ids and numbers of groups."""
    numbered = [(text, _group_number(text)) for text in texts if text and " " not in text]
    ids = [text for text, number in numbered if number is None]
    return ids, [number for _, number in numbered if number is not None]


def local_names(request: web.Request) -> dict[str, Any]:
    """Return the names that this process knows of the ids in the query."""
    container = request.app[CONTAINER]
    return {id: name for id in request.query.get("ids", "").split(",") if (name := _known(container, id))}


def find_ids(container: Container, part: str) -> list[str]:
    """Return the ids of people, rooms and groups whose name contains a text; at most MAX_FOUND."""
    ids: list[str] = []
    for wechat in container.accounts:
        people = wechat.directory.contacts.values()
        ids += [person.id for person in people if part in person.name or part in person.alias or part in person.weixin]
        ids += [room.id for room in wechat.directory.rooms.values() if part in room.topic]
    ids += [str(qun.number) for qun in container.groups if part in qun.topic]
    return ids[:MAX_FOUND]


def _known(container: Container, id: str) -> str:
    return _room(container, id) or _person(container, id)


def _person(container: Container, contact_id: str) -> str:
    for wechat in container.accounts:
        contact = wechat.directory.contacts.get(contact_id)
        if contact is not None and contact.name:
            return contact.alias or contact.name
    return ""


def _room(container: Container, room_id: str) -> str:
    rooms = (wechat.directory.rooms.get(room_id) for wechat in container.accounts)
    return next((room.topic for room in rooms if room is not None), "")


def _acting_person(actor: str) -> str:
    prefix, _, contact_id = actor.partition(":")
    return contact_id if prefix in BY_ID and contact_id != TERMINAL else ""


def _group_number(target: str) -> int | None:
    is_number = target.isascii() and target.isdecimal() and 6 <= len(target) < 19
    return int(target) if is_number and int(target) <= MAX_ID else None


def _topics(session: Session, numbers: Iterable[int]) -> dict[int, str]:
    rows = session.exec(select(Qun.number, Qun.topic).where(col(Qun.number).in_(numbers))).all()
    return dict(rows)
