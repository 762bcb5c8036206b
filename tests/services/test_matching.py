"""Matching of keyword rules, compared to a simple reference implementation."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from config.customer_service import KeywordRule, LinkPart, ReplyPart
from services.support.matching import RuleSet, WordIndex
from services.text import normal, without_mention
from tests.bot_process import ROOT

LETTERS = st.sampled_from("ab发票Ａé\u2005 12")
WORD = st.text(LETTERS, min_size=1, max_size=5).filter(lambda w: bool(w.strip()))
SENTENCE = st.text(LETTERS, max_size=30)


def reference_match(rules: list[KeywordRule], text: str) -> KeywordRule | None:
    """Reference implementation: equals, then contains (the longest), then regex; the first among equals."""
    said = normal(text)
    for rule in rules:
        if rule.equals and normal(rule.equals) == said:
            return rule
    held = [rule for rule in rules if rule.contains and normal(rule.contains) in said]
    if held:
        return max(held, key=lambda rule: len(normal(rule.contains)))
    return next((rule for rule in rules if rule.regex and re.search(rule.regex, text.strip())), None)


@st.composite
def rule_lists(draw: st.DrawFn) -> list[KeywordRule]:
    made = []
    for n in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["equals", "contains", "regex"]))
        word = re.escape(draw(WORD).strip()) + "." if kind == "regex" else draw(WORD)
        made.append(KeywordRule(**{kind: word}, reply=f"reply {n}"))
    return made


@settings(max_examples=400, deadline=None)
@given(rule_lists(), SENTENCE)
def test_same_rule_as_reference_implementation(rules: list[KeywordRule], text: str) -> None:
    found = RuleSet(rules, "private").find(text)
    expected = reference_match(rules, text)
    assert (found.rule if found else None) is expected


@pytest.mark.parametrize(
    ("rules", "text", "expected"),
    [
        (["contains:开发票"], "請問怎麼開發票？", "开发票"),
        (["contains:開發票"], "请问怎么开发票", "開發票"),
        (["equals:营业时间"], "營業時間", "营业时间"),
        (["equals:營業時間"], "营业时间", "營業時間"),
        (["contains:售后"], "售後", "售后"),
        (["contains:裏面"], "裡面", "裏面"),  # two traditional forms of one character
        (["contains:發票", "contains:开发票"], "怎麼開發票", "开发票"),
        (["contains:發票", "equals:开发票"], "開發票", "开发票"),
        (["contains:发票", "contains:發票"], "发票", "发票"),
        (["contains:发票", "contains:發票"], "發票", "发票"),
        (["contains:發票", "contains:发票"], "发票", "发票"),
        (["contains:洗", "contains:乾洗"], "乾洗多少錢", "乾洗"),
        (["contains:票 我"], "發票", None),  # nor in the two forms one after the other
        (["contains:票\n发"], "發票", None),
        (["regex:订单\\s*(\\d+)"], "我的訂單 42", "订单\\s*(\\d+)"),
        (["regex:訂單\\s*(\\d+)", "regex:订单"], "我的訂單 42", "訂單\\s*(\\d+)"),
        (["regex:^.$", "contains:發"], "发", "發"),
    ],
)
def test_traditional_and_simplified_characters_are_equivalent(
    rules: list[str], text: str, expected: str | None
) -> None:
    found = RuleSet([rule_of(rule) for rule in rules], "private").find(text)
    assert (found and (found.rule.equals or found.rule.contains or found.rule.regex)) == expected


def test_captured_text_is_filled_in_for_traditional_characters() -> None:
    found = RuleSet([KeywordRule(regex="订单\\s*(\\d+)", reply="{1} 已收到")], "private").find("我的訂單 42")
    assert found is not None and found.parts() == [ReplyPart(text="42 已收到")]


def test_dictionary_is_not_loaded_for_simplified_characters() -> None:
    code = """if True:
        import sys
        from tools.check_keywords import read
        from services.support.matching import RuleSet
        rules = RuleSet(read("config.yaml"), "private")
        assert rules.find("请问怎么开发票😀 café Ａ！") and rules.find("没有 é") is None
        assert "opencc" not in sys.modules
        assert rules.find("請問怎麼開發票") and "opencc" in sys.modules"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def rule_of(text: str) -> KeywordRule:
    kind, _, word = text.partition(":")
    return KeywordRule(**{kind: word}, reply="好")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.booleans(), WORD), max_size=20), SENTENCE)
