"""Mentions in texts."""

from __future__ import annotations

import pytest

from wechat.mentions import (
    MAX_AT_SIGNS,
    MAX_NAME_LENGTH,
    NAME_ENDS,
    is_to_everybody,
    mentioned_ids,
    mentions_name,
    possible_names,
)


@pytest.mark.parametrize("end", [*NAME_ENDS, ""])
def test_mention_ends_at_punctuation_or_the_end(end: str) -> None:
    assert mentions_name(f"hi @bot{end}", ["bot"])


def test_other_names_are_not_called() -> None:
    assert not mentions_name("@bots ", ["bot"])
    assert not mentions_name("bot ", ["bot"])
    assert not mentions_name("@ ", ["", "bot"])
    assert mentions_name("@x @bot", ["other", "bot"])
    assert not mentions_name("@bot", [])


def test_only_the_first_marks_are_considered() -> None:
    assert mentions_name("@" * MAX_AT_SIGNS + "bot", ["bot"])
    assert not mentions_name("@" * (MAX_AT_SIGNS + 1) + "bot", ["bot"])


@pytest.mark.parametrize("text", ["@所有人 hi", "x @全体成员", "@all", "@ALL hi", "@everyone!"])
def test_everybody_is_mentioned(text: str) -> None:
    assert is_to_everybody(text)


@pytest.mark.parametrize("text", ["所有人", "@allan", "all", ""])
def test_everybody_is_not_mentioned(text: str) -> None:
    assert not is_to_everybody(text)


def test_called_takes_the_longest_known_name_and_no_ambiguous_one() -> None:
    people = {"Li": ["1"], "Li Lei": ["2"], "Wang": ["3", "4"], "Wang Wu": []}
    find = lambda name: people.get(name, [])  # noqa: E731
    assert mentioned_ids("@Li Lei hello @Li\u2005x @Li", find) == ("2", "1")
    assert mentioned_ids("@Wang Wu", find) == ()
    assert mentioned_ids("@ Li", find) == ("1",)
    assert mentioned_ids("no one", find) == ()


def test_possible_names_at_the_beginning_of_a_text() -> None:
    assert list(possible_names("a b\u2005c")) == ["a b"]
    assert list(possible_names(" a\u2005c")) == [" a", "a"]
    assert list(possible_names("a b c \nd")) == ["a b c", "a b", "a"]
    assert list(possible_names("")) == []
    assert list(possible_names("x" * MAX_NAME_LENGTH)) == ["x" * MAX_NAME_LENGTH]
    assert list(possible_names("x" * (MAX_NAME_LENGTH + 1))) == []
    assert list(possible_names("x" * MAX_NAME_LENGTH + " y")) == ["x" * MAX_NAME_LENGTH]


def test_shorter_name_within_a_mention_is_not_mentioned() -> None:
    people = {"Li": ["1"], "Li Lei": ["2"]}
    assert mentioned_ids("@Li Lei", lambda name: people.get(name, [])) == ("2",)
    assert MAX_NAME_LENGTH == 64
