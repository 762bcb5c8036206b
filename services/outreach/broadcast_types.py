"""The request, the targets and the result of a broadcast."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from errors import InvalidParameter
from models.durable import WorkState
from models.rules import Broadcast, BroadcastState
from services.clock import DAY
from services.messaging.messages import Body

Friend = tuple[str, str]  # an account, and the WeChat id of a friend of it
NO_GROUP: Final = 0  # the number of a target that is a friend
MAX_AHEAD: Final = 366 * DAY  # seconds


class Target(NamedTuple):
    """A conversation that a broadcast goes to: a room of a group, or a friend (number = NO_GROUP)."""

    account: str
    number: int
    conversation: str


def check_run_at(run_at: float, now: float) -> None:
    """Raise InvalidParameter for a time too far in the future."""
    if run_at > now + MAX_AHEAD:
        raise InvalidParameter("at: more than a year in the future; allowed: up to a year")


@dataclass(frozen=True, slots=True)
class BroadcastRequest:
    """A broadcast to these groups (by number or code), to those with one of these tags, or to all.

    `account`: only in groups of this assistant ("" = of any). `friends`: also to these people, each as account and
    WeChat id. `run_at`: Unix seconds, 0 = now.
    """

    body: Body
    quns: Sequence[str | int] = ()
    tags: Sequence[str] = ()
    everywhere: bool = False
    friends: Sequence[Friend] = ()
    account: str = ""
    run_at: float = 0

    def fingerprint(self) -> str:
        """Return a hash that is equal for equal requests."""
        parts = [self.body, list(self.quns), list(self.tags), self.everywhere, self.account, self.run_at]
        parts += [list(self.friends)] if self.friends else []  # without friends: the hash of earlier versions
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class BroadcastResult:
    """A broadcast with the state of each group and friend; a group is sent once all of its rooms are."""

    broadcast: Broadcast
    groups: dict[int, str] = field(default_factory=dict)
    friends: dict[Friend, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """Return queued, sending, done (nothing is open any more) or cancelled (a part was cancelled)."""
        states = {*self.groups.values(), *self.friends.values()}
        if self.broadcast.state == BroadcastState.WITHDRAWN:
            return str(WorkState.CANCELLED)
        if not states & {WorkState.QUEUED, WorkState.SENDING}:
            return "done"
        return str(WorkState.QUEUED if states == {WorkState.QUEUED} else WorkState.SENDING)