def test_rules_are_added_and_removed(changes: list[tuple[bool, str]], text: str) -> None:
    words, known = WordIndex[str](), dict[str, None]()
    for add, word in changes:
        if add:
            words.add(word, normal(word))
            known[normal(word)] = None
        else:
            assert words.drop(word) == (normal(word) in known)
            known.pop(normal(word), None)
    held = [word for word in known if word in normal(text)]
    assert len(words) == len(known)
    assert len(words.find(normal(text)) or "") == max(map(len, held), default=0)


def test_order_of_kinds_and_places() -> None:
    rules = [
        KeywordRule(regex="发票", reply="regex"),
        KeywordRule(contains="票", reply="short"),
        KeywordRule(contains="发票", reply="long"),
        KeywordRule(contains="开发", reply="as long, but later"),
        KeywordRule(equals="发票", reply="equal"),
        KeywordRule(contains="开发票", reply="in groups", where="group"),
    ]
    private, group = RuleSet(rules, "private"), RuleSet(rules, "group")

    def reply(found: object) -> str:
        return found.rule.reply if found else ""  # type: ignore[attr-defined]

    assert reply(private.find("发票")) == "equal"
    assert reply(private.find("开发票")) == "long"
    assert reply(group.find("要开发票")) == "in groups"
    assert reply(private.find("票")) == "short"
    assert private.find("别的") is None


def test_captured_groups_fill_texts_and_links() -> None:
    parts = [
        ReplyPart(text="订单 {1}，{2}，{0}"),
        ReplyPart(link=LinkPart(title="订单 {1}", url="https://x.example/?q={1}&n={2}")),
        "其余 {2} 不变",
    ]
    rules = RuleSet([KeywordRule(regex="订单(\\S+)(?: 共(\\d+))?", reply=parts)], "private")
    found = rules.find("我的订单A&b")
    assert found is not None
    text, link, rest = found.parts()
    assert text.text == "订单 A&b，，订单A&b"  # a group that did not match is empty
    assert link.link is not None
    assert (link.link.title, link.link.url) == ("订单 A&b", "https://x.example/?q=A%26b&n=")
    assert rest.text == "其余  不变"


def test_patterns_run_in_linear_time_and_invalid_ones_are_rejected() -> None:
    rules = RuleSet([KeywordRule(regex="(a+)+$", reply="x"), KeywordRule(regex="b", reply="y")], "private")
    began = time.thread_time()
    assert rules.find("a" * 3000 + "c") is None
    assert time.thread_time() - began < 1
    with pytest.raises(ValidationError, match="RE2"):
        KeywordRule(regex="(?P<x", reply="x")
    with pytest.raises(ValidationError, match="RE2"):
        KeywordRule(regex="(a)\\1", reply="x")


def test_lookup_time_is_independent_of_the_number_of_rules() -> None:
    """With 100 000 words, a lookup takes less than a millisecond even on a busy machine."""
    rules = [KeywordRule(contains=f"词{n:06d}", reply="x") for n in range(100_000)]
    built = RuleSet(rules, "private")
    began = time.thread_time()
    for n in range(200):
        found = built.find(f"请问词{n:06d}是什么意思，谢谢")
        assert found is not None
        assert found.rule is rules[n]
    assert (time.thread_time() - began) / 200 < 0.01


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("@小助手\u2005 营业时间", "营业时间"),
        ("营业时间@小助手", "营业时间"),
        ("@小助手 营业时间", "营业时间"),
        ("@群里的名字 营业时间", "营业时间"),
        ("@张三\u2005@小助手\u2005你好", "你好"),
        ("@小助手", ""),
        ("a@b.com 在吗", "a@b.com 在吗"),
    ],
)
def test_leading_mention_is_removed(text: str, rest: str) -> None:
    assert without_mention(text, "小助手") == rest
