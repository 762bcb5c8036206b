"""Texts cut into pieces that WeChat takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.messaging.messages import MAX_TEXT_LENGTH, _pieces
from services.text import in_pieces


def test_text_is_cut_at_the_best_place() -> None:
    assert in_pieces("一二三四五。六七八九十", 8) == ["一二三四五。", "六七八九十"]
    assert in_pieces("一二三四五\n六七。八九十", 9) == ["一二三四五\n", "六七。八九十"]
    assert in_pieces("一二三四五六七", 3) == ["一二三", "四五六", "七"]
    assert in_pieces("", 3) == [""]


@given(st.text(alphabet="一二。！\n ,a", max_size=300), st.integers(4, 40), st.integers(0, 40))
def test_pieces_are_complete_and_within_the_limit(text: str, longest: int, first: int) -> None:
    pieces = in_pieces(text, longest, first)
    assert "".join(pieces) == text
    assert len(pieces[0]) <= (first or longest)
    assert all(0 < len(piece) <= longest for piece in pieces[1:])


def test_mentions_are_in_the_first_piece_and_choices_in_the_last() -> None:
    body = {"type": "text", "text": "句。" * 2500, "mentions": ["a"], "choices": ["1"], "relays": 7}
    first, middle, last = _pieces(body)
    assert [piece.get("mentions") for piece in (first, middle, last)] == [["a"], None, None]
    assert [piece.get("choices") for piece in (first, middle, last)] == [None, None, ["1"]]
    assert {piece["relays"] for piece in (first, middle, last)} == {7}
    assert len(first["text"]) <= MAX_TEXT_LENGTH - 36
