"""Requests and replies of chat commands, and texts for errors of WeChat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from app.container import Container
from config.texts import Texts, fill
from errors import BotError, WeChatNotDone, WeChatOffline, WeChatRefused, WeChatTooFast, WeChatUnknown
from models.durable import Outcome
from models.groups import Qun
from models.schema import MAX_ID
from wechat.entities import Room

MAX_TEXT: Final = 500  # maximum length of a text in a command
NO_RIGHT: Final = ("群主", "管理员", "owner", "admin", "permission", "权限")


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A chat command.

    `qun`: the group, None = all groups. `room_id`: where it was given, "" = in private. `rest`: the text after the
    command (and group number). `mentions`: the people mentioned, as reported by the gateway. `usage`: the command's
    syntax.
    """

    container: Container
    account: str
    sender_id: str
    qun: Qun | None
    room_id: str
    rest: str
    mentions: tuple[str, ...]
    usage: str

    @property
    def texts(self) -> Texts:
        """The configured texts."""
        return self.container.config.texts

    @property
    def group(self) -> Qun:
        """The group of a command about one group."""
        if self.qun is None:
            raise RuntimeError("a command about one group was run without one")
        return self.qun

    @property
    def rooms(self) -> list[Room]:
        """The group's rooms as shown by WeChat."""
        return self.container.groups.wechat_rooms(self.group)

    @property
    def scope(self) -> str:
        """The group's topic, or the text for all groups."""
        texts = self.texts
        return fill(texts.scope_group, topic=self.qun.topic) if self.qun else texts.scope_all

    @property
    def number(self) -> int | None:
        """The group's number; None = all groups."""
        return self.qun.number if self.qun else None

    def record(self, session: Session, kind: str, target: str = "", **detail: str) -> None:
        """Write an action of the command to the audit log."""
        group = {"number": str(self.qun.number)} if self.qun else {}
        self.container.audit.record(session, self.account, kind, self.actor, target, Outcome.DONE, **group, **detail)

    @property
    def actor(self) -> str:
        """The actor as written to the audit log."""
        return f"person:{self.sender_id}"

    def usage_error(self) -> CommandReply:
        """Return the reply that shows the command's syntax."""
        return CommandReply(fill(self.texts.usage, usage=self.usage))


@dataclass(frozen=True, slots=True)
class CommandReply:
    """The reply: `text`, or the result of `act`, which runs in the event's transaction."""

    text: str = ""
    act: Callable[[Session], str] | None = None


def first_word(text: str) -> tuple[str, str]:
    """Split a text into its first word and the rest."""
    first, *rest = text.split(None, 1) or [""]
    return first, rest[0].rstrip() if rest else ""


def parse_row_id(word: str) -> int | None:
    """Parse a row id, with or without #; None if it is not a possible one."""
    digits = word.removeprefix("#")
    if not digits.isdecimal() or len(digits) > len(str(MAX_ID)) or int(digits) > MAX_ID:
        return None
    return int(digits)


def describe_error(texts: Texts, error: Exception) -> str:
    """Describe an error of WeChat for people."""
    if isinstance(error, BotError | WeChatOffline):
        return texts.wechat_away
    if isinstance(error, WeChatTooFast):
        return texts.refused_too_fast
    if isinstance(error, WeChatNotDone):
        return texts.refused_not_done
    if isinstance(error, WeChatUnknown):
        return texts.refused_unknown
    if isinstance(error, WeChatRefused) and not any(word in error.text.lower() for word in NO_RIGHT):
        return error.text[:80] or texts.refused_not_done
    return texts.refused_no_right
