"""Placeholders of flows: what they accept, and their limits."""

from __future__ import annotations

from typing import Any

import pytest

from services.flows.values import (
    MAX_REASON,
    MAX_VALUE,
    MissingValue,
    fill_available,
    fill_body,
    fill_path,
    fill_text,
    look_up,
    reason,
    summary,
)

VALUES: dict[str, Any] = {"a": {"b": [10, {"c": "x"}], "none": None, "yes": True}, "s": "text", "odd": "a\x00b\ud800"}


@pytest.mark.parametrize(
    ("name", "field", "value"), [("s", "", "text"), ("a", ".b.0", 10), ("a", ".b.1.c", "x"), ("a", ".none", None)]
)
def test_look_up_finds(name: str, field: str, value: Any) -> None:
    assert look_up(VALUES, name, field) == value


@pytest.mark.parametrize("field", [".c", ".b.2", ".b.-1", ".b.x", ".b.¹", ".b.0.d"])
def test_look_up_names_what_is_missing(field: str) -> None:
    with pytest.raises(MissingValue, match=f"^a{field}$"):
        look_up(VALUES, "a", field)


def test_texts() -> None:
    assert fill_text("<{s}|{a.b.0}|{a.yes}|{a.b.1}|{odd}>", VALUES) == '<text|10|true|{"c": "x"}|ab>'
    assert fill_text("{s}", {"s": "y" * (MAX_VALUE + 1)}) == "y" * MAX_VALUE
    for template in ("{a.none}", "{x}", "{a.x}"):
        with pytest.raises(MissingValue, match=f"^{template[1:-1]}$"):
            fill_text(template, VALUES)
        assert fill_available(f"<{template}{{s}}>", VALUES) == "<text>"


def test_body_keeps_the_type_of_a_whole_placeholder() -> None:
    template = {"n": "{a.b.0}", "l": ["{a.b}", "no {s}", 5], "none": "{a.none}", "t": None}
    assert fill_body(template, VALUES) == {"n": 10, "l": [VALUES["a"]["b"], "no text", 5], "none": None, "t": None}


def test_path_values_cannot_change_its_structure() -> None:
    assert fill_path("/v 1/{p}?q={q}&r=é", {"p": "a/b?c", "q": "%&="}) == "/v%201/a%2Fb%3Fc?q=%25%26%3D&r=%C3%A9"
    for value in ("", ".", "..", None):
        with pytest.raises(MissingValue, match=r"^p\.v$"):
            fill_path("/{p.v}", {"p": {"v": value}})
    assert fill_path("/{p}", {"p": "..."}) == "/..."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"message": " a\n b\x00 ", "error": "c"}, "a b"),
        ({"message": "", "error": "c"}, "c"),
        ({"error": {"message": "deep"}}, "deep"),
        ({"error": {"code": 1}}, ""),
        ({"message": 5}, ""),
        ({}, ""),
        ("text", ""),
        ({"message": "y" * (MAX_REASON + 1)}, "y" * MAX_REASON),
    ],
)
def test_reason_of_a_response(value: Any, text: str) -> None:
    assert reason(value) == text


def test_summary_is_the_message_or_the_json() -> None:
    assert summary({"message": "好", "n": 1}) == "好"
    assert summary({"n": "é"}) == '{"n": "é"}'
    assert summary({"n": "y" * MAX_REASON}) == '{"n": "' + "y" * (MAX_REASON - 7)
