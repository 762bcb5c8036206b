"""Both engines of a pattern agree, and neither is kept busy by a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.linear_pattern import MAX_BACKTRACKED, LinearPattern
from services.support.courtesies import _COMPILED
from services.support.faq import _POLITE
from services.support.person_requests import request_pattern
from services.support.ratings import _NUMBER, _POLITE_AROUND

PERSON = request_pattern(("人工", "坐席", "a-b c#"))
WHOLE = [pattern for _, pattern in _COMPILED] + [_NUMBER] + ([PERSON] if PERSON else [])
WORDS = (
    *(
        "拜",
        "拜拜",
        "谢谢",
        "您",
        "你好",
        "请问",
        "一下",
        "好的",
        "了",
        "吗",
        "呢",
        "啊",
        "给",
        "你们",
        "给你们",
        "5",
        "五",
    ),
    *("分", "星", "我", "想", "找", "人工", "坐席", "a-b", "c#", "有没有", "有", "吧", "。", "x", "很满意"),
)
texts = st.lists(st.sampled_from(WORDS), max_size=5).map("".join)


@given(texts)
def test_both_engines_match_the_same_texts(text: str) -> None:
    for pattern in WHOLE:
        assert bool(pattern._backtracking.fullmatch(text)) == bool(pattern._linear.fullmatch(text))
    for pattern in (_POLITE, _POLITE_AROUND):
        assert pattern._backtracking.sub("", text) == pattern._linear.sub("", text)


@pytest.mark.parametrize("count", [MAX_BACKTRACKED, MAX_BACKTRACKED + 1, 20_000])
def test_length_of_a_text_does_not_change_the_result(count: int) -> None:
    """With `re` alone, the last one would take longer than the universe has existed."""
    pattern = LinearPattern("(?:拜拜|拜)+")
    assert pattern.fullmatch("拜" * count)
    assert not pattern.fullmatch("拜" * (count - 1) + "x")
    assert pattern.sub("", "你" + "拜" * (count - 1)) == "你"
