"""Recognises groups whose WeChat ids have changed, as gateways for web WeChat give out new ids at every login.

A room of the account that belongs to no group is proposed for a missing one if topic, owner's name and at least half
of the members' names agree. Names do not identify people, so an admin has to confirm.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session, col, select

from config.texts import Texts, fill
from errors import WeChatError
from models.db import Store
from models.durable import Priority
from models.groups import Membership, MemberState, ProposalState, Qun, QunRoom, QunState, RoomProposal
from services.accounts.registry import Accounts
from services.groups.groups import Groups
from services.groups.membership_recorder import MembershipRecorder
from services.groups.membership_rows import membership_of
from services.groups.room_presence import RoomPresence
from services.messaging.messages import Messages
from wechat.entities import Room
from wechat.interface import WeChat
from wechat.names import comparable, same_name

log = logging.getLogger(__name__)
MIN_SHARED_NAMES: Final = 0.5  # share of the known members' names that the room must have
MAX_READ: Final = 100  # maximum number of unknown members read per room


@dataclass(frozen=True, slots=True)
class Candidate:
    """A room that may be one of a group. `owner_id`: the new id of the group's owner; `same_names`: of how many members
    the names agree.
    """

    qun: Qun
    room: QunRoom
    wechat_room: Room
    owner_id: str
    same_names: int


class GroupRecognition:
    """Proposes rooms, and adopts them once they are confirmed."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        groups: Groups,
        presence: RoomPresence,
        recorder: MembershipRecorder,
        messages: Messages,
        texts: Texts,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = groups
        self._presence = presence
        self._recorder = recorder
        self._messages = messages
        self._texts = texts

    async def propose_rooms(self, account: str) -> int:
        """Propose rooms for the account's missing ones; return the number of new proposals."""
        pairs = self._pairs(account)
        for wechat_room in {wechat_room.id: wechat_room for _, _, wechat_room in pairs}.values():
            await self._learn_names(self._accounts.get(account), wechat_room)
        return await self._store.write(lambda s: self._propose(s, account, pairs)) if pairs else 0

    def _pairs(self, account: str) -> list[tuple[Qun, QunRoom, Room]]:
        """Return the missing rooms of groups with the rooms of no group that have their topic."""
        rooms = self._accounts.get(account).directory.rooms
        unassigned = [
            wechat_room
            for wechat_room in rooms.values()
            if wechat_room.topic and self._groups.by_room(account, wechat_room.id) is None
        ]
        missing = [
            (qun, room)
            for qun in self._groups
            if qun.account == account
            for room in self._groups.all_rooms(qun)
            if room.room_id and room.room_id not in rooms and room.state in (QunState.ACTIVE, QunState.LOST)
        ]
        return [
            (qun, room, wechat_room)
            for qun, room in missing
            for wechat_room in unassigned
            if same_name(wechat_room.topic, room.topic)
        ]

    async def _learn_names(self, wechat: WeChat, wechat_room: Room) -> None:
        for contact_id in sorted(wechat_room.member_ids - wechat.directory.contacts.keys())[:MAX_READ]:
            try:
                await wechat.contact(contact_id)
            except WeChatError as error:
                log.info("could not read a member of room %s: %s", wechat_room.id, error)

    def _propose(self, session: Session, account: str, pairs: Sequence[tuple[Qun, QunRoom, Room]]) -> int:
        candidates = [candidate for pair in pairs if (candidate := self._candidate(session, *pair)) is not None]
        rooms = Counter(candidate.room.id for candidate in candidates)
        wechat_rooms = Counter(candidate.wechat_room.id for candidate in candidates)
        proposed_ids = set(session.exec(select(RoomProposal.room_id).where(RoomProposal.account == account)).all())
        count = 0
        for candidate in candidates:
            if (
                rooms[candidate.room.id] == wechat_rooms[candidate.wechat_room.id] == 1
                and candidate.wechat_room.id not in proposed_ids
            ):
                self._ask(session, candidate)
                count += 1
        return count

    def _candidate(self, session: Session, qun: Qun, room: QunRoom, wechat_room: Room) -> Candidate | None:
        people = self._names(qun.account, wechat_room)
        members = _members(session, qun, room)
        owner = next((row.name for row in members if row.contact_id == qun.owner_id), "") or qun.owner
        owner_ids = people.get(comparable(owner), [])
        names = {comparable(row.name) for row in members if row.name}
        same_names = len(names & people.keys())
        if len(owner_ids) != 1 or not names or same_names < MIN_SHARED_NAMES * len(names):
            return None
        return Candidate(qun, room, wechat_room, owner_ids[0], same_names)

    def _names(self, account: str, wechat_room: Room) -> dict[str, list[str]]:
        """Return the ids of the members of a room by their names in a form that can be compared."""
        wechat = self._accounts.get(account)
        people: dict[str, list[str]] = {}
        for contact_id in sorted(wechat_room.member_ids - {wechat.self_id}):
            contact = wechat.directory.contacts.get(contact_id)
            if contact is not None and contact.name:
                people.setdefault(comparable(contact.name), []).append(contact_id)
        return people

    def _ask(self, session: Session, candidate: Candidate) -> None:
        account = candidate.qun.account
        proposal = RoomProposal(
            account=account, room=candidate.room.id or 0, room_id=candidate.wechat_room.id, owner_id=candidate.owner_id
        )
        session.add(proposal)
        session.flush()
        contacts = self._accounts.get(account).directory.contacts
        question = fill(
            self._texts.room_recognised,
            topic=candidate.room.topic,
            number=candidate.qun.number,
            owner=contacts[candidate.owner_id].name,
            members=len(candidate.wechat_room.member_ids),
            same=candidate.same_names,
            id=proposal.id,
        )
        admins = [id for id in self._accounts.admins(account) if id in contacts]
        for admin in admins:
            self._messages.queue(session, account, admin, question, priority=Priority.NOTICE)
        if not admins:  # their ids have changed, too
            log.warning(
                "group %s has another WeChat id; an admin must send /认领 %s", candidate.qun.number, proposal.id
            )

    # ---- confirmation ----

    def waiting(self, session: Session, account: str) -> list[tuple[RoomProposal, QunRoom]]:
        """Return the proposals that are neither confirmed nor rejected, each with the room that it is for."""
        condition = (RoomProposal.account == account, RoomProposal.state == ProposalState.WAITING)
        rows = session.exec(select(RoomProposal).where(*condition).order_by(col(RoomProposal.id))).all()
        return [(row, session.get_one(QunRoom, row.room)) for row in rows]

    def reject(self, session: Session, account: str, proposal_id: int) -> bool:
        """Reject a proposal, inside a transaction; return False if there is none of this id."""
        return self._end(session, account, proposal_id, ProposalState.REJECTED) is not None

    def confirm(self, session: Session, account: str, proposal_id: int) -> Qun | None:
        """Use the proposed room for its group, inside a transaction; return None if that is no longer possible.

        Members with unique names keep their rows under their new ids; no one is welcomed again.
        """
        proposal = self._end(session, account, proposal_id, ProposalState.CONFIRMED)
        if proposal is None:
            return None
        rooms = self._accounts.get(account).directory.rooms
        room, wechat_room = session.get_one(QunRoom, proposal.room), rooms.get(proposal.room_id)
        if wechat_room is None or room.room_id in rooms or self._groups.by_room(account, wechat_room.id) is not None:
            return None
        qun = session.get_one(Qun, room.number)
        self._rename_members(session, qun, room, wechat_room, proposal.owner_id)
        qun, room = self._presence.move(session, room, wechat_room.id, proposal.owner_id)
        self._recorder.record_members(session, qun, room)
        return qun

    def _end(self, session: Session, account: str, proposal_id: int, state: ProposalState) -> RoomProposal | None:
        row = session.get(RoomProposal, proposal_id)
        if row is None or row.account != account or row.state != ProposalState.WAITING:
            return None
        row.state = state
        session.add(row)
        session.flush()
        return row

    def _rename_members(self, session: Session, qun: Qun, room: QunRoom, wechat_room: Room, owner_id: str) -> None:
        people, members = self._names(qun.account, wechat_room), _members(session, qun, room)
        times = Counter(comparable(row.name) for row in members)
        for row in members:
            name = comparable(row.name)
            ids = [owner_id] if row.contact_id == qun.owner_id else people.get(name, [])
            if len(ids) == 1 and times[name] == 1 and membership_of(session, qun.number, ids[0]) is None:
                row.who = row.contact_id = ids[0]
                row.room_id = wechat_room.id
            else:
                row.state = MemberState.LEFT
            session.add(row)
            session.flush()


def _members(session: Session, qun: Qun, room: QunRoom) -> Sequence[Membership]:
    query = select(Membership).where(Membership.number == qun.number, Membership.state == MemberState.JOINED)
    return session.exec(query.where(Membership.room_id == room.room_id)).all()
