"""Commands in the staff room: `#12 您好`, `#12 结束`, `#12 转 @同事`, `#12 记录 …`, `#12 历史`, `#12 /发票`, `#`.

Text that looks like a command but is not well-formed is MALFORMED and never sent to the customer. `#12 -转` and replies
by quoting send such text literally.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from services.text import without_quote

_LINE = re.compile(r"[#＃]\s*(\d{1,12})\s*[:：,，]?\s*(.*)", re.DOTALL)
_LIST = re.compile(r"[#＃]\s*")
_RELAYED = re.compile(r"【#(\d+) ")
_ASSIGN_MENTIONED = re.compile(r"转给?\s*@(.+)", re.DOTALL)
_NOTE = re.compile(r"记录[\s:：]+(.+)", re.DOTALL)
_CANNED = re.compile(r"[/／](\S+)")
_LITERAL = re.compile(r"[-－](?=\S)\s*(.+)", re.DOTALL)
_COMMAND_LIKE = re.compile(
    r"[/／].*|(?:转|转给|转交|转接|结束|结束了|结束吧|关闭|记录|备注|历史|历史记录|接待|重开)(?:$|[\s@:：,，。.!！?？~、].*)"
    r"|结束(?:谢谢|感谢|会话|服务|对话|工单).*",
    re.DOTALL,
)
_ASSIGN_NAMED = re.compile(r"转[给交接]?给?\s*(\S+?)[\s。.!！~]*")


class StaffVerb(StrEnum):
    """Actions on a ticket."""

    LIST = "list"
    ADDRESS = "address"  # only the number: the next picture or file belongs to it
    ANSWER = "answer"
    CLOSE = "close"
    ASSIGN = "assign"
    NOTE = "note"
    CANNED = "canned"
    HISTORY = "history"
    MALFORMED = "malformed"  # looks like a command; `text` is the text after the number


@dataclass(frozen=True, slots=True)
class StaffCommand:
    """A command; `text` is the verb's argument."""

    verb: StaffVerb
    number: int = 0
    text: str = ""


def parse(text: str, names: Collection[str] = (), quoted: str = "") -> StaffCommand | None:
    """Parse a text in the staff room; None if it is not a command.

    Quoting a relayed message addresses its ticket, unless the text names another ticket or mentions a colleague.
    `names`: the colleagues' names, for 转; `quoted`: the quoted text, if `text` does not contain it.
    """
    command, quoted = (text.strip(), quoted) if quoted else without_quote(text.strip())
    relayed = _RELAYED.search(quoted)
    if relayed and not command.startswith("@"):
        return _named(command, names) or _quoting(int(relayed[1]), command)
    return _named(command, names)


def _quoting(number: int, text: str) -> StaffCommand:
    """Parse a reply by quoting: everything but a command is an answer."""
    line = _line(number, text)
    return StaffCommand(StaffVerb.ANSWER, number, text) if line.verb is StaffVerb.MALFORMED else line


def _named(text: str, names: Collection[str] = ()) -> StaffCommand | None:
    """Parse a text that is not a reply."""
    if _LIST.fullmatch(text):
        return StaffCommand(StaffVerb.LIST)
    match = _LINE.fullmatch(text)
    return _line(int(match[1]), match[2].strip(), names) if match else None


def _line(number: int, text: str, names: Collection[str] = ()) -> StaffCommand:
    if not text:
        return StaffCommand(StaffVerb.ADDRESS, number)
    if text.rstrip("。.！!~ ") == "结束":
        return StaffCommand(StaffVerb.CLOSE, number)
    if text.rstrip("。.！!~ ") in ("历史", "历史记录"):
        return StaffCommand(StaffVerb.HISTORY, number)
    if literal := _LITERAL.fullmatch(text):
        return StaffCommand(StaffVerb.ANSWER, number, literal[1])
    for verb, pattern in ((StaffVerb.ASSIGN, _ASSIGN_MENTIONED), (StaffVerb.NOTE, _NOTE), (StaffVerb.CANNED, _CANNED)):
        match = pattern.fullmatch(text)
        if match:
            return StaffCommand(verb, number, match[1].strip())
    to = _ASSIGN_NAMED.fullmatch(text)
    if _COMMAND_LIKE.fullmatch(text) or (to and to[1] in names):
        return StaffCommand(StaffVerb.MALFORMED, number, text)
    return StaffCommand(StaffVerb.ANSWER, number, text)
