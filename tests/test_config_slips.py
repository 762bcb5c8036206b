"""Slips in the config that were taken without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import ConfigError, load
from config.language import CHINESE
from services.support.faq import load as load_faq


@pytest.mark.parametrize(("text", "says"), [
    ("groups: {capacity: 5}\ngroups: {capacity: 6}", "line 2, column 1: a key stands here twice"),
    ("groups: {companions: [智多星，吴用]}", "one name is wanted"),
    ("customer_service: {handoff: {hours: {from: 9}}}", 'a time like "09:00"'),
    (r"customer_service: {keywords: [{regex: '(\d+)', reply: '{1} {2}'}]}", "takes {2}, and the regex has 1 groups"),
])  # fmt: skip
def test_slips_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load(path)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_meant_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("customer_service: {handoff: {hours: {from: 9:00}}}\ngroups: {companions: [智多星, 吴用]}", "utf-8")
    config = load(path)
    assert config.customer_service.handoff.hours.from_ == "09:00"
    assert config.groups.companions == ["智多星", "吴用"]


def test_a_file_of_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("groups: {welcome: 欢迎}".encode("gbk"))
    with pytest.raises(ConfigError, match="save the file as UTF-8"):
        load(path)


def test_a_question_with_two_answers(tmp_path: Path) -> None:
    path = tmp_path / "faq.yaml"
    path.write_text("- {questions: [几点开门], answer: 九点}\n- {questions: [几点开门？], answer: 十点}", "utf-8")
    with pytest.raises(ConfigError, match="two answers"):
        load_faq(str(path))
    path.write_text("- {questions: [几点开门], answer: 九点}\n- {questions: [几点开门？], answer: 九点}", "utf-8")
    assert len(load_faq(str(path))) == 2


def test_the_new_errors_have_chinese_words() -> None:
    words = " ".join(chinese for _, chinese in CHINESE)
    assert "请另存为 UTF-8" in words
