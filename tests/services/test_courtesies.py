"""Recognition of courtesies."""

from __future__ import annotations

import pytest

from services.support.courtesies import Courtesy, courtesy_in


@pytest.mark.parametrize(
    ("text", "courtesy"),
    [
        ("你好呀", Courtesy.GREETING),
        ("在吗？", Courtesy.GREETING),
        ("好的，谢谢您！", Courtesy.THANKS),
        ("没事了，再见", Courtesy.GOODBYE),
        ("好的", Courtesy.ACKNOWLEDGEMENT),
        ("嗯嗯，知道了", Courtesy.ACKNOWLEDGEMENT),
        ("收到！", Courtesy.ACKNOWLEDGEMENT),
        ("OK", Courtesy.ACKNOWLEDGEMENT),
        ("哈哈哈", Courtesy.ACKNOWLEDGEMENT),
        ("你好，怎么开发票", None),
        ("收到的货坏了", None),
        ("可以吗", None),
        ("好的，那怎么退款", None),
        ("不用了怎么退", None),
        ("", None),
        ("？", None),
    ],
)
def test_only_a_courtesy_is_one(text: str, courtesy: Courtesy | None) -> None:
    assert courtesy_in(text) is courtesy


@pytest.mark.parametrize("text", ["哈" * 60, "好的" * 100, "拜" * 2000])
def test_question_behind_a_long_courtesy_is_noticed(text: str) -> None:
    """In linear time: a row of 拜 can be read as 拜 and 拜拜 in more ways than could be tried."""
    assert courtesy_in(text) is not None
    assert courtesy_in(f"{text}怎么退货") is None
