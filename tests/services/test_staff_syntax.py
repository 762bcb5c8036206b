"""Commands of staff that are not well-formed, and replies by quoting."""

from __future__ import annotations

import pytest

from services.support.staff_syntax import StaffCommand, StaffVerb, parse

RELAYED = "【#12 张三】在吗"


@pytest.mark.parametrize(
    "text",
    [
        "/", "/发票 再见", "转", "转：小李", "转给 小李", "转交@小李", "结束了", "结束了。", "结束谢谢您", "结束吧",
        "关闭", "记录", "备注：老客户", "历史 全部", "接待", "重开",
    ],
)  # fmt: skip
def test_text_that_looks_like_a_command_is_not_sent(text: str) -> None:
    assert parse(f"#12 {text}") == StaffCommand(StaffVerb.MALFORMED, 12, text)
    assert parse(f"#12 -{text}") == StaffCommand(StaffVerb.ANSWER, 12, text), "written literally"


@pytest.mark.parametrize("text", ["转小李", "转给小李。", "转交给小李！"])
def test_transfer_without_a_mention_is_recognised_by_the_name(text: str) -> None:
    assert parse(f"#12 {text}", ["小李"]) == StaffCommand(StaffVerb.MALFORMED, 12, text)
    assert parse(f"#12 {text}", ["小王"]) == StaffCommand(StaffVerb.ANSWER, 12, text)


@pytest.mark.parametrize("text", ["转账收到了", "结束时间是六点", "记录仪有货", "- 一项", "历史悠久", "接待您的是小李"])
def test_ordinary_words_are_sent(text: str) -> None:
    assert parse(f"#12 {text}", ["小李"]) == StaffCommand(StaffVerb.ANSWER, 12, text)


@pytest.mark.parametrize("text", ["历史", "历史记录。", "历史~"])
def test_history_is_asked_for(text: str) -> None:
    assert parse(f"#12 {text}") == StaffCommand(StaffVerb.HISTORY, 12)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("您好", StaffCommand(StaffVerb.ANSWER, 12, "您好")),
        (" 结束 ", StaffCommand(StaffVerb.CLOSE, 12)),
        ("/发票", StaffCommand(StaffVerb.CANNED, 12, "发票")),
        ("转 @小李\u2005", StaffCommand(StaffVerb.ASSIGN, 12, "小李")),
        ("转", StaffCommand(StaffVerb.ANSWER, 12, "转")),
        ("关闭", StaffCommand(StaffVerb.ANSWER, 12, "关闭")),
        ("", StaffCommand(StaffVerb.ADDRESS, 12)),
        ("#13 您好", StaffCommand(StaffVerb.ANSWER, 13, "您好")),
        ("#", StaffCommand(StaffVerb.LIST)),
        ("@小李\u2005你来", None),
    ],
)
def test_reply_by_quoting_addresses_the_quoted_ticket(text: str, command: StaffCommand | None) -> None:
    assert parse(text, quoted=RELAYED) == command
    assert parse(text, quoted="吃饭吗") == (command if text.startswith("#") else None)


def test_number_has_at_most_twelve_digits() -> None:
    assert parse(f"#{'1' * 12}") == StaffCommand(StaffVerb.ADDRESS, int("1" * 12))
    assert parse(f"#{'1' * 13}") == StaffCommand(StaffVerb.ANSWER, int("1" * 12), "1")
