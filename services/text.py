"""Normalisation of texts, and removal of quotes and mentions."""

from __future__ import annotations

import re
import unicodedata

_MENTION = re.compile("@[^@\u2005\n]{1,64}\u2005")  # U+2005 is the character that WeChat puts after an @name
# WeChat clients put a quote into the text as 「name：text」, a line of dashes, the reply. Quotes can be nested:
# the last dashes count.
_QUOTE = re.compile(r"「(.*)」\s*\n(?:[-—] ?){5,}\s*\n(.*\S.*)", re.DOTALL)


def normal(text: str) -> str:
    """Normalise a text for comparison: NFKC, casefolded, stripped."""
    if text.isascii():
        return text.strip().lower()
    return unicodedata.normalize("NFKC", text).strip().casefold()


def without_quote(text: str) -> tuple[str, str]:
    """Split a text into the reply and the quoted text ("" if there is none)."""
    quote = _QUOTE.fullmatch(text.strip())
    return (quote[2].strip(), quote[1]) if quote else (text, "")


def with_quote(text: str, quoted: str) -> str:
    """What somebody says with what they quote, as WeChat's clients write it."""
    return f"「{quoted}」\n{'- ' * 14}-\n{text}" if quoted else text


def without_mention(text: str, name: str) -> str:
    """Remove mentions from a text addressed to `name`."""
    text = _MENTION.sub("", text)
    if name:
        text = text.replace(f"@{name}", "")
    text = text.strip()
    return text.partition(" ")[2].strip() if text.startswith("@") else text
