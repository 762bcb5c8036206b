"""Parsing and validation of answers in flows."""

from __future__ import annotations

from typing import Any

import pytest

from config.flow_settings import Choice, Question
from config.texts import Texts
from services.flows.answers import InvalidAnswer, confirmation_body, parse_answer, question_body

TEXTS = Texts()
PLAN = Choice.model_validate({"question": "哪种？", "options": {"月付": "monthly", "年付": "yearly", "3 年": 36}})


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("1", "monthly"),
        ("2", "yearly"),
        ("２", "yearly"),
        ("二", "yearly"),
        ("第二个", "yearly"),
        ("选3", 36),
        ("年付", "yearly"),
        ("“年付”。", "yearly"),
        (" 3年 ", 36),
    ],
)
def test_option_is_chosen_by_number_or_text(answer: str, value: Any) -> None:
    assert parse_answer(PLAN, answer, TEXTS) == value


@pytest.mark.parametrize("text", ["0", "4", "10", "月", "年付吧？不要", "", "1 2", "十"])
def test_unknown_option_is_reported(text: str) -> None:
    with pytest.raises(InvalidAnswer, match="1 到 3 之间"):
        parse_answer(PLAN, text, TEXTS)


def test_numeric_option_precedes_its_position() -> None:
    months = Choice.model_validate({"question": "几个月？", "options": [3, 1, 2]})
    assert [parse_answer(months, text, TEXTS) for text in ("1", "2", "3", "第1个")] == [1, 2, 3, 3]


def number(**how: Any) -> Question:
    return Question.model_validate({"question": "几台？", "check": {"words": "1 到 20。", **how}})


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("20", 20), ("２０", 20), ("1.5", 1.5), (" 7 ", 7), ("+7", 7), ("007", 7)]
)
def test_number_within_range_is_returned_as_number(text: str, value: Any) -> None:
    brought = parse_answer(number(min=1, max=20), text, TEXTS)
    assert (brought, type(brought)) == (value, type(value))


@pytest.mark.parametrize("text", ["0", "20.1", "-1", "1e1", "nan", "inf", "五", "3台", "", "٣", "9" * 5000])
def test_number_outside_range_is_reported_with_the_configured_text(text: str) -> None:
    with pytest.raises(InvalidAnswer, match=r"^1 到 20。$"):
        parse_answer(number(min=1, max=20), text, TEXTS)


def test_range_may_be_open_ended() -> None:
    assert parse_answer(number(min=0), "99999", TEXTS) == 99999
    assert parse_answer(number(max=0), "-5", TEXTS) == -5


def test_pattern_matches_the_whole_answer() -> None:
    phone = number(regex=r"1\d{10}")
    assert parse_answer(phone, "13800138000", TEXTS) == "13800138000"
    for text in ("138001380001", "a13800138000", "1380013800", ""):
        with pytest.raises(InvalidAnswer):
            parse_answer(phone, text, TEXTS)


def test_short_choices_become_buttons() -> None:
    asked = question_body(PLAN, "哪种？", TEXTS)
    assert asked["text"] == "哪种？\n1. 月付\n2. 年付\n3. 3 年\n请回复前面的数字。"
    assert asked["choices"] == ["月付", "年付", "3 年"]
    for count, has_buttons in ((10, True), (11, False)):
        many = Choice.model_validate({"question": "哪个？", "options": list(range(count))})
        assert ("choices" in question_body(many, "哪个？", TEXTS)) is has_buttons
    assert confirmation_body("付 5 元", TEXTS)["choices"] == ["确认", "取消"]
