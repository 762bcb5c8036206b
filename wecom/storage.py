"""Interface of an account's persistent state. Implemented by services.accounts.wecom_storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from wechat.events import RawEvent


class Allowance(StrEnum):
    """Whether another message may be sent to a customer."""

    GRANTED = "granted"
    REPEATED = "repeated"  # this message was tried before
    USED_UP = "used up"  # five messages after the customer's last one
    SILENT = "silent"  # no message from the customer within 48 hours, or none at all


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """An event that grants messages to a customer. `code`: of a welcome or of a session's end, for one message."""

    contact_id: str
    at: float  # Unix seconds
    code: str = ""
    spoke: bool = True


@dataclass(frozen=True, slots=True)
class TakenCode:
    """A code that sends one message. `tried`: the same message was tried with it before."""

    value: str
    tried: bool


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token, shared by all processes of the app."""

    value: str
    expires_at: float  # Unix seconds


@dataclass(frozen=True, slots=True)
class Chat:
    """A group that people join by a QR code. `state`: carried by members who did; `picture`: the QR code."""

    id: str
    state: str
    config_id: str = ""  # of the join way; "" for a group that WeCom created behind one
    picture: bytes = b""


@dataclass(frozen=True, slots=True)
class GroupTask:
    """A message to a group that staff confirm. `key`: our own; `msgid`: the platform's, "" until it has answered."""

    key: str
    msgid: str
    asked_at: float  # Unix seconds


class GroupStorage(Protocol):
    """The persistent state of groups."""

    async def chats(self) -> Sequence[Chat]:
        """Return the groups that are joined by a code."""

    async def store_chat(self, chat: Chat) -> None:
        """Insert or update a group."""

    async def delete_chat(self, chat_id: str) -> None:
        """Delete a group: it is no longer joined by a code."""

    async def task(self, key: str) -> GroupTask | None:
        """Return the task of one of our messages."""

    async def store_task(self, task: GroupTask) -> None:
        """Insert or update a task."""

    async def task_ids(self) -> set[str]:
        """Return the msgids of all tasks."""


class Storage(GroupStorage, Protocol):
    """The persistent state of an account."""

    async def prefix(self) -> str:
        """Return a random prefix of eight characters for message ids, unique to this database."""

    async def cursor(self) -> str:
        """Return the cursor from which to read; "" at first."""

    async def store_page(self, raws: Sequence[RawEvent], incoming: Sequence[IncomingMessage], cursor: str) -> None:
        """Store a page's events, the allowances they grant, and the cursor in one transaction."""

    async def token(self) -> AccessToken | None:
        """Return the token fetched last by any process."""

    async def store_token(self, token: AccessToken) -> None:
        """Store a token for all processes."""

    async def spend(self, contact_id: str, message_id: str) -> Allowance:
        """Count a message against the customer's allowance, once per message id."""

    async def mark_exhausted(self, contact_id: str) -> None:
        """Record that the platform reports the allowance as used up."""

    async def remaining(self, contact_id: str, message_id: str) -> int:
        """Return how many messages the customer's allowance still has, this one included if it was counted."""

    async def take_code(self, contact_id: str, message_id: str) -> TakenCode | None:
        """Return the code of a welcome or of a session's end for a message; None if there is none, or another message
        has taken it."""

    async def store_code(self, contact_id: str, code: str, until: float) -> None:
        """Store a code that was given with the response of a call."""

    async def payload(self, message_id: str) -> dict[str, Any]:
        """Return a message as received from the platform; {} if it is not stored."""
