"""A command as it was given, its answer, and the words for what WeChat refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from app.container import Container
from config.texts import Texts, fill
from errors import BotError, WeChatNotDone, WeChatOffline, WeChatRefused, WeChatTooFast, WeChatUnknown
from models.groups import Qun
from models.schema import MAX_ID
from wechat.events import Room

MAX: Final = 500  # characters of a text that a command takes
NO_RIGHT: Final = ("群主", "管理员", "owner", "admin", "permission", "权限")


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """Who asks what. `qun` is None where it is about all groups; `room_id` is "" in private; `rest` is what stands
    behind the command (and the group's number); `mentions` whom the gateway told that it @s; `usage` how the command
    is written."""

    container: Container
    account: str
    who: str
    qun: Qun | None
    room_id: str
    rest: str
    mentions: tuple[str, ...]
    usage: str

    @property
    def texts(self) -> Texts:
        """The texts of the config."""
        return self.container.config.texts

    @property
    def group(self) -> Qun:
        """The group it is about; commands about one group are only run with one."""
        if self.qun is None:
            raise RuntimeError("a command about one group was run without one")
        return self.qun

    @property
    def rooms(self) -> list[Room]:
        """The group's rooms as WeChat shows them."""
        return self.container.groups.live_rooms(self.group)

    @property
    def scope(self) -> str:
        """The group's name, or that it is about all groups."""
        texts = self.texts
        return fill(texts.scope_group, topic=self.qun.topic) if self.qun else texts.scope_all

    @property
    def number(self) -> int | None:
        """The group's number; None for all groups."""
        return self.qun.number if self.qun else None

    def note(self, session: Session, kind: str, target: str = "", **detail: str) -> None:
        """Write into the audit log what was done at this person's command."""
        about = {"number": str(self.qun.number)} if self.qun else {}
        self.container.audit.note(session, self.account, kind, self.actor, target, "done", **about, **detail)

    @property
    def actor(self) -> str:
        """Who is named in the audit log."""
        return f"person:{self.who}"

    def misuse(self) -> CommandReply:
        """How the command is written."""
        return CommandReply(fill(self.texts.usage, usage=self.usage))


@dataclass(frozen=True, slots=True)
class CommandReply:
    """One message: `words`, or what `act` (run in the event's transaction) returns."""

    words: str = ""
    act: Callable[[Session], str] | None = None


def first_word(words: str) -> tuple[str, str]:
    """The first word and what follows it, whatever blanks are between them."""
    first, *rest = words.split(None, 1) or [""]
    return first, rest[0].rstrip() if rest else ""


def whole(word: str) -> int | None:
    """The number that a word is, with or without a #; None for none, and for one that no row can have."""
    digits = word.removeprefix("#")
    if not digits.isdecimal() or len(digits) > len(str(MAX_ID)) or int(digits) > MAX_ID:
        return None
    return int(digits)


def why(texts: Texts, error: Exception) -> str:
    """What WeChat did not do, in words for people."""
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
