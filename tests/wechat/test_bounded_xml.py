"""Limits of parsing untrusted XML."""

from __future__ import annotations

import pytest

from wechat.bounded_xml import MAX_DEPTH, MAX_ELEMENTS, MAX_LENGTH, parse, text_at


def _nested(depth: int) -> str:
    return "<a>" * depth + "</a>" * depth


def _flat(elements: int) -> str:
    return "<r>" + "<a/>" * (elements - 1) + "</r>"


def _long(length: int) -> str:
    return "<a>" + "x" * (length - 7) + "</a>"


@pytest.mark.parametrize(("make", "most"), [(_nested, MAX_DEPTH), (_flat, MAX_ELEMENTS), (_long, MAX_LENGTH)])
def test_document_up_to_the_limit_is_parsed(make: object, most: int) -> None:
    assert callable(make)
    assert parse(make(most)) is not None
    assert parse(make(most + 1)) is None


def test_siblings_do_not_add_to_the_depth() -> None:
    assert parse("<r>" + "<a></a>" * (MAX_DEPTH * 2) + "</r>") is not None


@pytest.mark.parametrize("text", ["", "x<a/>", "<a></b>", "<a/><b/>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_other_documents_are_refused(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  <m><t> a </t></m>\n", "a"),
        ("<m><t>a&b</t></m>", "a&b"),
        ("<m><t>a&lt;&#65;&#x42;</t></m>", "a<AB"),
        ("<m><t>a\x00b\ufffe</t></m>", "ab"),
        ("<m><t>a</t><rest", "a"),
        ("<m><t/></m>", ""),
        ("<m/>", ""),
    ],
)
def test_text_of_repaired_and_truncated_documents(text: str, title: str) -> None:
    root = parse(text)
    assert root is not None
    assert root.tag == "m"
    assert text_at(root, "t") == title


def test_text_without_an_element() -> None:
    assert text_at(None, "t") == ""
