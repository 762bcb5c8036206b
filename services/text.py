"""Normalisation of texts, and removal of quotes and mentions."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencc import OpenCC

_TRADITIONAL = re.compile("[後於乾徵夥菸]")  # the traditional characters in use that GB 2312 contains
_HAN = re.compile("[\u4e00-\u9fff]+")
_MENTION = re.compile("@[^@\u2005\n]{1,64}\u2005")  # U+2005 is the character that WeChat puts after an @name
# WeChat clients put a quote into the text as 「name：text」, a line of dashes, the reply. Quotes can be nested:
# the last dashes count.
_QUOTE = re.compile(r"「(.*)」\s*\n(?:[-—] ?){5,}\s*\n(.*\S.*)", re.DOTALL)

# Where a long text may be cut, the best place first.
_ENDS = tuple(map(re.compile, (r"\n+", r"[。！？!?…]+[”’」』）)]*|\.(?=\s)", r"[；;，,、]", r"\s")))


@lru_cache(256)  # the rules of one message compare the same text several times
def normal(text: str) -> str:
    """Normalise a text for comparison: NFKC, casefolded, stripped."""
    if text.isascii():
        return text.strip().lower()
    return unicodedata.normalize("NFKC", text).strip().casefold()


def simplified(text: str) -> str:
    """Return a text in simplified characters.

    The dictionaries (7 MB) are loaded for the first text that contains a character outside GB 2312, the set of
    simplified characters, or one of the few traditional characters in it.
    """
    if text.isascii() or _is_simplified(text):
        return text
    return _convert(text)


def _is_simplified(text: str) -> bool:
    if _TRADITIONAL.search(text) is not None:
        return False
    return _is_gb2312(text) or _is_gb2312("".join(_HAN.findall(text)))  # without emoji, which are not in GB 2312


def _is_gb2312(text: str) -> bool:
    try:
        text.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(256)  # the rules of one message convert the same text several times
def _convert(text: str) -> str:
    converted: str = _converter().convert(text)
    return converted


@lru_cache(1)
def _converter() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("t2s")


def without_quote(text: str) -> tuple[str, str]:
    """Split a text into the reply and the quoted text ("" if there is none)."""
    quote = _QUOTE.fullmatch(text.strip())
    return (quote[2].strip(), quote[1]) if quote else (text, "")


def in_pieces(text: str, longest: int, first: int = 0) -> list[str]:
    """Split a text into parts of at most `longest` characters (the first: `first`), at ends of lines or sentences.

    Together they are the whole text.
    """
    pieces, position, limit = [], 0, first or longest
    while len(text) - position > limit:
        window = text[position : position + limit]
        ends = (
            max(match.end() for match in end.finditer(window, limit // 2))
            for end in _ENDS
            if end.search(window, limit // 2)
        )
        cut = next(ends, limit)
        pieces.append(window[:cut])
        position, limit = position + cut, longest
    return [*pieces, text[position:]]


def with_quote(text: str, quoted: str) -> str:
    """Return a text with what it quotes, as WeChat's clients write it."""
    return f"「{quoted}」\n{'- ' * 14}-\n{text}" if quoted else text


def without_mention(text: str, *names: str) -> str:
    """Return a group message without the @s of these names."""
    text = _MENTION.sub("", text)
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = re.sub(f"@{re.escape(name)}[,，:：、]?", "", text)
    text = text.strip()
    return text.partition(" ")[2].strip() if text.startswith("@") else text
