"""Names on one line, and names that WeChat shows differently from how they were set."""

from __future__ import annotations

import pytest

from wechat.names import MAX_SHOWN_LENGTH, clean_name, comparable, same_name


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("Li", "Li"),
        ("李 逵", "李 逵"),
        ("a\r\n\tb", "a b"),
        ("李\u2028\u2029逵", "李 逵"),
        ("\u202e李\u2066逵\u200f", "李逵"),
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\x1bb\x7f", "ab"),
        ("", ""),
    ],
)
def test_name_is_cleaned(name: str, cleaned: str) -> None:
    assert clean_name(name) == cleaned


@pytest.mark.parametrize(
    ("shown", "meant"),
    [
        ("阮&amp;阮", "阮&阮"),
        ("阮&amp;amp;amp;阮", "阮&阮"),
        (" 豹子头 ", "豹子头"),
        ("豹子头[Fire]", "豹子头🔥"),
        ("豹子头", "豹子头🔥"),
        ("家\u200d人\ufe0f", "家人"),
        ("ＡＢ", "AB"),
        ("", "🔥"),
    ],
)
def test_name_changed_by_wechat_is_recognised(shown: str, meant: str) -> None:
    assert same_name(shown, meant)


@pytest.mark.parametrize(
    ("shown", "meant"),
    [("豹子头", "豹子"), ("", "豹子头"), ("豹子", "豹子头"), ("阮&amp;amp;amp;amp;阮", "阮&阮")],
)
def test_other_name_is_not_recognised(shown: str, meant: str) -> None:
    assert not same_name(shown, meant)


@pytest.mark.parametrize(("length", "same"), [(MAX_SHOWN_LENGTH, True), (28, True), (27, False)])
def test_cut_name_is_recognised_by_its_beginning(length: int, same: bool) -> None:
    assert MAX_SHOWN_LENGTH == 32
    assert same_name("x" * length, "x" * 40) is same
    assert not same_name("y" * length, "x" * 40)


def test_name_of_emoji_only_does_not_match_everything() -> None:
    assert not same_name("🔥" * 32, "豹子头")
    assert comparable("🔥") == ""
