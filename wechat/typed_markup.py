"""Typed text that looks like a message of another kind.

A quoting reply comes as a text that is XML. A person can type such XML, or a line such as “"张三" 撤回了一条消息”, to
hide words in it, although the others see all of it.
"""

from __future__ import annotations

import html
import re
from typing import Final

from wechat.message_content import Content

# Ids, hashes, keys, times and WeChat's own addresses, in elements and attributes: they are not words.
_NOT_WORDS: Final = re.compile(
    r"<(\w*(?:user|usr|username|id|key|md5|time|ticket))>\s*[\w@.:+/=-]{0,200}\s*</\1>"
    r"|\b\w*(?:user|usr|username|id|key|md5|ticket)=(?:\"[\w@.:+/=-]{0,200}\"|'[\w@.:+/=-]{0,200}')"
    r"|https?://(?:[\w-]+\.)*(?:qq\.com|qpic\.cn|qlogo\.cn)(?:/[^\s<>\"']*)?",
    re.ASCII | re.IGNORECASE,
)
_TAG: Final = re.compile(
    r"<[/?]?[a-z][a-z0-9:._-]{0,40}|\b[a-z][a-z0-9:._-]{0,40}=(?=[\"'])|[/?]?>|<!--|-->|<!\[CDATA\[|\]\]>",
    re.ASCII | re.IGNORECASE,
)


def typed_words(text: str, content: Content) -> str:
    """Return the words in a message labelled as a text that `content` does not have as its text; "" if there are none.

    What it quotes is left out, because `content.quoted` has it.
    """
    if text == content.text or not text.strip():
        return ""
    if "&lt;" in text and "<" not in text.partition("&lt;")[0]:
        text = html.unescape(text)
    if not text.lstrip().startswith("<") and "<" not in text:
        return text
    if content.quoted:
        text = _without_quote(text)
    text_content = html.unescape(_TAG.sub(" ", _NOT_WORDS.sub(" ", text)))
    return "\n".join(filter(None, map(str.strip, text_content.splitlines())))


def _without_quote(xml: str) -> str:
    """Remove the quoted message from the XML of a reply: its text, its author, and ids. Other words in it stay."""
    end = xml.find("</refermsg>")
    start = xml.rfind("<refermsg>", 0, end)
    if start < 0:
        return xml
    quote = xml[start:end]
    for tag in ("content", "displayname"):
        opened, closed = quote.find(f"<{tag}>"), quote.find(f"</{tag}>")
        if 0 <= opened < closed:
            quote = quote[:opened] + quote[closed:]
    return f"{xml[:start]} {''.join(c for c in quote if not c.isascii())} {xml[end:]}"
