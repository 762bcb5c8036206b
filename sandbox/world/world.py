"""The simulated WeChat, without a network."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox.world.accounts import AssistantLogins
from sandbox.world.chats import ChatRules
from sandbox.world.faults import Faults, Limits
from sandbox.world.feed import Channels, Trace
from sandbox.world.joins import JoinRules
from sandbox.world.model import ROOM_SUFFIX, Member, Person, WorldRoom, WorldState
from sandbox.world.people import PeopleRules
from sandbox.world.rooms import RoomRules

Clock = Callable[[], float]
LETTERS: Final = string.ascii_lowercase + string.digits

SONG: Final = "wxid_songgongming"
XUANFENG: Final = "wxid_heixuanfeng"
ZHIDUO: Final = "wxid_zhiduoxing"
ADMIN: Final = "wxid_admin"
WENLONG: Final = "wxid_jiuwenlong"

DEFAULT_PEOPLE: Final = (
    (SONG, "宋公明", "jishiyu"),
    (XUANFENG, "黑旋风", "likui01"),
    (ZHIDUO, "智多星", "wuyong88"),
    (ADMIN, "店长", "dianzhang"),
    (WENLONG, "九纹龙", "shijin09"),
)
DEFAULT_FRIENDS: Final = (SONG, XUANFENG, ZHIDUO, ADMIN)


@dataclass(slots=True)
class WorldRules:
    """WeChat's group limits; tests may lower them."""

    direct_limit: int = 40  # from this many members on, an add sends an invitation
    capacity: int = 500
    qr_limit: int = 200  # number of members from which joining by QR code is disabled


class World:
    """A simulated WeChat. All methods are synchronous."""

    def __init__(self, *, seed: int | None = None, clock: Clock = time.time, state: WorldState | None = None) -> None:
        self.clock = clock
        self.state = state or WorldState()
        self.rules = WorldRules()
        self.on_change: Callable[[], None] | None = None
        self.avatar_base = ""  # prefix of avatar URLs
        self.weixins = {person.weixin: person.id for person in self.state.people.values()}
        self._random = random.Random(seed)
        self.faults = Faults(seed)
        self.limits = Limits(clock)
        self.feed = Channels()
        self.trace = Trace()
        self.accounts = AssistantLogins(self)
        self.people = PeopleRules(self)
        self.rooms = RoomRules(self)
        self.joins = JoinRules(self)
        self.chats = ChatRules(self)

    @classmethod
    def default(cls, accounts: Iterable[str] = (), *, seed: int | None = None, clock: Clock = time.time) -> World:
        """Create a world with the default people and these assistants."""
        world = cls(seed=seed, clock=clock)
        for person_id, name, weixin in DEFAULT_PEOPLE:
            person = world.people.create(name, person_id, weixin=weixin)
            for other in list(world.state.people.values()):
                if other is not person:
                    person.friends.add(other.id)
                    other.friends.add(person.id)
        world.ensure(accounts)
        return world

    def ensure(self, accounts: Iterable[str]) -> None:
        """Add missing assistants as friends of the default people."""
        friends = [person_id for person_id in DEFAULT_FRIENDS if person_id in self.state.people]
        for name in accounts:
            if name not in self.state.accounts:
                self.accounts.add(name, friends=friends)

    # ---- persistence ----

    def save(self, path: Path | str) -> None:
        """Write the world to a JSON file, and its media to a directory beside it."""
        from sandbox.world.storage import save

        save(self.state, Path(path))

    @classmethod
    def load(cls, path: Path | str, *, seed: int | None = None, clock: Clock = time.time) -> World:
        """Load a saved world."""
        from sandbox.world.storage import load

        return cls(seed=seed, clock=clock, state=load(Path(path)))

    def changed(self) -> None:
        """Report a change that has to be saved."""
        if self.on_change is not None:
            self.on_change()

    # ---- helpers ----

    def next_number(self) -> int:
        """Return a new number."""
        self.state.last_id += 1
        return self.state.last_id

    def new_id(self, prefix: str, taken: Container[str]) -> str:
        """Return a random id that is not in `taken`."""
        while (candidate := prefix + "".join(self._random.choices(LETTERS, k=14))) in taken:
            pass
        return candidate

    def new_room_id(self) -> str:
        """Return a random group id."""
        while (candidate := f"{self._random.randrange(10**10, 10**11)}{ROOM_SUFFIX}") in self.state.rooms:
            pass
        return candidate

    def emit(self, person_id: str, item: dict[str, Any]) -> None:
        """Notify a person's page."""
        self.feed.emit(person_id, item)

    def name_in(self, room_id: str, person_id: str) -> str:
        """Return a person's name in a group: the group alias, else the nickname."""
        member = self.rooms.get(room_id).members.get(person_id)
        return (member.alias if member else "") or self.people.get(person_id).name

    # ---- bulk creation, for load tests ----

    def add_crowd(self, account: str, number: int, *, prefix: str = "crowd", friends: bool = True) -> list[Person]:
        """Create many people with ids `wxid_{prefix}_{n}`, by default as friends of an account, without events."""
        me = self.accounts.person(account)
        ids = []
        for n in range(number):
            person = self.people.create(f"{prefix}{n}", f"wxid_{prefix}_{n}", weixin=f"{prefix}-{n}")
            if friends:
                person.friends.add(me.id)
                me.friends.add(person.id)
            ids.append(person)
        return ids

    def add_room(self, owner: str, members: Iterable[str], topic: str) -> WorldRoom:
        """Create a group with these members and the owner, without events or checks."""
        room = WorldRoom(self.new_room_id(), owner, self.clock(), topic=topic)
        for person_id in dict.fromkeys((owner, *members)):
            room.members[self.people.get(person_id).id] = Member(person_id, room.created_at, owner)
        room.audience = frozenset(room.members)
        self.state.rooms[room.id] = room
        self.changed()
        return room
