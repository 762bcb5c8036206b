"""What staff write in their room: `#12 您好`, `#12 结束`, `#12 转 @同事`, `#12 记录 …`, `#12 /发票`, `#`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from services.text import without_quote

_LINE = re.compile(r"[#＃]\s*(\d{1,12})\s*[:：,，]?\s*(.*)", re.DOTALL)
_LIST = re.compile(r"[#＃]\s*")
_RELAYED = re.compile(r"【#(\d+) ")
_PASS = re.compile(r"转给?\s*@(.+)", re.DOTALL)
_NOTE = re.compile(r"记录[\s:：]+(.+)", re.DOTALL)
_CANNED = re.compile(r"/(\S+)")


class StaffVerb(StrEnum):
    """What is to be done with a ticket."""

    LIST = "list"
    CALL = "call"  # nothing but its number: the next picture or file goes there
    ANSWER = "answer"
    CLOSE = "close"
    PASS = "pass"
    NOTE = "note"
    CANNED = "canned"


@dataclass(frozen=True, slots=True)
class StaffCommand:
    """A line of the staff; `words` is what the verb needs."""

    verb: StaffVerb
    number: int = 0
    words: str = ""


def parse(text: str) -> StaffCommand | None:
    """What a text in the staff room asks for; None: it is talk among the staff. To quote what was relayed is to name
    its ticket, unless another is named, or a colleague is called."""
    words, quoted = without_quote(text.strip())
    relayed = _RELAYED.search(quoted)
    if relayed and not words.startswith("@"):
        return _named(words) or _line(int(relayed[1]), words)
    return _named(words)


def _named(text: str) -> StaffCommand | None:
    """The line that a text is by itself."""
    if _LIST.fullmatch(text):
        return StaffCommand(StaffVerb.LIST)
    found = _LINE.fullmatch(text)
    return _line(int(found[1]), found[2].strip()) if found else None


def _line(number: int, words: str) -> StaffCommand:
    if not words:
        return StaffCommand(StaffVerb.CALL, number)
    if words.rstrip("。.！!~ ") == "结束":
        return StaffCommand(StaffVerb.CLOSE, number)
    for verb, pattern in ((StaffVerb.PASS, _PASS), (StaffVerb.NOTE, _NOTE), (StaffVerb.CANNED, _CANNED)):
        found = pattern.fullmatch(words)
        if found:
            return StaffCommand(verb, number, found[1].strip())
    return StaffCommand(StaffVerb.ANSWER, number, words)
