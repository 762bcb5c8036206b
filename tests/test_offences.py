"""Detection of offences in texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import FloodSettings
from services.moderation.offences import FloodDetector, WordFilter, foreign_link, host_of

WORDS = WordFilter(["加微信", "sex", "💰", "ＶＸ", "1 2 3 4"])
BETWEEN = st.text(st.sampled_from(" .-_*。，·~\u200b\u200d\u2060\ufeff\u3000\u3164\u00ad!"), max_size=3)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("快加微信", "加微信"),
        ("加\n微\n信", "加微信"),
        ("s e x", "sex"),
        ("S.E.X!", "sex"),
        ("thi\u200bs se\u200bx", "sex"),
        ("来💰呀", "💰"),
        ("ｖｘ123", "ＶＸ"),
        ("12-34", "1 2 3 4"),
        ("this exam", None),
        ("class exhibit", None),
        ("加油，微信群", None),
        ("微信加不了", None),
        ("", None),
    ],
)
def test_blocked_words_are_found(text: str, found: str | None) -> None:
    assert WORDS.first_match(text) == found


@given(st.lists(BETWEEN, min_size=2, max_size=2), st.text("好的今天天气", max_size=5))
def test_separators_do_not_hide_a_word(gaps: list[str], around: str) -> None:
    assert WORDS.first_match(f"{around}加{gaps[0]}微{gaps[1]}信{around}") == "加微信"


def test_filter_without_words_matches_nothing() -> None:
    assert WordFilter([]).first_match("加微信") is None
    assert WordFilter([" ", "\u200b"]).first_match("a b \u200b") is None


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("看 https://evil.com/x", "evil.com"),
        ("看https://EVIL.com", "evil.com"),
        ("evil.com快来", "evil.com"),
        ("加www.evil。com", "www.evil.com"),
        ("ＷＷＷ．ｅｖｉｌ．ｃｏｍ", "www.evil.com"),
        ("https://yunmof.com@evil.com/", "evil.com"),
        ("https://yunmof.com.evil.cn/", "yunmof.com.evil.cn"),
        ("notyunmof.com", "notyunmof.com"),
        ("https://evil.com\\@yunmof.com", "evil.com"),
        ("http:\\\\evil.com", "evil.com"),
        ("ev\u200bil.c\u2060om", "evil.com"),
        ("https://m.yunmof.com 和 http://1.2.3.4/x", "1.2.3.4"),
        ("http://中文.网址/", "中文.网址"),
        ("https://yunmof.com:8080/a", None),
        ("M.YunMof.com", None),
        ("a@b.com", None),
        ("node.js v1.2.3 报告.pdf 3.5kg", None),
        ("你好。me too", None),
        ("http://", None),
        ("https://[::1", None),
    ],
)
def test_foreign_host_of_a_link_is_found(text: str, host: str | None) -> None:
    assert foreign_link(text, ["yunmof.com"]) == host


@pytest.mark.parametrize("url", ["https://evil.com\\@yunmof.com/", "evil.com\\@yunmof.com", "https:\\\\evil.com"])
def test_backslash_counts_as_slash(url: str) -> None:
    """As in browsers, for URLs in QR codes."""
    assert host_of(url) == "evil.com"


def test_flooding_threshold_and_window() -> None:
    flood = FloodDetector(FloodSettings(messages=3, seconds=10))
    first, second = ("a", "room", "one"), ("a", "room", "other")
    assert [flood.detect(first, at, at) for at in (0, 1, 2, 3)] == [False, False, False, True]
    assert [flood.detect(first, at, at) for at in (4, 5, 6, 7)] == [False, False, False, True], "counting begins anew"
    assert [flood.detect(second, at, at) for at in (0, 4, 8, 12, 14)] == [False] * 4 + [True], "4, 8, 12 and 14"
    assert not any(flood.detect(second, 20 + 5 * n, 20 + 5 * n) for n in range(20))


def test_frozen_clock_and_backlog_are_not_flooding() -> None:
    flood = FloodDetector(FloodSettings(messages=3, seconds=10))
    first, second = ("a", "room", "one"), ("a", "room", "other")
    assert not any(flood.detect(first, 5.0 * number, 0.0) for number in range(20)), "one time for all that is said"
    assert not any(flood.detect(second, 100.0, 60.0 * number) for number in range(20)), (
        "said over a while, brought at once"
    )


@pytest.mark.parametrize(
    "text",
    ["weixin://dl/business/?t=abc", "看 alipays://platformapi", "http://1.2.3.4", "1.2.3.4:8080", "1.2.3.4/a",
     "www.example.museum", "go.example.zip/login", "WWW.EXAMPLE.PICS", "evil.click快来", "看看evil.lol", "evil.to/x",
     "梁山.中国", "http://3232235777/", "http://[2001:db8::1]/x", "еvil.com", "https://уours.example"],
)  # fmt: skip
def test_links_in_other_notations_are_found(text: str) -> None:
    assert foreign_link(text, ["ours.example"]) is not None


@pytest.mark.parametrize(
    "text",
    ["版本 1.2.3.4", "3.14/2", "a.b", "今天 9:00-18:00", "是/否", "www.ours.example/a", "ok.so what", "我爱.中国人",
     "报告.docx", "main.py"],
)  # fmt: skip
def test_own_and_invalid_links_are_allowed(text: str) -> None:
    assert foreign_link(text, ["ours.example"]) is None


def test_combining_marks_do_not_hide_a_word() -> None:
    words = WordFilter(["spam", "加微信"])
    assert words.first_match("s\u0301p\u0308a\u0336m") == "spam"
    assert words.first_match("\u015bp\u00e4m") == "spam"
    assert words.first_match("加\u0336微\u0336信\u0336") == "加微信"
    assert words.first_match("한국어") is None


@pytest.mark.parametrize(
    "text", ["ѕрам", "ѕ р а м", "ꓢꓑꓮꓟ", "ЅРАМ", "𝓼𝓹𝓪𝓶", "sᴘᴀᴍ", "加エ群", "加ｖx", "加νх", "加V\u0336X"]
)
def test_lookalike_letters_do_not_hide_a_word(text: str) -> None:
    words = WordFilter(["spam", "加工", "加vx", "лохотрон"])
    assert words.first_match(text) is not None
    assert words.first_match("лохотрон") == words.first_match("ЛОХОТРОН") == "лохотрон"


@pytest.mark.parametrize("text", ["Привет, как дела", "γειά σου", "一起加油", "“spa”和“massage”", "カード"])
def test_other_alphabets_are_allowed(text: str) -> None:
    assert WordFilter(["spam", "加工", "加vx", "лохотрон"]).first_match(text) is None
