"""A message asked for over HTTP: whom it goes to, promised once per key, and how it stands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from errors import AssistantOffline, GroupNotMade, InvalidParameter, MemberAmbiguous, NotFound
from models.durable import OutboxItem, Priority, WorkState
from models.groups import Qun, QunState
from services.accounts import RETRY_AFTER
from services.house import House
from services.messages import LANE, text
from wechat.events import Contact

Target = tuple[str, list[str]]  # the WeChat id of a person or a room, and whom to mention there


@dataclass(frozen=True, slots=True)
class Order:
    """What the caller asked for; exactly one of `to` and `qun` is set."""

    account: str
    to: str | None
    qun: str | int | None
    words: str
    mentions: tuple[str, ...]

    def fingerprint(self) -> str:
        """The same for the same order."""
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()


async def promise(house: House, order: Order, key: str | None) -> int:
    """Promise the message; returns its id. With a key, an order that came before is not promised again.

    Raises AssistantUnknown, AssistantOffline, NotFound, MemberAmbiguous, GroupNotMade; InvalidParameter when the key
    came with another order.
    """
    if key is None:
        return await _promise(house, order, None)
    kept = await house.store.read(lambda s: _kept(s, key))
    if kept is None:
        try:
            return await _promise(house, order, key)
        except IntegrityError:  # PostgreSQL: the same key came at the same moment, and its row is in now
            kept = await house.store.read(lambda s: _kept(s, key))
    return _same(kept, order)


def _kept(session: Session, key: str) -> OutboxItem | None:
    return session.exec(select(OutboxItem).where(OutboxItem.idempotency_key == key)).first()


def _same(kept: OutboxItem | None, order: Order) -> int:
    if kept is None or kept.fingerprint != order.fingerprint():
        raise InvalidParameter("the Idempotency-Key came with another message")
    return kept.id or 0


async def _promise(house: House, order: Order, key: str | None) -> int:
    if order.to is not None:
        wechat = house.accounts.get(order.account)
        if not wechat.directory.find(order.to, friends=True):
            await wechat.look_for(order.to)
    first, *others = _targets(house, order)
    fingerprint = order.fingerprint() if key else ""

    def write(session: Session) -> int | OutboxItem:
        kept = _kept(session, key) if key else None
        if kept is not None:  # not raised here: a transaction that fails makes its neighbours run twice
            return kept
        say, how = house.messages.say, {"priority": Priority.NOTICE}
        also = [say(session, order.account, to, text(order.words, mentions), **how) for to, mentions in others]
        body = text(order.words, first[1]) | ({"also": also} if also else {})
        return say(session, order.account, first[0], body, idempotency_key=key, fingerprint=fingerprint, **how)

    written = await house.store.write(write)
    return written if isinstance(written, int) else _same(written, order)


# ---- whom it goes to ----


def _targets(house: House, order: Order) -> list[Target]:
    if order.to is not None:
        directory = house.accounts.get(order.account).directory
        return [(_one(house, order.account, directory.find(order.to, friends=True)).id, [])]
    house.accounts.get(order.account)
    qun = _qun(house, order.qun)
    if qun is None or qun.account != order.account:
        raise NotFound("group")
    rooms = [room.room_id or "" for room in house.groups.rooms(qun)]
    if not rooms:
        raise GroupNotMade(str(qun.number)) if qun.state == QunState.MAKING else NotFound(f"group {qun.number} is lost")
    return _with_mentions(house, order, rooms)


def _qun(house: House, name: str | int | None) -> Qun | None:
    if isinstance(name, int):
        return house.groups.by_number(name)
    by_code = house.groups.by_code(name or "")
    by_number = house.groups.by_number(int(name)) if name and name.isascii() and name.isdigit() else None
    if by_code and by_number and by_code.number != by_number.number:
        raise InvalidParameter("one group's code is another one's number")
    return by_code or by_number


def _with_mentions(house: House, order: Order, rooms: Sequence[str]) -> list[Target]:
    directory = house.accounts.get(order.account).directory
    members = {id: directory.rooms[id].member_ids for id in rooms if id in directory.rooms}
    everyone = set().union(*members.values())
    found = (_one(house, order.account, directory.find(name, among=everyone)).id for name in order.mentions)
    named = list(dict.fromkeys(found))  # one person may be called by two names
    return [(room, [id for id in named if id in members.get(room, ())]) for room in rooms]


def _one(house: House, account: str, found: Sequence[Contact]) -> Contact:
    if len(found) == 1:
        return found[0]
    if found:
        raise MemberAmbiguous(", ".join(contact.id for contact in found))
    if not house.accounts.is_online(account):  # it may not have read who its friends are
        raise AssistantOffline(account, retry_after=RETRY_AFTER)
    raise NotFound("person")


# ---- how it stands ----


async def state_of(house: House, message_id: int) -> str:
    """queued | sending | sent | failed; NotFound. One that went to several rooms is sent once it is sent to all."""
    items = await house.store.read(lambda s: _parts(s, message_id))
    if not items:
        raise NotFound(f"message {message_id}")
    states = {house.outbox.state_of(item) for item in items}
    if states & {WorkState.FAILED, WorkState.UNKNOWN}:
        return WorkState.FAILED
    if len(states) == 1:
        return states.pop()
    return WorkState.SENDING


def _parts(session: Session, message_id: int) -> list[OutboxItem]:
    item = session.get(OutboxItem, message_id)
    if item is None or not item.lane.startswith(f"{LANE}:"):
        return []
    also = json.loads(item.body).get("also", [])
    return [item, *session.exec(select(OutboxItem).where(col(OutboxItem.id).in_(also))).all()] if also else [item]
