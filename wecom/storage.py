"""What an account keeps over restarts. `services.accounts.wecom_storage` does it in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from wechat.events import RawEvent


class Allowance(StrEnum):
    """Whether one more message may go to a customer."""

    GRANTED = "granted"
    REPEATED = "repeated"  # this very message was tried before
    USED_UP = "used up"  # five messages since the customer last spoke
    SILENT = "silent"  # the customer has not spoken for 48 hours, or never


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that opens or renews the right to write to a customer. `code`: the one to welcome them with."""

    contact_id: str
    at: float  # Unix seconds
    code: str = ""
    spoke: bool = True


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token, shared by all processes that use the same app."""

    value: str
    expires_at: float  # Unix seconds


class Storage(Protocol):
    """The kept state of one account."""

    async def prefix(self) -> str:
        """Eight characters that are this database's own; what its message ids begin with."""

    async def cursor(self) -> str:
        """Where reading messages goes on; "" at the very first."""

    async def take_page(self, raws: Sequence[RawEvent], heard: Sequence[Heard], cursor: str) -> None:
        """Keep a page's events, what they allow, and the cursor behind them, in one transaction."""

    async def token(self) -> AccessToken | None:
        """The token that some process has fetched last."""

    async def keep_token(self, token: AccessToken) -> None:
        """Share a token."""

    async def spend(self, contact_id: str, message_id: str) -> Allowance:
        """Count a message against the customer's allowance; the same message counts once."""

    async def used_up(self, contact_id: str) -> None:
        """The platform says that the allowance is used up."""

    async def take_code(self, contact_id: str, message_id: str) -> str:
        """The code to welcome the customer with, for one message; "" when there is none, or another has it."""

    async def payload(self, message_id: str) -> dict[str, Any]:
        """A message as the platform sent it; {} when it is not kept."""
