"""Messages requested by business systems: recipients, idempotency, and state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from concurrency import SingleFlight
from errors import AssistantOffline, GroupNotMade, InvalidParameter, MemberAmbiguous, NotFound
from models.bulk_insert import write_bulk
from models.db import Store
from models.durable import OutboxItem, Priority, WorkState
from models.groups import QunState
from services.accounts.registry import RETRY_AFTER, Accounts
from services.groups.groups import Groups
from services.messaging.messages import QUEUE, Body, Messages, text
from services.work.job import Job
from services.work.read_batcher import ReadBatcher
from wechat.entities import Contact

Target = tuple[str, list[str]]  # WeChat id of a person or room, and the people to mention there


@dataclass(frozen=True, slots=True)
class MessageRequest:
    """A requested message; exactly one of `to` and `qun` is set."""

    account: str
    to: str | None
    qun: str | int | None
    text: str
    mentions: tuple[str, ...]
    body: Body | None = None  # replaces `text`

    def message(self, mentions: Sequence[str]) -> Body:
        """Return the body for one room or person."""
        return dict(self.body) if self.body else text(self.text, mentions)

    def fingerprint(self) -> str:
        """Return a hash that is equal for equal requests."""
        parts = [self.account, self.to, self.qun, self.text, self.mentions, *([self.body] if self.body else [])]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class OutboundRequests:
    """Queues messages requested by business systems."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        messages: Messages,
        state_of: Callable[[OutboxItem], str],
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._messages = messages
        self._state_of = state_of
        self._stored_requests = ReadBatcher(store.read, _stored_requests)
        self._writing = SingleFlight[str, int]()  # by idempotency key

    async def submit(self, request: MessageRequest, key: str | None) -> int:
        """Queue the message and return its id. A request with a known key is not queued again.

        Raises AssistantUnknown, AssistantOffline, NotFound, MemberAmbiguous, GroupNotMade; InvalidParameter if the key
        belongs to another request.
        """
        if key is None:
            return (await self._write(request, None)).id
        return await self._writing.run(key, lambda: self._submit_once(request, key), request=request)

    async def _submit_once(self, request: MessageRequest, key: str) -> int:
        stored = await self._stored_requests(key)
        if stored is None:
            try:
                return (await self._write(request, key)).id
            except IntegrityError:  # at the same moment, by another process
                stored = await self._stored_requests(key)
        if stored is None:
            raise InvalidParameter("Idempotency-Key: it belongs to another request")
        if stored.fingerprint != request.fingerprint():
            raise InvalidParameter("Idempotency-Key: it was used for another message")
        return stored.id

    async def _write(self, request: MessageRequest, key: str | None) -> Job:
        if request.to is not None:
            wechat = self._accounts.get(request.account)
            if not wechat.directory.find(request.to, friends=True):
                await wechat.search_contacts(request.to)
        first, *rest = self._targets(request)
        idempotency = {"idempotency_key": key, "fingerprint": request.fingerprint()} if key else {}

        def write(session: Session) -> Job:
            def say(to: str, body: Body, **options: Any) -> Job:
                return self._messages.queue(session, request.account, to, body, priority=Priority.NOTICE, **options)

            body = request.message(first[1])
            if rest:
                parts = [say(to, request.message(mentions)) for to, mentions in rest]
                write_bulk(session)  # the parts need their ids
                body["also"] = [part.id for part in parts]
            return say(first[0], body, **idempotency)

        return await self._store.write(write)

    # ---- recipients ----

    def _targets(self, request: MessageRequest) -> list[Target]:
        if request.to is not None:
            directory = self._accounts.get(request.account).directory
            return [(self._single_person(request.account, directory.find(request.to, friends=True)).id, [])]
        self._accounts.get(request.account)
        qun = self._groups.named(request.qun or "")
        if qun is None or qun.account != request.account or qun.state == QunState.CLOSED:
            raise NotFound("group")
        rooms = [room.room_id or "" for room in self._groups.rooms(qun)]
        if not rooms:
            raise (
                GroupNotMade(str(qun.number))
                if qun.state == QunState.MAKING
                else NotFound(f"group {qun.number} is lost")
            )
        return self._with_mentions(request, rooms)

    def _with_mentions(self, request: MessageRequest, rooms: Sequence[str]) -> list[Target]:
        directory = self._accounts.get(request.account).directory
        members = {id: directory.rooms[id].member_ids for id in rooms if id in directory.rooms}
        everyone = set().union(*members.values())
        ids = (
            self._single_person(request.account, directory.find(name, among=everyone)).id for name in request.mentions
        )
        mentioned_ids = list(dict.fromkeys(ids))  # two names may mean one person
        return [(room, [id for id in mentioned_ids if id in members.get(room, ())]) for room in rooms]

    def _single_person(self, account: str, matches: Sequence[Contact]) -> Contact:
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise MemberAmbiguous(", ".join(contact.id for contact in matches))
        if not self._accounts.is_online(account):  # its contacts may not have been read yet
            raise AssistantOffline(account, retry_after=RETRY_AFTER)
        raise NotFound("person")

    # ---- state ----

    async def state_of(self, message_id: int) -> str:
        """Return queued | sending | sent | failed; raise NotFound. A message to several rooms is sent once it is sent
        to all.
        """
        items = await self._store.read(lambda s: _messages_of(s, message_id))
        if not items:
            raise NotFound(f"message {message_id}")
        states = {self._state_of(item) for item in items}
        if states & {WorkState.FAILED, WorkState.UNKNOWN, WorkState.CANCELLED}:
            return WorkState.FAILED
        if len(states) == 1:
            return states.pop()
        return WorkState.SENDING


class _StoredRequest(NamedTuple):
    id: int
    fingerprint: str


def _stored_requests(session: Session, keys: Collection[str]) -> dict[str, _StoredRequest]:
    """Return the requests stored under these keys."""
    item = OutboxItem
    query = select(item.idempotency_key, item.id, item.fingerprint).where(col(item.idempotency_key).in_(keys))
    return {str(key): _StoredRequest(id or 0, fingerprint) for key, id, fingerprint in session.exec(query)}


def _messages_of(session: Session, message_id: int) -> list[OutboxItem]:
    item = session.get(OutboxItem, message_id)
    if item is None or not item.queue.startswith(f"{QUEUE}:"):
        return []
    more_ids = json.loads(item.body).get("also", [])
    return (
        [item, *session.exec(select(OutboxItem).where(col(OutboxItem.id).in_(more_ids))).all()] if more_ids else [item]
    )
