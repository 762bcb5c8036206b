"""The business systems around the bot as config.yaml names them: who is told, who is called."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from section import NonEmpty, Section, WebAddress

EventType = Literal[
    "qun.created",
    "qun.lost",
    "qun.found",
    "member.joined",
    "member.invited",
    "member.left",
    "member.removed",
    "member.refused",
    "friend.added",
    "ticket.opened",
    "ticket.closed",
    "message.failed",
    "assistant.online",
    "assistant.offline",
    "flow.finished",
]


class Webhook(Section):
    """A business system that is told of events; no events listed means all."""

    url: WebAddress
    secret: NonEmpty
    events: list[EventType] = Field([])

    @field_validator("secret")
    @classmethod
    def _base64(cls, value: str) -> str:
        key = value.removeprefix("whsec_")
        try:
            decoded = base64.b64decode(key + "=" * (-len(key) % 4), validate=True)
        except ValueError:
            decoded = b""
        if not decoded:
            raise ValueError("base64 is wanted, with or without whsec_ before it (openssl rand -base64 32 makes one)")
        return value

    @property
    def lane(self) -> str:
        """The receiver's name in the database, in logs and figures: its url without what may be secret in it."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        plain = f"{parts.scheme}://{host}{parts.path}"
        return plain if plain == self.url else f"{plain}#{sha256(self.url.encode()).hexdigest()[:8]}"


class System(Section):
    """A business system that flows call."""

    base_url: WebAddress
    title: str = ""  # what people are told it is called; empty = its key
    headers: dict[Annotated[str, Field(pattern=r"^[\w-]+$")], Annotated[str, Field(pattern=r"^[^\r\n]*$")]] = Field({})
    timeout: float = Field(10, gt=0)
