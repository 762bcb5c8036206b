"""People, their names and friendships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sandbox.world.model import ROOM_SUFFIX, Friendship, Kind, ObjectNotFound, Person, Refused

if TYPE_CHECKING:
    from sandbox.world.world import World

CONFIRM: Final = 1
RECEIVE: Final = 2
VERIFY: Final = 3
DIRTY_CONTACT: Final = 2
GREETING: Final = "我通过了你的朋友验证请求，现在我们可以开始聊天了"


class PeopleRules:
    """All people of the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get(self, person_id: str) -> Person:
        """Return the person with this id; raise ObjectNotFound."""
        person = self._world.state.people.get(person_id)
        if person is None:
            raise ObjectNotFound(f"没有这个人：{person_id}")
        return person

    def create(
        self, name: str, person_id: str = "", *, weixin: str = "", official: bool = False, phone: str = ""
    ) -> Person:
        """Create a person. Id and 微信号 are generated unless given; both are unique."""
        state = self._world.state
        if not name.strip():
            raise Refused("昵称不能为空")
        person_id = person_id or self._world.new_id("wxid_", state.people)
        weixin = weixin or f"wx-{person_id.removeprefix('wxid_')}"
        if person_id.endswith(ROOM_SUFFIX):
            raise Refused(f"这是群的 id：{person_id}")
        if person_id in state.people or self.by_weixin(weixin):
            raise Refused(f"微信 id 或微信号已存在：{person_id} / {weixin}")
        uin = 1_000_000 + len(state.people)
        person = Person(person_id, name, weixin, uin, official=official, phone=phone)
        state.people[person_id] = person
        self._world.weixins[weixin] = person_id
        self._world.changed()
        return person

    def by_weixin(self, weixin: str) -> Person | None:
        """Return the person with this 微信号."""
        person_id = self._world.weixins.get(weixin)
        return self._world.state.people[person_id] if person_id else None

    def by_phone(self, phone: str) -> Person | None:
        """Return the person with this phone number."""
        return next((p for p in self._world.state.people.values() if phone and p.phone == phone), None)

    def rename(self, person_id: str, name: str) -> None:
        """Change a person's nickname."""
        person = self.get(person_id)
        if not name.strip():
            raise Refused("昵称不能为空")
        person.name = name
        self._world.changed()
        self._world.feed.emit_all({"type": "person", "id": person_id, "name": name})
        for account in self._world.accounts.accounts_seeing(person_id):
            self._world.accounts.emit(account, "dirty", {"payloadType": DIRTY_CONTACT, "payloadId": person_id})

    def set_alias(self, by: str, person_id: str, alias: str) -> None:
        """Set the remark (备注) of a friend; an empty one clears it."""
        person = self.get(by)
        self.get(person_id)
        if person_id not in person.friends:
            raise Refused("对方不是好友，不能设置备注")
        if alias:
            person.aliases[person_id] = alias
        else:
            person.aliases.pop(person_id, None)
        self._world.changed()

    def are_friends(self, first: str, second: str) -> bool:
        """Whether both have each other in their contact lists."""
        return second in self.get(first).friends and first in self.get(second).friends

    def befriend(self, first: str, second: str) -> None:
        """Make two people friends without a request; assistants among them are notified."""
        if first == second:
            raise Refused("不能添加自己为好友")
        if self.are_friends(first, second):
            return
        friendship = self._new(first, second, "")
        self._become_friends(friendship)

    def ask(self, asker: str, person_id: str, hello: str = "") -> Friendship:
        """Send a friend request. Repeating an open request replaces its text and notifies again.

        If the other person still has the asker as a friend, they become friends at once, as in WeChat.
        """
        if asker == person_id:
            raise Refused("不能添加自己为好友")
        if self.are_friends(asker, person_id):
            raise Refused("对方已经是你的好友")
        friendship = self.pending_request(asker, person_id) or self._new(asker, person_id, hello)
        friendship.hello, friendship.at = hello, self._world.clock()
        if asker in self.get(person_id).friends:
            self._become_friends(friendship)
            return friendship
        self._world.changed()
        self._world.emit(person_id, {"type": "friend_request", "id": friendship.id, "from": asker, "hello": hello})
        self._notify_account(person_id, friendship.id)
        return friendship

    def pending_request(self, asker: str, asked: str) -> Friendship | None:
        """Return the open request from one person to the other."""
        state = self._world.state
        return next(
            (f for f in state.friendships.values() if (f.asker, f.asked, f.state) == (asker, asked, "waiting")), None
        )

    def accept(self, by: str, friendship_id: str) -> None:
        """Accept a request to oneself. Idempotent."""
        friendship = self._asked_of(by, friendship_id)
        if friendship.state == "accepted":
            return
        if friendship.state == "refused":
            raise Refused("好友请求已被拒绝")
        self._become_friends(friendship)

    def refuse(self, by: str, friendship_id: str) -> None:
        """Reject a request. The asker is not notified, as in WeChat."""
        friendship = self._asked_of(by, friendship_id)
        if friendship.state == "accepted":
            raise Refused("已经是好友")
        friendship.state = "refused"
        self._world.changed()

    def forget(self, by: str, other: str) -> None:
        """Delete a friend. The other person keeps the contact and is not notified."""
        person = self.get(by)
        if other not in person.friends:
            raise Refused("对方不是你的好友")
        person.friends.discard(other)
        person.aliases.pop(other, None)
        self._world.changed()
        self._world.emit(by, {"type": "friend_gone", "id": other})

    def needs_verifying(self, sender: str, receiver: str) -> None:
        """Note that `receiver` has deleted `sender`: an assistant receives a friendship of type verify."""
        friendship = self._new(receiver, sender, "")
        friendship.type, friendship.state = VERIFY, "refused"
        self._notify_account(sender, friendship.id)

    def seen_by(self, viewer: str, friendship_id: str) -> Friendship:
        """Return a friendship that involves the viewer; raise ObjectNotFound."""
        friendship = self._world.state.friendships.get(friendship_id)
        if friendship is None or viewer not in (friendship.asker, friendship.asked):
            raise ObjectNotFound(f"没有这个好友请求：{friendship_id}")
        return friendship

    def _asked_of(self, by: str, friendship_id: str) -> Friendship:
        friendship = self.seen_by(by, friendship_id)
        if friendship.asked != by or friendship.type != RECEIVE:
            raise ObjectNotFound(f"没有这个好友请求：{friendship_id}")
        return friendship

    def _new(self, asker: str, asked: str, hello: str) -> Friendship:
        self.get(asker)
        self.get(asked)
        state = self._world.state
        friendship = Friendship(self._world.new_id("fs_", state.friendships), asker, asked, hello, self._world.clock())
        state.friendships[friendship.id] = friendship
        return friendship

    def _become_friends(self, friendship: Friendship) -> None:
        world = self._world
        friendship.state = "accepted"
        asker, asked = self.get(friendship.asker), self.get(friendship.asked)
        asker.friends.add(asked.id)
        asked.friends.add(asker.id)
        world.changed()
        for person, other in ((asker, asked), (asked, asker)):
            world.emit(person.id, {"type": "friend", "id": other.id, "name": other.name})
            if account := world.accounts.named(person.id):
                world.accounts.emit(account, "dirty", {"payloadType": DIRTY_CONTACT, "payloadId": other.id})
                confirmation = Friendship(
                    world.new_id("fs_", world.state.friendships), other.id, person.id, friendship.hello, world.clock()
                )
                confirmation.type, confirmation.state = CONFIRM, "accepted"
                world.state.friendships[confirmation.id] = confirmation
                self._notify_account(person.id, confirmation.id)
        world.chats.post(Kind.NOTE, asked.id, asker.id, text=GREETING)

    def _notify_account(self, person_id: str, friendship_id: str) -> None:
        account = self._world.accounts.named(person_id)
        if account:
            self._world.accounts.emit(account, "friendship", {"friendshipId": friendship_id})
