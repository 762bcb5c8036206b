"""Texts as they are compared, and what is said without quotations and mentions. Pure."""

from __future__ import annotations

import re
import unicodedata

_MENTION = re.compile("@[^@\u2005\n]{1,64}\u2005")  # U+2005 is what WeChat itself puts behind an @name
# How WeChat's clients write a quotation into the text: 「name：what they said」, dashes, the reply. What they said may
# quote somebody too: the last dashes count.
_QUOTE = re.compile(r"「(.*)」\s*\n(?:[-—] ?){5,}\s*\n(.*\S.*)", re.DOTALL)


def normal(text: str) -> str:
    """A text as words are compared: full-width as half-width, no upper case, no space around it."""
    if text.isascii():
        return text.strip().lower()
    return unicodedata.normalize("NFKC", text).strip().casefold()


def without_quote(text: str) -> tuple[str, str]:
    """What somebody says, and what they quote; nothing where they quote nothing."""
    quote = _QUOTE.fullmatch(text.strip())
    return (quote[2].strip(), quote[1]) if quote else (text, "")


def with_quote(text: str, quoted: str) -> str:
    """What somebody says with what they quote, as WeChat's clients write it."""
    return f"「{quoted}」\n{'- ' * 14}-\n{text}" if quoted else text


def without_mention(text: str, name: str) -> str:
    """What is said to `name` in a group, without the @s."""
    text = _MENTION.sub("", text)
    if name:
        text = text.replace(f"@{name}", "")
    text = text.strip()
    return text.partition(" ")[2].strip() if text.startswith("@") else text
