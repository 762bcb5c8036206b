"""Who is exempt from moderation in a group."""

from __future__ import annotations

from config.settings import GroupSettings
from models.groups import Qun
from services.accounts.registry import Accounts
from services.groups.groups import Groups


class Exemptions:
    """The owner, admins, companions and assistants of a group."""

    def __init__(self, accounts: Accounts, groups: Groups, settings: GroupSettings) -> None:
        self._accounts = accounts
        self._groups = groups
        self._settings = settings

    def apply_to(self, qun: Qun, contact_id: str) -> bool:
        """Whether the person is exempt."""
        accounts = self._accounts
        if contact_id == qun.companion_id or accounts.is_admin(qun.account, contact_id) or accounts.is_own(contact_id):
            return True
        room = self._groups.room_of(qun, contact_id)
        if room is None and contact_id in self._groups.owners(qun):
            return True
        if room is not None and (contact_id == self._groups.owner_in(qun, room) or contact_id in room.admin_ids):
            return True
        directory = accounts.get(qun.account).directory
        companions = (directory.find(name, friends=True) for name in self._settings.companions)
        return any([person.id for person in friends] == [contact_id] for friends in companions)
