"""Actions of a group's owner or an admin on members, by command, in the console or by REST."""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session

from errors import InvalidParameter, NotSupported
from models.db import Store
from models.groups import Qun
from services.groups.groups import Groups
from services.groups.removals import Removals
from services.moderation.sanctions import Sanctions
from wechat.entities import Contact
from wechat.interface import Capability


class MemberExempt(InvalidParameter):
    """Owner, admins, companions and assistants are not warned, removed or blacklisted."""


class MemberActions:
    """Every call raises MemberExempt for people who are exempt, and NotSupported where the channel cannot do it;
    removals also WeChatError and AssistantOffline."""

    def __init__(self, store: Store, groups: Groups, removals: Removals, sanctions: Sanctions) -> None:
        self._store = store
        self._groups = groups
        self._removals = removals
        self._sanctions = sanctions

    def exempt(self, qun: Qun, people: Iterable[Contact]) -> list[Contact]:
        """Return which of the people are exempt."""
        return [person for person in people if self._sanctions.is_exempt(qun, person.id)]

    def warn(self, session: Session, qun: Qun, person: Contact, reason: str, actor: str, room_id: str = "") -> int:
        """Warn a person with an @, inside a transaction; at the limit they are removed and blacklisted.

        Returns their number of warnings. `room_id`: where to write if the person is in no room of the group; without
        it InvalidParameter is raised.
        """
        self._require(qun, Capability.ROOM_MESSAGES)
        self._check(qun, person.id)
        room = self._groups.room_of(qun, person.id)
        source = room.id if room else room_id
        if not source:
            raise InvalidParameter("contact_id: not a member of the group")
        return self._sanctions.warn(session, qun, source, person.id, person.name, reason, actor)

    async def remove(self, qun: Qun, contact_id: str, actor: str) -> None:
        """Remove a person from the group; they may join again."""
        self._check(qun, contact_id)
        await self._removals.remove(qun, contact_id, actor)

    def blacklist(self, session: Session, qun: Qun, person: Contact, reason: str, actor: str) -> None:
        """Blacklist a person, inside a transaction; done before the removal, so that they cannot rejoin."""
        self._require(qun, Capability.REMOVE_MEMBER)
        self._check(qun, person.id)
        self._sanctions.blacklist(session, qun, person.id, person.name, reason, actor)

    async def ban(self, qun: Qun, person: Contact, reason: str, actor: str) -> None:
        """Blacklist a person and remove them from the group."""
        await self._store.write(lambda s: self.blacklist(s, qun, person, reason, actor))
        await self.remove(qun, person.id, actor)

    def unblacklist(self, session: Session, qun: Qun, contact_id: str, actor: str) -> None:
        """Remove a person from the blacklist and reset their warnings, inside a transaction."""
        self._sanctions.unblacklist(session, qun, contact_id, actor)

    def _require(self, qun: Qun, capability: Capability) -> None:
        if not self._groups.supports(qun, capability):
            raise NotSupported(f"{qun.account}: {capability}")

    def _check(self, qun: Qun, contact_id: str) -> None:
        if self._sanctions.is_exempt(qun, contact_id):
            raise MemberExempt(contact_id)
