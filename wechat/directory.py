"""The directory of an account: contacts and groups in memory, indexed by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from wechat.absences import Absences
from wechat.entities import Contact, Room
from wechat.name_index import Index, NameIndex, remove_entry

TIME_PRECISION: Final = timedelta(seconds=1)  # gateways may send times in whole seconds


class CachedDirectory:
    """The contacts and groups of an account. Callers do not modify Contact and Room objects: `put_…` replaces them."""

    def __init__(self, confirm_interval: float = 6.0) -> None:
        self.absences = Absences(confirm_interval)
        self.owner_id = ""  # whose contacts these are
        self.version = 0  # changes with every modification
        self.contacts: dict[str, Contact] = {}
        self.rooms: dict[str, Room] = {}
        # Unread entries of the first contact list, which are existing friends. None: no list was read yet.
        self.unread: set[str] | None = None
        self._names = NameIndex(self.contacts)
        self.find = self._names.find  # documented at NameIndex.find
        self.resolve_id = self._names.resolve_id
        self._topics: Index = {}
        self._read: dict[str, datetime] = {}  # room -> when its member list was read
        self._last_moves: dict[str, dict[str, datetime]] = {}  # room -> person -> their last join or leave since then
        # room -> people reported by events but not yet by a member list
        self._unconfirmed_joins: dict[str, set[str]] = {}
        self._befriended: set[str] = set()  # friends whose payloads do not have the friend flag
        self._unfriended: set[str] = set()  # people who received no message, although they may still be listed

    def room_by_topic(self, topic: str) -> list[Room]:
        """Return the groups with exactly this topic."""
        return [self.rooms[id] for id in self._topics.get(topic, ())]

    def was_read(self, room_id: str) -> bool:
        """Whether a group's members were read since the start, not only loaded from the database."""
        return room_id in self._read

    def last_reported(self, room_id: str, contact_id: str) -> tuple[datetime | None, datetime | None]:
        """Return when the group's members were last read, and when the contact's last join or leave after that was."""
        return self._read.get(room_id), self._last_moves.get(room_id, {}).get(contact_id)

    def put_contact(self, contact: Contact) -> None:
        """Add or update a person.

        An empty name does not replace a known one. People whom the account accepted or greeted are friends,
        although gateways do not always report that.
        """
        stored = self.contacts.get(contact.id)
        if stored is not None and stored.name and not contact.name:
            contact = replace(contact, name=stored.name)
        if contact.friend:
            self._unfriended.discard(contact.id)
        if contact.id in self._befriended:
            if contact.friend:
                self._befriended.discard(contact.id)  # from now on the gateway reports it
            contact = replace(contact, friend=True)
        if self.contacts.get(contact.id) == contact:
            return
        self.drop_contact(contact.id)
        self.version += 1
        self.contacts[contact.id] = contact
        if self.unread is not None:
            self.unread.discard(contact.id)
        self._names.add(contact)

    def befriend(self, id: str) -> None:
        """Mark a person as a friend, regardless of the payload."""
        stored = self.contacts.get(id, Contact(id))
        if not stored.friend:
            self.put_contact(replace(stored, friend=True))
            self._befriended.add(id)

    def trust_list(self, listed: Collection[str]) -> list[str]:
        """Treat the whole contact list as friends if no payload has the friend flag; return the new ones.

        Those who received no message are not new: who deletes the account stays on its list.
        """
        stored = [self.contacts[id] for id in listed if id in self.contacts and id != self.owner_id]
        people = [contact for contact in stored if not contact.official]
        if any(contact.friend and contact.id not in self._befriended for contact in people):
            return []
        new = [contact.id for contact in people if not contact.friend]
        reported = [id for id in new if id not in self._unfriended]
        for id in new:
            self.befriend(id)
        return reported

    def unfriend(self, id: str) -> None:
        """Mark a person as no longer a friend."""
        self._befriended.discard(id)
        self._unfriended.add(id)
        if (stored := self.contacts.get(id)) is not None:
            self.put_contact(replace(stored, friend=False))

    def drop_contact(self, id: str) -> None:
        """Remove a contact."""
        contact = self.contacts.pop(id, None)
        if contact is not None:
            self.version += 1
            self._names.remove(contact)

    def put_room(self, room: Room, read: datetime | None = None) -> None:
        """Add or update a group.

        `read`: when reading its members began. Missing members stay until another reading agrees.
        """
        if read is not None:
            room = self._with_doubtful(room, read)
            if self.absences.is_confirmed(room.id, self.owner_id):
                self.drop_room(room.id)
                return
        changed = self.rooms.get(room.id) != room
        version = self.version
        last_moves = self._last_moves.get(room.id, {})
        self._take_out(room.id)
        self.version = version + changed
        if read is not None:  # later joins and leaves are kept, to recognise late events
            self._last_moves[room.id] = {
                id: stamp for id, stamp in last_moves.items() if stamp >= read - TIME_PRECISION
            }
        self.rooms[room.id] = room
        if room.topic:
            self._topics.setdefault(room.topic, {})[room.id] = None
        if read is not None:
            self._read[room.id] = read

    def _with_doubtful(self, room: Room, read: datetime) -> Room:
        """Return the group as read, plus the members whose absence is not confirmed."""
        stored = self.rooms.get(room.id)
        before = stored.member_ids if stored is not None else {self.owner_id} - {""}
        self.absences.record_present(room.id, room.member_ids)
        unconfirmed = self._unconfirmed_joins.pop(room.id, set()) - room.member_ids
        unknown_ids = {id for id in unconfirmed if id not in self.contacts}  # gateways also send names instead of ids
        missing = before - room.member_ids - unknown_ids
        unconfirmed_missing = self.absences.record_missing(room.id, missing, read, self.owner_id, is_complete=True)
        self._unconfirmed_joins[room.id] = unconfirmed & unconfirmed_missing
        return replace(room, member_ids=room.member_ids | unconfirmed_missing) if unconfirmed_missing else room

    def expect_members(self, room_id: str, ids: Collection[str]) -> None:
        """Record members from the database; a missing one remains a member until the absence is certain."""
        room, read = self.rooms.get(room_id), self._read.get(room_id)
        if room is None or read is None:
            return
        new = {id for id in ids if id not in room.member_ids and not self.absences.is_missing(room_id, id)}
        if new:
            room.member_ids |= self.absences.record_missing(room_id, new, read, self.owner_id)
            self.version += 1

    def record_unlisted(self, room_id: str, at: datetime) -> bool:
        """Record that an unreadable group is not in the account's list; return whether the account has certainly left.

        In that case the group is removed from the directory.
        """
        if self.absences.record_missing(room_id, {self.owner_id}, at, self.owner_id):
            return False
        self.drop_room(room_id)
        return True

    def drop_room(self, id: str) -> None:
        """Forget a group that the account is not in."""
        self._take_out(id)
        self.absences.forget(id)
        self.absences.record_reported(id, (self.owner_id,))
        self._unconfirmed_joins.pop(id, None)

    def _take_out(self, id: str) -> None:
        room = self.rooms.pop(id, None)
        if room is not None:
            self.version += 1
            remove_entry(self._topics, room.topic, id)
        self._read.pop(id, None)
        self._last_moves.pop(id, None)

    def add_members(self, room_id: str, ids: Iterable[str], at: datetime) -> bool:
        """Add members to a group; return False if the event is late or the group unknown, so that it must be read
        again.
        """
        room = self.rooms.get(room_id)
        self.absences.record_present(room_id, ids)
        if room is None or self._is_late(room_id, ids, at):
            return False
        self._unconfirmed_joins.setdefault(room_id, set()).update(set(ids) - room.member_ids)
        room.member_ids.update(ids)
        self.version += 1
        return True

    def remove_members(self, room_id: str, ids: Iterable[str], at: datetime) -> bool:
        """Remove members from a group, or the group if the account itself left. Return False as in `add_members`."""
        room = self.rooms.get(room_id)
        if room is None or self._is_late(room_id, ids, at):
            self.absences.record_reported(room_id, (id for id in ids if id != self.owner_id), certain=False)
            return False
        self.absences.record_reported(room_id, ids)
        if self.owner_id in ids:
            self.drop_room(room_id)
        else:
            room.member_ids.difference_update(ids)
            self.version += 1
        return True

    def set_topic_of(self, room_id: str, topic: str) -> None:
        """Change the topic of a group."""
        room = self.rooms.get(room_id)
        if room is not None and room.topic != topic:
            remove_entry(self._topics, room.topic, room_id)
            room.topic = topic
            self.version += 1
            self._topics.setdefault(topic, {})[room_id] = None

    def clear(self) -> None:
        """Remove everything, because another account logged in."""
        self.owner_id, self.unread = "", None
        self.absences.clear()
        self._befriended.clear()
        self._unfriended.clear()
        tables: list[dict[str, Any]] = [self.contacts, self.rooms, self._topics, self._read, self._last_moves]
        for table in (*tables, self._unconfirmed_joins):
            table.clear()
        self._names.clear()

    def snapshot(self) -> dict[str, Any]:
        """Return the content as JSON values, for `load`."""
        return {
            "owner": self.owner_id,
            "unread": None if self.unread is None else sorted(self.unread),
            "befriended": sorted(self._befriended),
            "unfriended": sorted(self._unfriended),
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
        self._befriended = set(rows.get("befriended", ()))
        self._unfriended = set(rows.get("unfriended", ()))
        for id, topic, owner_id, admin_ids, member_ids in rows.get("rooms", ()):
            self.put_room(Room(id, topic, owner_id, tuple(admin_ids), set(member_ids)))

    def _is_late(self, room_id: str, ids: Iterable[str], at: datetime) -> bool:
        """Whether newer data of the group or of one of these people is known; if not, store `at` for them."""
        last_moves = self._last_moves.setdefault(room_id, {})
        read = self._read.get(room_id)
        if (read is not None and at < read - TIME_PRECISION) or any(at < last_moves.get(id, at) for id in ids):
            return True
        last_moves.update(dict.fromkeys(ids, at))
        return False
