"""Contacts, groups and the contents of messages, independent of the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO


@dataclass(slots=True)
class Contact:
    """A person or official account known to the assistant."""

    id: str
    name: str = ""
    alias: str = ""  # 备注, set by the assistant
    weixin: str = ""  # 微信号
    friend: bool = False
    official: bool = False
    avatar: str = ""


@dataclass(slots=True)
class Room:
    """A group the assistant is in."""

    id: str
    topic: str = ""
    owner_id: str = ""
    admin_ids: tuple[str, ...] = ()
    member_ids: set[str] = field(default_factory=set)
    join_state: str = ""  # of the code by which people join it (JOIN_BY_CODE): the number of its qun


@dataclass(frozen=True, slots=True)
class Media:
    """A file with its name."""

    name: str
    data: bytes
    file: IO[bytes] | None = field(default=None, compare=False)  # instead of `data`, for large files

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data) if self.file is None else self.file.seek(0, 2)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes in chunks; reading a file on disk blocks."""
        if self.file is None:
            yield self.data
            return
        self.file.seek(0)
        while piece := self.file.read(1024 * 1024):
            yield piece


@dataclass(frozen=True, slots=True)
class Link:
    """A link card."""

    title: str
    url: str
    description: str = ""
    thumbnail: str = ""


@dataclass(frozen=True, slots=True)
class MiniProgram:
    """A mini-program card."""

    appid: str
    title: str
    username: str = ""
    page_path: str = ""
    description: str = ""
