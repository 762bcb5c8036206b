"""The result of a service's decision about an event, carried out by the handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Decision:
    """The reply to an event, what to write in its transaction, and what to do after the commit.

    `may_accept`: whether a friend request with the token may be accepted.
    """

    reply: str = ""
    write: Callable[[Session], object] | None = None
    after: Callable[[], None] | None = None
    may_accept: bool = False
    choices: tuple[str, ...] = ()  # lines of `reply` that are buttons where the channel supports them
