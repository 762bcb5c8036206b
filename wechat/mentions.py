"""Parses mentions in texts, for gateways that do not report them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

SEPARATOR: Final = "\u2005"  # the character that WeChat appends to an inserted mention
NAME_ENDS: Final = (SEPARATOR, " ", "\n", "，", ",", "。", "：", ":", "！", "!", "？", "?", "、")
_EVERYBODY: Final = re.compile("@(?:所有人|全体成员|all\\b|everyone\\b)", re.IGNORECASE)
MAX_NAME_LENGTH: Final = 64
MAX_AT_SIGNS: Final = 100  # in a message; further ones are ignored
_BLANKS: Final = re.compile(r"\s+")


def mentions_name(text: str, names: list[str]) -> bool:
    """Whether one of `names` is mentioned: "@name" followed by U+2005, a space, a newline, or the end."""
    for start in _at_signs(text):
        for name in names:
            after = start + len(name)
            if name and text.startswith(name, start) and (after == len(text) or text[after] in NAME_ENDS):
                return True
    return False


def is_to_everybody(text: str) -> bool:
    """Whether everybody is mentioned; some gateways then list every member."""
    return _EVERYBODY.search(text) is not None


def mentioned_ids(text: str, find_ids: Callable[[str], list[str]]) -> tuple[str, ...]:
    """Return the ids of the people mentioned. `find_ids` returns the ids with a name; ambiguous names are ignored."""
    ids: dict[str, None] = {}
    for start in _at_signs(text):
        end = text.find("@", start)
        tail = text[start : end if end >= 0 else len(text)]
        for name in dict.fromkeys((*possible_names(tail), *possible_names(tail.lstrip()))):
            matches = find_ids(name)
            if len(matches) == 1:
                ids[matches[0]] = None
            if matches:
                break
    return tuple(ids)


def _at_signs(text: str) -> Iterator[int]:
    position, remaining = text.find("@"), MAX_AT_SIGNS
    while position >= 0 and remaining:
        yield position + 1
        position, remaining = text.find("@", position + 1), remaining - 1


def possible_names(text: str) -> Iterator[str]:
    """Yield the possible names at the beginning of `text`, most likely first.

    A name ends at U+2005; without that, it is the line or shorter parts of it, since names may contain blanks.
    """
    name, separator, _ = text.partition(SEPARATOR)
    if separator:
        yield from dict.fromkeys((name, name.strip()))
        return
    line = text.split("\n", 1)[0].rstrip()[: MAX_NAME_LENGTH + 1]
    for end in (len(line), *(blank.start() for blank in reversed(list(_BLANKS.finditer(line))))):
        if 0 < end <= MAX_NAME_LENGTH:
            yield line[:end]
