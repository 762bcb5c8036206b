"""Assistants: their login state and the events they receive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sandbox.world.model import Account, ObjectNotFound, Person, Refused, WorldRoom

if TYPE_CHECKING:
    from sandbox.world.world import World


# Event stream of a gateway: called with the event's name, its payload, and the seconds to delay it.
Subscriber = Callable[[str, dict[str, Any], float], None]


class AssistantLogins:
    """The people that are controlled by bots."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_person = {account.person_id: name for name, account in world.state.accounts.items()}
        self._subscribers: dict[str, Subscriber] = {}

    def add(self, name: str, *, friends: Iterable[str] = ()) -> Account:
        """Add an assistant, logged in and with these friends."""
        state = self._world.state
        if name in state.accounts:
            raise Refused(f"助手已存在：{name}")
        person = self._world.people.create(name, f"wxid_{name}", weixin=name)
        account = state.accounts[name] = Account(name, person.id)
        self._by_person[person.id] = name
        for friend in friends:
            self._world.people.befriend(friend, person.id)
        return account

    def get(self, name: str) -> Account:
        """Return the assistant of this name; raise ObjectNotFound."""
        account = self._world.state.accounts.get(name)
        if account is None:
            raise ObjectNotFound(f"没有这个助手：{name}")
        return account

    def person(self, name: str) -> Person:
        """Return the person of an assistant."""
        return self._world.people.get(self.get(name).person_id)

    def named(self, person_id: str) -> str:
        """Return the name of the assistant that this person is, or ""."""
        return self._by_person.get(person_id, "")

    def assistants_among(self, people: Iterable[str]) -> list[str]:
        """Return the names of the assistants among these people."""
        crowd = people if isinstance(people, (set, frozenset, dict)) else set(people)
        return [name for person_id, name in self._by_person.items() if person_id in crowd]

    def accounts_seeing(self, person_id: str) -> list[str]:
        """Return the assistants that can see this person: its friends, those in a common group, and itself."""
        state = self._world.state
        seeing = {me for me in self._by_person if person_id in state.people[me].friends or person_id == me}
        for room in state.rooms.values():
            if person_id in room.members:
                seeing.update(me for me in self._by_person if me in room.members)
        return self.assistants_among(seeing)

    # ---- sessions ----

    def login(self, name: str) -> None:
        """Log an account in, as by scanning the QR code. Idempotent."""
        account = self.get(name)
        if account.online:
            return
        account.online = True
        self._world.changed()
        self._world.feed.emit_all({"type": "account", "name": name, "online": True})
        self.emit(name, "login", {"contactId": account.person_id})
        self.emit(name, "ready", {"data": "ready"})

    def logout(self, name: str, reason: str = "logout") -> None:
        """Log an account out. It does not receive later events, not even after the next login."""
        account = self.get(name)
        if not account.online:
            return
        self.emit(name, "logout", {"contactId": account.person_id, "data": reason})
        account.online = False
        self._world.changed()
        self._world.feed.emit_all({"type": "account", "name": name, "online": False})
        self.emit(name, "scan", self.scan_payload(name))

    def scan_payload(self, name: str) -> dict[str, Any]:
        """Return the payload of the scan event of an account."""
        return {"qrcode": f"https://login.weixin.qq.com/l/sandbox-{self.get(name).person_id}", "status": 2}

    # ---- events ----

    def subscribe(self, name: str, subscriber: Subscriber) -> Callable[[], None]:
        """Pass an account's events to `subscriber` until the returned function is called.

        Raises Refused if the account already has a subscriber.
        """
        self.get(name)
        if name in self._subscribers:
            raise Refused("there is another event() call not end when receiving a new one")
        self._subscribers[name] = subscriber
        self._world.feed.emit_all({"type": "account", "name": name, "connected": True})

        def leave() -> None:
            if self._subscribers.get(name) is subscriber:
                del self._subscribers[name]
                self._world.feed.emit_all({"type": "account", "name": name, "connected": False})

        return leave

    def connected(self, name: str) -> bool:
        """Whether a bot is connected."""
        return name in self._subscribers

    def emit(self, name: str, event: str, payload: dict[str, Any]) -> None:
        """Send an event to an account, subject to the active faults. While offline, only logout and scan are sent."""
        world = self._world
        if not self.get(name).online and event not in ("logout", "scan"):
            return
        subscriber = self._subscribers.get(name)
        plan = world.faults.plan_event(event) if subscriber else []
        outcome = "unsubscribed" if subscriber is None else "lost" if not plan else "sent"
        world.trace.add(name, world.clock(), "event", event, payload=payload, outcome=outcome, times=len(plan))
        if subscriber:
            for delay in plan:
                subscriber(event, payload, delay)

    def emit_room(self, room: WorldRoom, event: str, payload: dict[str, Any], also: Iterable[str] = ()) -> None:
        """Send an event to all assistants in a group, and to those among `also` (such as people who have just left)."""
        for name in self.assistants_among({*room.members, *also}):
            self.emit(name, event, payload)

    def fail(self, name: str, text: str) -> None:
        """Emit an error event in the format of wechaty-puppet 1.21."""
        self.emit(name, "error", {"gerror": json.dumps({"name": "Error", "message": text}, ensure_ascii=False)})
