"""The groups and friends that a broadcast is for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlmodel import Session, col, select

from errors import NotFound
from models.cluster import AccountLease
from models.groups import Qun, QunState, QunTag
from services.accounts.registry import Accounts
from services.groups.group_rows import active_rooms, every_group, named_group
from services.groups.groups import Groups
from services.outreach.broadcast_types import NO_GROUP, BroadcastRequest, Friend, Target


class BroadcastTargets:
    """Finds the conversations of a broadcast.

    `all_in_memory`: whether the groups of all accounts are in memory; otherwise they are read from the database.
    """

    def __init__(self, accounts: Accounts, groups: Groups, *, all_in_memory: bool) -> None:
        self._accounts = accounts
        self._groups = groups
        self._all_in_memory = all_in_memory

    def of_account(self, session: Session, account: str) -> list[Target]:
        """Return every room of the account's active groups."""
        return self._rooms(session, (qun for qun in self._groups if qun.account == account))

    def of_request(self, session: Session, request: BroadcastRequest) -> list[Target]:
        """Return the rooms and friends that a request names; raise NotFound for an unknown group or friend."""
        quns = [qun for qun in self._selected(session, request) if request.account in ("", qun.account)]
        return [
            *self._rooms(session, quns),
            *(self._friend(session, friend) for friend in dict.fromkeys(request.friends)),
        ]

    def group_count(self, account: str) -> int:
        """Return the number of groups that a broadcast of the account reaches."""
        groups = [qun for qun in self._groups if qun.account == account and qun.state == QunState.ACTIVE]
        return sum(any(room.room_id for room in self._groups.rooms(qun)) for qun in groups)

    def _rooms(self, session: Session, quns: Iterable[Qun]) -> list[Target]:
        active = [qun for qun in quns if qun.state == QunState.ACTIVE]
        return [Target(qun.account, qun.number, id) for qun in active for id in self._room_ids(session, qun)]

    def _room_ids(self, session: Session, qun: Qun) -> list[str]:
        if not self._all_in_memory:
            return active_rooms(session, qun)
        return [room.room_id for room in self._groups.rooms(qun) if room.room_id]

    def _friend(self, session: Session, friend: Friend) -> Target:
        account, contact_id = friend
        is_away = not self._all_in_memory and self._accounts.find(account) is None
        if is_away and session.get(AccountLease, account) is not None:
            return Target(account, NO_GROUP, contact_id)  # only the process that serves the account knows its friends
        contact = self._accounts.get(account).directory.contacts.get(contact_id)
        if contact is None or not contact.friend or contact.official:
            raise NotFound(f"friend {contact_id}")
        return Target(account, NO_GROUP, contact_id)

    def _selected(self, session: Session, request: BroadcastRequest) -> Sequence[Qun]:
        if not self._all_in_memory:
            return _selected_rows(session, request)
        if request.everywhere:
            return list(self._groups)
        if request.tags:
            groups = [self._groups.by_number(number) for number in _tagged(session, request)]
            return [qun for qun in groups if qun is not None]
        return list({qun.number: qun for qun in map(self._named, request.quns)}.values())

    def _named(self, name: str | int) -> Qun:
        qun = self._groups.named(name)
        if qun is None:
            raise NotFound(f"group {name}")
        return qun


def _selected_rows(session: Session, request: BroadcastRequest) -> list[Qun]:
    """Return the selected groups of all accounts, from the database."""
    if request.everywhere:
        return list(every_group(session))
    if request.tags:
        return [session.get_one(Qun, number) for number in _tagged(session, request)]
    return list({qun.number: qun for qun in (named_group(session, name) for name in request.quns)}.values())


def _tagged(session: Session, request: BroadcastRequest) -> Sequence[int]:
    """Return the numbers of the groups with one of the request's tags."""
    return session.exec(select(QunTag.number).where(col(QunTag.tag).in_(request.tags)).distinct()).all()
