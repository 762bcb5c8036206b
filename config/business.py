"""The business systems around the bot as config.yaml names them: who is told, who is called."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from config.section import Secret, SecretWebAddress, Section, WebAddress

BASE64: Final = "whsec_"  # what a secret that is certainly base64 begins with

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
    "ticket.waiting",
    "ticket.closed",
    "message.failed",
    "message.sent",
    "message.received",
    "assistant.online",
    "assistant.offline",
    "account.scan",
    "flow.finished",
    "flow.late",
]


ONLY_BY_NAME: Final = frozenset({"message.received", "message.sent"})  # told only to webhooks that list them


def named(webhooks: Sequence[WebhookSettings]) -> list[WebhookSettings]:
    """The webhooks, those without a name called by their host; by their url where several are on one host."""
    taken = {webhook.name for webhook in webhooks}
    made = []
    for webhook in webhooks:
        name = webhook.name or (webhook.host if webhook.host not in taken else webhook.plain_url)
        taken.add(name)
        made.append(webhook if name == webhook.name else webhook.model_copy(update={"name": name}))
    return made


def _decoded(text: str, *, strict: bool) -> bytes:
    """The bytes of a base64 text, with or without its padding; none when it is no base64. Not strict: what does not
    belong there is passed over, as receivers in Python do."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4 if strict else 2), validate=strict)
    except ValueError:
        return b""


class WebhookSettings(Section):
    """A business system that is told of events; no events listed means all but those of ONLY_BY_NAME.

    `name`: whose what waits is, also when the url changes; Config fills it in where it is not given.
    """

    name: Annotated[str, Field(pattern=r"^[\w.:-]{0,100}$")] = ""
    url: SecretWebAddress
    secret: Secret
    events: list[EventType] = Field([])

    @field_validator("secret")
    @classmethod
    def _base64(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("it must not be empty")
        if value.startswith(BASE64) and not _decoded(value.removeprefix(BASE64), strict=True):
            raise ValueError(f"base64 is wanted behind {BASE64} (openssl rand -base64 32 makes one)")
        return value

    @property
    def keys(self) -> tuple[bytes, ...]:
        """What its events are signed with. Without whsec_ nothing says whether the receiver takes the secret for
        base64, as libraries of Standard Webhooks do, or as it is: both sign, and it takes the signature it knows."""
        if self.secret.startswith(BASE64):
            return (_decoded(self.secret.removeprefix(BASE64), strict=True),)
        return tuple(filter(None, (_decoded(self.secret, strict=False), self.secret.encode())))

    def wants(self, event: str) -> bool:
        """Whether it is told of events of this type."""
        return event in self.events or (not self.events and event not in ONLY_BY_NAME)

    @property
    def host(self) -> str:
        """The host of its url."""
        return urlsplit(self.url).hostname or ""

    @property
    def plain_url(self) -> str:
        """Its url without what may be secret in it."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        plain = f"{parts.scheme}://{host}{parts.path}"
        return plain if plain == self.url else f"{plain}#{sha256(self.url.encode()).hexdigest()[:8]}"


HeaderName = Annotated[str, Field(pattern=r"^[\w-]+$")]
HeaderValue = Annotated[Secret, Field(pattern=r"^[^\r\n]*$")]


class SystemSettings(Section):
    """A business system that flows call."""

    base_url: WebAddress
    title: str = ""  # what people are told it is called; empty = its key
    headers: dict[HeaderName, HeaderValue] = Field({})
    timeout: float = Field(10, gt=0)
