"""The directory of an account: contacts and groups in memory, indexed by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from wechat.events import Contact, Room

TIERS: Final = ("weixin", "alias", "name")  # after the id; the first tier with a match decides
UNIQUE: Final = ("id", "weixin")  # values that are unique and not chosen freely
COARSE: Final = timedelta(seconds=1)  # gateways may send times in whole seconds
Index = dict[str, dict[str, None]]  # value -> ids, in order of insertion


class CachedDirectory:
    """The contacts and groups of an account. Contact and Room objects are replaced by `put_…`, not modified by
    callers.
    """

    def __init__(self) -> None:
        self.owner_id = ""  # the account's own id
        self.version = 0  # changes with every modification
        self.contacts: dict[str, Contact] = {}
        self.rooms: dict[str, Room] = {}
        # Entries of the first contact list that are not read yet: they are old friends. None: no list was read yet.
        self.unread: set[str] | None = None
        self._index: dict[str, Index] = {tier: {} for tier in TIERS}
        self._topics: Index = {}
        self._read: dict[str, datetime] = {}  # room -> when its member list was read
        self._moved: dict[str, dict[str, datetime]] = {}  # room -> contact -> last join or leave after that

    def find(
        self, name: str, *, among: Collection[str] | None = None, friends: bool = False, also: Collection[str] = ()
    ) -> list[Contact]:
        """Find contacts by name: WeChat id, 微信号, alias, nickname, each exact; the first tier with a match decides.

        `among`: restrict to these ids; `friends`: restrict to friends; `also`: ids that match regardless. If an id or
        微信号 matches somebody excluded, the search ends: a friend's nickname must not stand for it.
        """
        if not name:
            return []
        for tier in ("id", *TIERS):
            ids: Iterable[str] = (name,) if tier == "id" else self._index[tier].get(name, ())
            found = [
                contact
                for id in ids
                if (contact := self.contacts.get(id)) is not None
                and (id in also or ((among is None or id in among) and (contact.friend or not friends)))
            ]
            if found or (friends and tier in UNIQUE and any(id in self.contacts for id in ids)):
                return found
        return []

    def room_by_topic(self, topic: str) -> list[Room]:
        """Return the groups with exactly this topic."""
        return [self.rooms[id] for id in self._topics.get(topic, ())]

    def was_read(self, room_id: str) -> bool:
        """Whether a group's members were read since the start, not only loaded from the database."""
        return room_id in self._read

    def last_told(self, room_id: str, contact_id: str) -> tuple[datetime | None, datetime | None]:
        """Return when the group's members were last read, and when the contact's last join or leave after that was."""
        return self._read.get(room_id), self._moved.get(room_id, {}).get(contact_id)

    def put_contact(self, contact: Contact) -> None:
        """Add or update a contact."""
        if self.contacts.get(contact.id) == contact:
            return
        self.drop_contact(contact.id)
        self.version += 1
        self.contacts[contact.id] = contact
        if self.unread is not None:
            self.unread.discard(contact.id)
        for tier in TIERS:
            if value := getattr(contact, tier):
                self._index[tier].setdefault(value, {})[contact.id] = None

    def drop_contact(self, id: str) -> None:
        """Remove a contact."""
        contact = self.contacts.pop(id, None)
        if contact is not None:
            self.version += 1
            for tier in TIERS:
                _unlist(self._index[tier], getattr(contact, tier), id)

    def put_room(self, room: Room, read: datetime | None = None) -> None:
        """Add or update a group. `read`: when reading its members began."""
        changed = self.rooms.get(room.id) != room
        version = self.version
        moved = self._moved.get(room.id, {})
        self.drop_room(room.id)
        self.version = version + changed
        if read is not None:  # later joins and leaves are kept, to recognise late events
            self._moved[room.id] = {id: stamp for id, stamp in moved.items() if stamp >= read - COARSE}
        self.rooms[room.id] = room
        if room.topic:
            self._topics.setdefault(room.topic, {})[room.id] = None
        if read is not None:
            self._read[room.id] = read

    def drop_room(self, id: str) -> None:
        """Remove a group."""
        room = self.rooms.pop(id, None)
        if room is not None:
            self.version += 1
            _unlist(self._topics, room.topic, id)
        self._read.pop(id, None)
        self._moved.pop(id, None)

    def joined(self, room_id: str, ids: Iterable[str], at: datetime) -> bool:
        """Add members to a group; return False if the event is late or the group unknown, so that it must be read
        again.
        """
        room = self.rooms.get(room_id)
        if room is None or self._is_late(room_id, ids, at):
            return False
        room.member_ids.update(ids)
        self.version += 1
        return True

    def left(self, room_id: str, ids: Iterable[str], at: datetime) -> bool:
        """Remove members from a group, or the group if the account itself left. Return False as in `joined`."""
        room = self.rooms.get(room_id)
        if room is None or self._is_late(room_id, ids, at):
            return False
        if self.owner_id in ids:
            self.drop_room(room_id)
        else:
            room.member_ids.difference_update(ids)
            self.version += 1
        return True

    def retitled(self, room_id: str, topic: str) -> None:
        """Change the topic of a group."""
        room = self.rooms.get(room_id)
        if room is not None and room.topic != topic:
            _unlist(self._topics, room.topic, room_id)
            room.topic = topic
            self.version += 1
            self._topics.setdefault(topic, {})[room_id] = None

    def clear(self) -> None:
        """Remove everything, because another account logged in."""
        self.owner_id, self.unread = "", None
        tables: list[dict[str, Any]] = [self.contacts, self.rooms, self._topics, self._read, self._moved]
        for table in (*tables, *self._index.values()):
            table.clear()

    def snapshot(self) -> dict[str, Any]:
        """Return the content as JSON values, for `load`."""
        return {
            "owner": self.owner_id,
            "unread": None if self.unread is None else sorted(self.unread),
            "contacts": [
                [c.id, c.name, c.alias, c.weixin, c.friend, c.official, c.avatar] for c in self.contacts.values()
            ],
            "rooms": [
                [r.id, r.topic, r.owner_id, list(r.admin_ids), sorted(r.member_ids)] for r in self.rooms.values()
            ],
        }

    def load(self, rows: dict[str, Any]) -> None:
        """Load a snapshot."""
        self.clear()
        self.owner_id = rows.get("owner", "")
        unread = rows.get("unread", ())
        self.unread = None if unread is None else set(unread)
        for row in rows.get("contacts", ()):
            self.put_contact(Contact(*row))
        for id, topic, owner_id, admin_ids, member_ids in rows.get("rooms", ()):
            self.put_room(Room(id, topic, owner_id, tuple(admin_ids), set(member_ids)))

    def _is_late(self, room_id: str, ids: Iterable[str], at: datetime) -> bool:
        """Whether newer data of the group or of one of these people is known; if not, store `at` for them."""
        moved = self._moved.setdefault(room_id, {})
        read = self._read.get(room_id)
        if (read is not None and at < read - COARSE) or any(at < moved.get(id, at) for id in ids):
            return True
        moved.update(dict.fromkeys(ids, at))
        return False


def _unlist(index: Index, value: str, id: str) -> None:
    ids = index.get(value)
    if ids is not None:
        ids.pop(id, None)
        if not ids:
            del index[value]
