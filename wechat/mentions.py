"""Who is @-ed in a text, for gateways that do not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

SEPARATOR: Final = "\u2005"  # what WeChat puts after a mention it made itself
ENDS: Final = (SEPARATOR, " ", "\n", "，", ",", "。", "：", ":", "！", "!", "？", "?", "、")
_EVERYBODY: Final = re.compile("@(?:所有人|全体成员|all\\b|everyone\\b)", re.IGNORECASE)
LONGEST_NAME: Final = 64
MAX_MARKS: Final = 100  # of a message that are looked at
_BLANKS: Final = re.compile(r"\s+")


def is_called(text: str, names: list[str]) -> bool:
    """Whether one of `names` is @-ed: "@name", then U+2005, a space, a new line, or the end."""
    for start in _marks(text):
        for name in names:
            after = start + len(name)
            if name and text.startswith(name, start) and (after == len(text) or text[after] in ENDS):
                return True
    return False


def is_to_everybody(text: str) -> bool:
    """Whether everybody is @-ed, which is to nobody in particular; some gateways then list every member."""
    return _EVERYBODY.search(text) is not None


def called(text: str, find: Callable[[str], list[str]]) -> tuple[str, ...]:
    """The ids of the people @-ed. `find` gives the ids a name stands for; only one that is sure counts."""
    ids: dict[str, None] = {}
    for start in _marks(text):
        end = text.find("@", start)
        for name in readings(text[start : end if end >= 0 else len(text)].lstrip()):
            found = find(name)
            if len(found) == 1:
                ids[found[0]] = None
            if found:
                break
    return tuple(ids)


def _marks(text: str) -> Iterator[int]:
    at, left = text.find("@"), MAX_MARKS
    while at >= 0 and left:
        yield at + 1
        at, left = text.find("@", at + 1), left - 1


def readings(words: str) -> Iterator[str]:
    """What may be the name that `words` begin with, the surest reading first: up to U+2005; else the whole line, then
    ever less of it, since a name may have blanks in it and something else may follow."""
    name, found, _ = words.partition(SEPARATOR)
    if found:
        yield from dict.fromkeys((name, name.strip()))
        return
    line = words.split("\n", 1)[0].rstrip()[: LONGEST_NAME + 1]
    for end in (len(line), *(blank.start() for blank in reversed(list(_BLANKS.finditer(line))))):
        if 0 < end <= LONGEST_NAME:
            yield line[:end]
