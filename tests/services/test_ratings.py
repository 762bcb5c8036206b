"""Recognition of ratings."""

from __future__ import annotations

import pytest

from services.support.ratings import rating_in


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("5", 5),
        ("5分", 5),
        ("打5分", 5),
        ("五星", 5),
        ("1分", 1),
        ("一星", 1),
        ("0分", None),
        ("很满意", 5),
        ("不满意", 2),
        ("回复四分！", 4),
        ("给你们3分", 3),
        ("非常不满意", 1),
        ("满意，谢谢", 4),
        ("6", None),
        ("六分", None),
        ("55", None),
        ("5个苹果", None),
        ("很满意这款沙发多少钱", None),
        ("", None),
    ],
)
def test_mark_is_parsed(text: str, mark: int | None) -> None:
    assert rating_in(text) == mark
