"""Settings of business systems: webhooks and systems called by flows."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from config.section import Secret, SecretWebAddress, Section, WebAddress, check_secret_length

BASE64: Final = "whsec_"  # prefix of a secret in base64
SECRET_LIKE: Final = re.compile(r"(?=.*\d)[\w.~+=%-]{12,}|[\w.~+=%-]{24,}")  # part of a path

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


ONLY_BY_NAME: Final = frozenset({"message.received", "message.sent"})  # sent only to webhooks that list them


def named(webhooks: Sequence[WebhookSettings]) -> list[WebhookSettings]:
    """Return the webhooks with names: the host by default, or the URL if several webhooks share a host."""
    used_names = {webhook.name for webhook in webhooks}
    result = []
    for webhook in webhooks:
        name = webhook.name or (webhook.host if webhook.host not in used_names else webhook.shown_url)
        used_names.add(name)
        result.append(webhook if name == webhook.name else webhook.model_copy(update={"name": name}))
    return result


def _decoded(text: str, *, strict: bool) -> bytes:
    """Decode base64, with or without padding; return b"" if it is invalid.

    Not strict: ignore invalid characters, as receivers in Python do.
    """
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4 if strict else 2), validate=strict)
    except ValueError:
        return b""


class WebhookSettings(Section):
    """A webhook; without a list of events it receives all except ONLY_BY_NAME.

    `name` identifies its queue, also after a change of the URL; Config sets the default.
    """

    name: Annotated[str, Field(pattern=r"^[\w.:-]*$", max_length=100)] = ""
    url: SecretWebAddress
    secret: Secret
    events: list[EventType] = Field([])

    @field_validator("secret")
    @classmethod
    def _check_secret(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be empty")
        if value.startswith(BASE64) and not _decoded(value.removeprefix(BASE64), strict=True):
            raise ValueError(f"expected base64 after {BASE64} (openssl rand -base64 32 creates it)")
        return check_secret_length(value)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys with which events are signed.

        Without whsec_ it is unknown whether the receiver decodes the secret as base64, as Standard Webhooks libraries
        do, or uses it literally. Both keys sign, and it accepts the signature it knows.
        """
        if self.secret.startswith(BASE64):
            return (_decoded(self.secret.removeprefix(BASE64), strict=True),)
        return tuple(filter(None, (_decoded(self.secret, strict=False), self.secret.encode())))

    def wants(self, event: str) -> bool:
        """Whether the webhook subscribes to this event type."""
        return event in self.events or (not self.events and event not in ONLY_BY_NAME)

    @property
    def host(self) -> str:
        """The host of the URL."""
        return urlsplit(self.url).hostname or ""

    @property
    def plain_url(self) -> str:
        """The URL without user, query and fragment: the name of its queue in earlier versions."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return self._marked(f"{parts.scheme}://{host}{parts.path}")

    @property
    def shown_url(self) -> str:
        """The URL for logs, lists, metrics and pages; parts of the path that look like a secret are masked as well."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return self._marked(f"{parts.scheme}://{host}{_without_secrets(parts.path)}")

    def _marked(self, masked_value: str) -> str:
        """Append a hash if something is left out, so that two webhooks can be distinguished."""
        return (
            masked_value if masked_value == self.url else f"{masked_value}#{sha256(self.url.encode()).hexdigest()[:8]}"
        )


def _without_secrets(path: str) -> str:
    return "/".join("…" if SECRET_LIKE.fullmatch(part) else part for part in path.split("/"))


HeaderName = Annotated[str, Field(pattern=r"^[\w-]+$")]
HeaderValue = Annotated[Secret, Field(pattern=r"^[^\r\n]*$")]


class SystemSettings(Section):
    """A business system called by flows."""

    base_url: WebAddress
    title: str = ""  # name shown to people; empty = the key
    headers: dict[HeaderName, HeaderValue] = Field({})
    timeout: float = Field(10, gt=0)
