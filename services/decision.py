"""What a service decides for an event, carried out by the handler that asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Decision:
    """What a token is answered with: words for its sender, and what is to be written and done; `opens`: whether
    whoever asks to be a friend with it may come in, or is in already."""

    words: str = ""
    write: Callable[[Session], object] | None = None
    then: Callable[[], None] | None = None
    opens: bool = False
    choices: tuple[str, ...] = ()  # lines of the words that can be tapped, where the channel can do that
