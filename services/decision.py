"""The result of a service's decision about an event, carried out by the handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Decision:
    """The reaction to a join token: the reply, what to write in the transaction, and what to do afterwards.

    `opens`: whether a friend request with the token may be accepted.
    """

    words: str = ""
    write: Callable[[Session], object] | None = None
    then: Callable[[], None] | None = None
    opens: bool = False
    choices: tuple[str, ...] = ()  # lines of `words` that are buttons where the channel supports them
