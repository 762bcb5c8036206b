"""Groups: creating, changing and leaving them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from sandbox.world.model import ROOM_SUFFIX, Kind, Member, NotThere, Refused, WorldRoom

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
        """Return the group with this id; raise NotThere."""
        room = self._world.state.rooms.get(room_id)
        if room is None:
            raise NotThere(f"没有这个群：{room_id}")
        return room

    def seen_by(self, viewer: str, room_id: str) -> WorldRoom:
        """Return a group this person is in; raise NotThere."""
        room = self.get(room_id)
        if viewer not in room.members:
            raise NotThere(f"不在这个群里：{room_id}")
        return room

    def remembered_by(self, viewer: str, room_id: str) -> WorldRoom:
        """Return a group this person is or was in; raise NotThere. Clients read a group after the event that they left
        it.
        """
        room = self.get(room_id)
        return room if viewer in room.former else self.seen_by(viewer, room_id)

    def of(self, person_id: str) -> list[WorldRoom]:
        """Return the groups of a person."""
        return [room for room in self._world.state.rooms.values() if person_id in room.members]

    def create(self, creator: str, others: Sequence[str], topic: str = "") -> WorldRoom:
        """Create a group of at least three people, who are all friends of the creator.

        The creator is the owner. People beyond the direct limit receive an invitation.
        """
        world = self._world
        me = world.people.get(creator)
        guests = [who for who in dict.fromkeys(others) if who != creator]
        strangers = [who for who in guests if not world.people.are_friends(me.id, who)]
        if strangers:
            raise Refused(f"不是好友，不能拉入群聊：{'、'.join(strangers)}")
        if len(guests) + 1 < MIN_MEMBERS:
            raise Refused("群聊至少需要三个人")
        room = WorldRoom(world.new_room_id(), creator, world.clock())
        world.state.rooms[room.id] = room
        at_once, later = guests[: world.rules.direct_limit - 1], guests[world.rules.direct_limit - 1 :]
        room.members[creator] = Member(creator, room.created_at)
        self.let_in(room, at_once, creator)
        for guest in later:
            world.joins.add(creator, room.id, guest)
        if topic:
            self.set_topic(creator, room.id, topic)
        return room

    def let_in(self, room: WorldRoom, people: Sequence[str], inviter: str) -> None:
        """Add members and notify everyone, checking only the capacity."""
        world = self._world
        if len(room.members) + len(people) > world.rules.capacity:
            raise Refused("群聊人数已达上限")
        now = world.clock()
        for who in people:
            room.members[who] = Member(who, now, inviter)
        self._assign_new_owner(room)
        world.accounts.emit_room(
            room,
            "room-join",
            {"inviteeIdList": list(people), "inviterId": inviter, "roomId": room.id, "timestamp": int(now * 1000)},
        )
        names = "、".join(world.called_in(room.id, who) for who in people)
        self.note(room, f"“{world.called_in(room.id, inviter)}”邀请“{names}”加入了群聊")

    def remove(self, by: str, room_id: str, who: str) -> None:
        """Remove a member. The owner may remove anyone, an admin anyone but the owner and admins."""
        room = self.seen_by(by, room_id)
        if who not in room.members:
            raise Refused("对方不在群里")
        if who == by:
            raise Refused("不能移除自己")
        if not room.manages(by) or who == room.owner or (who in room.admins and by != room.owner):
            raise Refused("只有群主或管理员可以移除群成员")
        self._remove_member(room, who, by)
        self.note(room, f"“{self._world.people.get(who).name}”被移出群聊")

    def leave(self, who: str, room_id: str) -> None:
        """Leave a group. If the owner leaves, the longest member becomes the owner."""
        room = self.seen_by(who, room_id)
        self._remove_member(room, who, who)

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
        self.note(room, f"“{world.called_in(room.id, by)}”修改群名为“{topic}”")

    def announce(self, by: str, room_id: str, text: str) -> None:
        """Set the announcement as owner or admin; it is posted with @所有人."""
        room = self.seen_by(by, room_id)
        if not room.manages(by):
            raise Refused("只有群主或管理员可以发布群公告")
        room.announcement = text
        self._world.changed()
        if text:
            self._world.chats.post(Kind.TEXT, by, room.id, text=f"@所有人\n{text}")

    def set_confirm(self, by: str, room_id: str, on: bool) -> None:
        """Switch 群聊邀请确认 as owner or admin."""
        room = self.seen_by(by, room_id)
        if not room.manages(by):
            raise Refused("只有群主或管理员可以修改进群确认")
        if room.confirm != on:
            room.confirm = on
            self.note(room, "群主已启用群聊邀请确认" if on else "群主已关闭群聊邀请确认")

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
        self._own(room, to)

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

    def note(self, room: WorldRoom, text: str) -> None:
        """Post a system line in the group."""
        if room.members:
            self._world.chats.post(Kind.NOTE, room.owner, room.id, text=text)

    def _own(self, room: WorldRoom, owner: str) -> None:
        room.owner = owner
        room.admins.discard(owner)
        self._dirty(room)
        self.note(room, f"“{self._world.called_in(room.id, owner)}”已成为新群主")

    def _remove_member(self, room: WorldRoom, who: str, by: str) -> None:
        world = self._world
        del room.members[who]
        room.former.add(who)
        room.admins.discard(who)
        self._assign_new_owner(room)
        now = int(world.clock() * 1000)
        payload = {"removeeIdList": [who], "removerId": by, "roomId": room.id, "timestamp": now}
        world.accounts.emit_room(room, "room-leave", payload, also=[who])
        world.emit(who, {"type": "left", "room": room.id, "by": by})
        if who == room.owner and room.members:
            self._own(room, next(iter(room.members)))

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
