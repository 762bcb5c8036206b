"""Availability of staff: office hours, staff room, people on duty."""

from __future__ import annotations

from config.customer_service import HandoffSettings
from services.accounts.registry import Accounts
from services.clock import Clock
from services.support.hours import OfficeHours
from services.support.staff_rooms import StaffRooms
from wechat.entities import Room
from wechat.interface import Capability


class Staffing:
    """The staff of each account."""

    def __init__(self, accounts: Accounts, staff_rooms: StaffRooms, settings: HandoffSettings, clock: Clock) -> None:
        self.accounts = accounts
        self.settings = settings
        self._staff_rooms = staff_rooms
        self._clock = clock

    @property
    def hours(self) -> OfficeHours:
        """The office hours."""
        return OfficeHours(self.settings.hours)

    def in_hours(self) -> bool:
        """Whether the office is open now."""
        return self.hours.is_open(self._clock())

    def next_opening(self) -> str:
        """Return when the office opens, for people: 今天 09:00, 周一 09:00."""
        return self.hours.describe_next_opening(self._clock())

    def room(self, account: str) -> Room | None:
        """Return the account's staff room, if the account is in one."""
        return self._staff_rooms.of(account)

    def needs_room(self, account: str) -> bool:
        """Whether staff answer in a staff room. Without messages in groups it is the console or their own client."""
        return Capability.ROOM_MESSAGES in self.accounts.get(account).capabilities

    def has_client(self, account: str) -> bool:
        """Whether customers who ask for a person are handed to staff in their own client."""
        return Capability.STAFF_CLIENT in self.accounts.get(account).capabilities

    def can_talk(self, account: str) -> bool:
        """Whether customers and staff can talk: account online, office open, staff room available if needed."""
        online = account in self.accounts.names() and self.accounts.is_online(account)
        return online and self.in_hours() and (self.room(account) is not None or not self.needs_room(account))

    def on_duty(self, account: str, room: Room) -> list[str]:
        """Return the ids of those of `handoff.on_duty` who are in the room; ambiguous names are ignored."""
        directory = self.accounts.get(account).directory
        matches = [directory.find(name, among=room.member_ids) for name in self.settings.on_duty]
        return list(dict.fromkeys(people[0].id for people in matches if len(people) == 1))

    def to_remind(self, account: str, room: Room) -> list[str]:
        """Return whom to mention in a reminder: people on duty, else everyone in the room except assistants."""
        members = sorted(id for id in room.member_ids if not self.accounts.is_own(id))
        return self.on_duty(account, room) or members
