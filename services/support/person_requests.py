"""Recognises messages that ask for a member of staff."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import re2

from config.customer_service import HandoffSettings
from services.linear_pattern import LinearPattern
from services.text import normal, simplified

MAX_REQUEST: Final = 40  # characters; longer texts contain a question
# A request consists of one of `handoff.words`, surrounded by these words only.
POLITE_BEFORE: Final = (
    "你好|您好|请|问|麻烦|帮|忙|我|想|需要|要|给|找|接|通|转|到|呼叫|叫|联系|换|一下|个|回复|直接|快|赶紧|马上|急"
)
CAN_I: Final = "有没有|有|能不能|能|可不可以|可以"
POLITE_AFTER: Final = "客服|服务|帮忙|坐席|座席|在不在|在哪里|在哪|在|有|行|吗|么|呢|吧|啊|呀|一下|谢谢|快点|快|急"
HUMAN: Final = "人工"
HUMAN_SYNONYMS: Final = ("真人", "找人", "找客服", "转客服", "联系客服", "客服人员")  # where `handoff.words` has HUMAN
PUNCTUATION: Final = "[,。.!?~… 、“”\"'「」]"


class PersonRequests:
    """Applies the configured words."""

    def __init__(self, settings: HandoffSettings) -> None:
        self._settings = settings

    def match(self, text: str) -> bool:
        """Whether a text asks for a person."""
        pattern = request_pattern(tuple(self._settings.words))
        return (
            pattern is not None and len(text) < MAX_REQUEST and pattern.fullmatch(simplified(normal(text))) is not None
        )


@lru_cache(maxsize=16)
def request_pattern(words: tuple[str, ...]) -> LinearPattern | None:
    """Return the pattern of normalised texts that ask for a person; None without words."""
    phrases = {*map(normal, words), *(HUMAN_SYNONYMS if HUMAN in words else ())}
    word = "|".join(map(re2.escape, sorted(map(simplified, phrases))))
    before, after = f"(?:{POLITE_BEFORE}|{CAN_I}|{PUNCTUATION})*", f"(?:{word}|{POLITE_AFTER}|{PUNCTUATION})*"
    return LinearPattern(f"{before}(?:{word}){after}") if words else None
