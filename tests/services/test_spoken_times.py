"""Parsing of times in natural language."""

from __future__ import annotations

import pytest

from services.outreach.spoken_times import cron_of


@pytest.mark.parametrize(("words", "cron", "text"), [
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
def test_times_are_parsed(words: str, cron: str, text: str) -> None:
    assert cron_of(words) == (cron, text)


@pytest.mark.parametrize("words", ["", "每天", "每天25点 x", "每天9点70 x", "0 9 * * * 早上好", "明天9点 x", "每天9点"])
def test_invalid_times_are_rejected(words: str) -> None:
    assert cron_of(words) is None
