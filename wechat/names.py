"""Normalisation of nicknames, topics and other names, which may contain any characters.

Line breaks could forge lines of a message, bidi overrides could reverse the text that follows.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

from protocol.codec import clean

_BREAKS: Final = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
# Other control characters, and bidi controls (Unicode Standard Annex 9).
_HIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean_name(name: str) -> str:
    """Return the name on one line, without bidi controls."""
    if name.isascii() and name.isprintable():
        return name
    return _HIDDEN.sub("", _BREAKS.sub(" ", clean(name)))


MAX_SHOWN_LENGTH: Final = 32  # characters that WeChat keeps of a topic or remark
_EMOJI_WORD: Final = re.compile(r"\[[A-Za-z\u4e00-\u9fff ]{1,16}\]")  # how WeChat writes an emoji without a character
_JOINERS: Final = re.compile("[\u200b-\u200d\u2060\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_SYMBOLS: Final = frozenset({"So", "Cs", "Co", "Cn"})  # includes emoji


def same_name(displayed: str, expected: str) -> bool:
    """Whether a name read back from WeChat is the one that was set.

    It may be trimmed, have & as &amp; (repeatedly), emoji as words like [Fire] or none, and names cut to 32 characters
    (observed with wechat4u, padlocal and workpro).
    """
    if displayed == expected:
        return True
    first, second = comparable(displayed), comparable(expected)
    return first == second or (len(displayed) >= MAX_SHOWN_LENGTH - 4 and first != "" and second.startswith(first))


def comparable(text: str) -> str:
    """Return a name without what WeChat changes in it."""
    for _ in range(3):
        text = html.unescape(text)
    text = _JOINERS.sub("", _EMOJI_WORD.sub("", unicodedata.normalize("NFKC", clean(text))))
    return "".join(c for c in text if unicodedata.category(c) not in _SYMBOLS and not c.isspace())
