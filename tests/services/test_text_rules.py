"""Normalised texts, quotes, mentions, and where long texts are cut."""

from __future__ import annotations

import pytest

from services.text import in_pieces, normal, simplified, with_quote, without_mention, without_quote


@pytest.mark.parametrize(
    ("text", "same"), [(" ABC ", "abc"), ("ＡＢＣ　", "abc"), ("Straße", "strasse"), (" 宋公明\n", "宋公明"), ("", "")]
)
def test_text_is_normalised(text: str, same: str) -> None:
    assert normal(text) == same


def test_traditional_characters_are_simplified() -> None:
    assert simplified("價格 price") == "价格 price"
    assert simplified("价格 é😀") == "价格 é😀"
    assert simplified("售後😀") == "售后😀", "this one is in GB 2312"


LINE = "- - - - - - - - - - - - - - -"


@pytest.mark.parametrize(
    ("text", "reply", "quoted"),
    [
        (f"「宋公明：在吗」\n{LINE}\n 在 \n", "在", "宋公明：在吗"),
        (f" 「「a」\n{LINE}\nb」\n{LINE}\nc", "c", f"「a」\n{LINE}\nb"),
        ("「a」\n-----\nb", "b", "a"),
        ("「a」\n—————\nb", "b", "a"),
        ("「a」\n----\nb", "「a」\n----\nb", ""),
        ("「a」 b", "「a」 b", ""),
        (f"x「a」\n{LINE}\nb", f"x「a」\n{LINE}\nb", ""),
        ("plain ", "plain ", ""),
    ],
)
def test_quote_is_split_off(text: str, reply: str, quoted: str) -> None:
    assert without_quote(text) == (reply, quoted)


def test_quote_is_written_as_wechat_does() -> None:
    assert with_quote("b", "") == "b"
    assert with_quote("b", "a") == f"「a」\n{LINE}\nb"
    assert without_quote(with_quote("b", "a")) == ("b", "a")


@pytest.mark.parametrize(
    ("text", "names", "rest"),
    [
        ("@小微\u2005 在吗", (), "在吗"),
        ("@小微\u2005@店长\u2005在吗", (), "在吗"),
        ("@小微，在吗", ("小微",), "在吗"),
        ("@小微助手：在吗", ("小微", "小微助手", ""), "在吗"),
        ("在吗@小微", ("小微",), "在吗"),
        ("@别人 在吗 你", ("小微",), "在吗 你"),
        ("@别人", ("小微",), ""),
        ("a@b.c 在吗", (), "a@b.c 在吗"),
        ("@" + "x" * 64 + "\u2005hi", (), "hi"),
        ("@" + "x" * 65 + "\u2005hi there", (), "there"),
    ],
)
def test_mentions_are_removed(text: str, names: tuple[str, ...], rest: str) -> None:
    assert without_mention(text, *names) == rest


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("12345678", ["12345678"]),
        ("123456789", ["12345678", "9"]),
        ("1234\n6789", ["1234\n", "6789"]),
        ("123\n56789", ["123\n5678", "9"]),  # in the first half it would leave little
        ("12345。”89", ["12345。”", "89"]),
        ("1234. 789", ["1234.", " 789"]),
        ("1234.5789", ["1234.578", "9"]),  # a number
        ("12345，789", ["12345，", "789"]),
        ("12345 789", ["12345 ", "789"]),
        ("1234。6\n89", ["1234。6\n", "89"]),  # the end of a line before that of a sentence
        ("1234，6。89", ["1234，6。", "89"]),
        ("12345。7。9", ["12345。7。", "9"]),  # the last one
    ],
)
def test_text_is_cut_behind_the_best_end(text: str, pieces: list[str]) -> None:
    assert in_pieces(text, 8) == pieces


def test_first_piece_may_be_shorter() -> None:
    assert in_pieces("x" * 10, 8, 4) == ["xxxx", "xxxxxx"]
    assert in_pieces("x" * 4, 8, 4) == ["xxxx"]
