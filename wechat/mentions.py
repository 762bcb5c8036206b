"""Who is @-ed in a text, for gateways that do not say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

SEPARATOR: Final = "\u2005"  # what WeChat puts after a mention it made itself
ENDS: Final = (SEPARATOR, " ", "\n")


def is_called(text: str, names: list[str]) -> bool:
    """Whether one of `names` is @-ed: "@name", then U+2005, a space, a new line, or the end."""
    for start in _marks(text):
        for name in names:
            after = start + len(name)
            if name and text.startswith(name, start) and (after == len(text) or text[after] in ENDS):
                return True
    return False


def called(text: str, find: Callable[[str], list[str]]) -> tuple[str, ...]:
    """The ids of the people @-ed. `find` gives the ids a name stands for; only one that is sure counts."""
    ids: dict[str, None] = {}
    for start in _marks(text):
        for name in _candidates(text, start):
            found = find(name)
            if len(found) == 1:
                ids[found[0]] = None
            if found:
                break
    return tuple(ids)


def _marks(text: str) -> Iterator[int]:
    at = text.find("@")
    while at >= 0:
        yield at + 1
        at = text.find("@", at + 1)


def _candidates(text: str, start: int) -> Iterator[str]:
    """What may be the name, the surest reading first: up to U+2005, then the whole line, then the first word."""
    end = text.find("@", start)
    rest = text[start : end if end >= 0 else len(text)]
    name, found, _ = rest.partition(SEPARATOR)
    if found:
        yield name
        return
    line = rest.split("\n", 1)[0]
    for reading in dict.fromkeys((line.strip(), line.split(" ", 1)[0])):
        if reading:
            yield reading
