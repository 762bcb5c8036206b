"""Parsing of times in natural language."""

from __future__ import annotations

import pytest

from services.outreach.chinese_times import cron_of


@pytest.mark.parametrize(("message", "cron", "text"), [
    ("每天9点 早上好", "0 9 * * *", "早上好"),
    ("每天9点早上好", "0 9 * * *", "早上好"),
    ("每周一 8:30 开会", "30 8 * * 1", "开会"),
    ("每周一、三 8：30 开会", "30 8 * * 1,3", "开会"),
    ("工作日 18:00 下班\n带伞", "0 18 * * 1-5", "下班\n带伞"),
    ("周末 下午3点半 逛街", "30 15 * * 6,0", "逛街"),
    ("每天中午12点 吃饭", "0 12 * * *", "吃饭"),
    ("每月1号 9点 交租", "0 9 1 * *", "交租"),
    ("星期日 ２０:００ 晚安", "0 20 * * 0", "晚安"),
])  # fmt: skip
def test_times_are_parsed(message: str, cron: str, text: str) -> None:
    assert cron_of(message) == (cron, text)


@pytest.mark.parametrize(
    ("half", "hours"),
    [
        ("", {0: 0, 9: 9, 12: 12, 23: 23}),
        ("早上", {6: 6, 9: 9}),
        ("上午", {9: 9, 11: 11}),
        ("凌晨", {0: 0, 2: 2}),
        ("中午", {1: 13, 9: 21, 10: 10, 11: 11, 12: 12}),
        ("下午", {1: 13, 3: 15, 11: 23, 12: 12, 15: 15}),
        ("傍晚", {6: 18}),
        ("晚上", {8: 20, 11: 23, 12: 12, 20: 20}),
    ],
)
def test_part_of_the_day_decides_the_hour(half: str, hours: dict[int, int]) -> None:
    for said, hour in hours.items():
        assert cron_of(f"每天{half}{said}点 早") == (f"0 {hour} * * *", "早"), said


def test_last_minute_of_the_day() -> None:
    assert cron_of("每天23:59 晚安") == ("59 23 * * *", "晚安")
    assert cron_of("每天23:58 晚安") == ("58 23 * * *", "晚安")
    assert cron_of("每天24:00 晚安") is None
    assert cron_of("每天23:60 晚安") is None


@pytest.mark.parametrize("text", ["", "每天", "每天25点 x", "每天9点70 x", "0 9 * * * 早上好", "明天9点 x", "每天9点"])
def test_invalid_times_are_rejected(text: str) -> None:
    assert cron_of(text) is None
