"""Groups: creating, changing and leaving them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from sandbox.world.model import ROOM_SUFFIX, Kind, Member, ObjectNotFound, Refused, WorldRoom

if TYPE_CHECKING:
    from sandbox.world.world import World

MIN_MEMBERS: Final = 3
DIRTY_ROOM: Final = 3
DIRTY_ROOM_MEMBER: Final = 4
MAX_ADMINS: Final = 3


class RoomRules:
    """All groups of the world. Joining is in joins.py."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get(self, room_id: str) -> WorldRoom:
        """Return the group with this id; raise ObjectNotFound."""
        room = self._world.state.rooms.get(room_id)
        if room is None:
            raise ObjectNotFound(f"没有这个群：{room_id}")
        return room

    def seen_by(self, viewer: str, room_id: str) -> WorldRoom:
        """Return a group this person is in; raise ObjectNotFound."""
        room = self.get(room_id)
        if viewer not in room.members:
            raise ObjectNotFound(f"不在这个群里：{room_id}")
        return room

    def seen_or_left_by(self, viewer: str, room_id: str) -> WorldRoom:
        """Return a group this person is or was in; raise ObjectNotFound.

        Clients read a group after the event that they left it.
        """
        room = self.get(room_id)
        return room if viewer in room.former else self.seen_by(viewer, room_id)

    def of(self, person_id: str) -> list[WorldRoom]:
        """Return the groups of a person."""
        return [room for room in self._world.state.rooms.values() if person_id in room.members]

    def create(self, creator: str, invited: Sequence[str], topic: str = "") -> WorldRoom:
        """Create a group of at least three people, who are all friends of the creator.

        The creator is the owner. People beyond the direct limit receive an invitation.
        """
        world = self._world
        me = world.people.get(creator)
        invitees = [id for id in dict.fromkeys(invited) if id != creator]
        strangers = [id for id in invitees if not world.people.are_friends(me.id, id)]
        if strangers:
            raise Refused(f"不是好友，不能拉入群聊：{'、'.join(strangers)}")
        if len(invitees) + 1 < MIN_MEMBERS:
            raise Refused("群聊至少需要三个人")
        room = WorldRoom(world.new_room_id(), creator, world.clock())
        world.state.rooms[room.id] = room
        at_once, later = invitees[: world.rules.direct_limit - 1], invitees[world.rules.direct_limit - 1 :]
        room.members[creator] = Member(creator, room.created_at)
        self.admit_members(room, at_once, creator)
        for invitee in later:
            world.joins.add(creator, room.id, invitee)
        if topic:
            self.set_topic(creator, room.id, topic)
        return room

    def admit_members(self, room: WorldRoom, people: Sequence[str], inviter: str) -> None:
        """Add members and notify everyone, checking only the capacity."""
        world = self._world
        if len(room.members) + len(people) > world.rules.capacity:
            raise Refused("群聊人数已达上限")
        now = world.clock()
        for id in people:
            room.members[id] = Member(id, now, inviter)
        self._assign_new_owner(room)
        world.accounts.emit_room(
            room,
            "room-join",
            {"inviteeIdList": list(people), "inviterId": inviter, "roomId": room.id, "timestamp": int(now * 1000)},
        )
        names = "、".join(world.name_in(room.id, id) for id in people)
        self.post_note(room, f"“{world.name_in(room.id, inviter)}”邀请“{names}”加入了群聊")

    def remove(self, by: str, room_id: str, person_id: str) -> None:
        """Remove a member. The owner may remove anyone, an admin anyone but the owner and admins."""
        room = self.seen_by(by, room_id)
        if person_id not in room.members:
            raise Refused("对方不在群里")
        if person_id == by:
            raise Refused("不能移除自己")
        if not room.manages(by) or person_id == room.owner or (person_id in room.admins and by != room.owner):
            raise Refused("只有群主或管理员可以移除群成员")
        self._remove_member(room, person_id, by)
        self.post_note(room, f"“{self._world.people.get(person_id).name}”被移出群聊")

    def leave(self, person_id: str, room_id: str) -> None:
        """Leave a group. If the owner leaves, the longest member becomes the owner."""
        room = self.seen_by(person_id, room_id)
        self._remove_member(room, person_id, person_id)

    def set_topic(self, by: str, room_id: str, topic: str) -> None:
        """Change the topic of a group, as any member. Setting the same topic does nothing."""
        room = self.seen_by(by, room_id)
        if not topic.strip():
            raise Refused("群名不能为空")
        if topic == room.topic:
            return
        world, old = self._world, room.topic
        room.topic = topic
        payload = {"changerId": by, "newTopic": topic, "oldTopic": old, "roomId": room.id}
        self._dirty(room)
        world.accounts.emit_room(room, "room-topic", {**payload, "timestamp": int(world.clock() * 1000)})
        self.post_note(room, f"“{world.name_in(room.id, by)}”修改群名为“{topic}”")

    def announce(self, by: str, room_id: str, text: str) -> None:
        """Set the announcement as owner or admin; it is posted with @所有人."""
        room = self.seen_by(by, room_id)
        if not room.manages(by):
            raise Refused("只有群主或管理员可以发布群公告")
        room.announcement = text
        self._world.changed()
        if text:
            self._world.chats.post(Kind.TEXT, by, room.id, text=f"@所有人\n{text}")

    def set_confirm(self, by: str, room_id: str, enabled: bool) -> None:
        """Switch 群聊邀请确认 as owner or admin."""
        room = self.seen_by(by, room_id)
        if not room.manages(by):
            raise Refused("只有群主或管理员可以修改进群确认")
        if room.confirm != enabled:
            room.confirm = enabled
            self.post_note(room, "群主已启用群聊邀请确认" if enabled else "群主已关闭群聊邀请确认")

    def set_alias(self, by: str, room_id: str, alias: str) -> None:
        """Set one's own alias in the group; an empty one clears it."""
        room = self.seen_by(by, room_id)
        room.members[by].alias = alias
        self._dirty(room)

    def transfer(self, by: str, room_id: str, to: str) -> None:
        """Transfer the group to another member, as its owner."""
        room = self.seen_by(by, room_id)
        if by != room.owner:
            raise Refused("只有群主可以转让群")
        if to not in room.members:
            raise Refused("对方不在群里")
        self._set_owner(room, to)

    def set_admins(self, by: str, room_id: str, admins: Iterable[str]) -> None:
        """Set the admins as owner: members, at most three."""
        room = self.seen_by(by, room_id)
        chosen = set(admins) - {room.owner}
        if by != room.owner:
            raise Refused("只有群主可以设置管理员")
        if len(chosen) > MAX_ADMINS or not chosen <= set(room.members):
            raise Refused("管理员最多三位，且须是群成员")
        room.admins = chosen
        self._dirty(room)

    def post_note(self, room: WorldRoom, text: str) -> None:
        """Post a system line in the group."""
        if room.members:
            self._world.chats.post(Kind.NOTE, room.owner, room.id, text=text)

    def _set_owner(self, room: WorldRoom, owner: str) -> None:
        room.owner = owner
        room.admins.discard(owner)
        self._dirty(room)
        self.post_note(room, f"“{self._world.name_in(room.id, owner)}”已成为新群主")

    def _remove_member(self, room: WorldRoom, person_id: str, by: str) -> None:
        world = self._world
        del room.members[person_id]
        room.former.add(person_id)
        room.admins.discard(person_id)
        self._assign_new_owner(room)
        now = int(world.clock() * 1000)
        payload = {"removeeIdList": [person_id], "removerId": by, "roomId": room.id, "timestamp": now}
        world.accounts.emit_room(room, "room-leave", payload, also=[person_id])
        world.emit(person_id, {"type": "left", "room": room.id, "by": by})
        if person_id == room.owner and room.members:
            self._set_owner(room, next(iter(room.members)))

    def _assign_new_owner(self, room: WorldRoom) -> None:
        room.audience = frozenset(room.members)
        self._dirty(room)

    def _dirty(self, room: WorldRoom) -> None:
        """Tell the gateways' clients to drop their cached data of the group."""
        self._world.changed()
        for dirty in (DIRTY_ROOM, DIRTY_ROOM_MEMBER):
            self._world.accounts.emit_room(room, "dirty", {"payloadType": dirty, "payloadId": room.id})
        for person_id in self._world.feed.with_readers(room.members):
            self._world.emit(person_id, {"type": "room", "id": room.id})


def is_room(chat: str) -> bool:
    """Whether a chat id is a group id."""
    return chat.endswith(ROOM_SUFFIX)
