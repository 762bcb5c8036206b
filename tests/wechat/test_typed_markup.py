"""Words in typed texts that look like WeChat's own markup."""

from __future__ import annotations

import pytest

from wechat.events import MessageKind
from wechat.message_content import Content
from wechat.typed_markup import typed_words

REPLY = Content(MessageKind.TEXT, "好", quoted="原文")


def words(text: str, content: Content = REPLY) -> list[str]:
    return typed_words(text, content).split()


def test_text_that_is_its_content_has_no_other_words() -> None:
    assert typed_words("好", Content(MessageKind.TEXT, "好")) == ""
    assert typed_words(" \n", Content(MessageKind.TEXT, "")) == ""


def test_text_without_markup_is_returned_whole() -> None:
    assert typed_words('"a" 撤回了\n一条消息', Content(MessageKind.RECALLED)) == '"a" 撤回了\n一条消息'


def test_markup_is_removed_and_the_words_of_each_line_are_kept() -> None:
    assert typed_words("<msg>\n 加 \n\n<b>微信</b></msg>", Content(MessageKind.IMAGE)) == "加\n微信"
    assert words("前 <a> 后", Content(MessageKind.IMAGE)) == ["前", "后"]


def test_escaped_markup_is_unescaped_only_as_a_whole() -> None:
    assert words("&lt;msg&gt;词&lt;/msg&gt;") == ["词"]
    assert words("a &lt;msg&gt;词") == ["a", "词"]
    assert words("<msg>a&amp;lt;b</msg>") == ["a&lt;b"]


@pytest.mark.parametrize(
    "part",
    [
        "<fromusername>wxid_1</fromusername>",
        "<svrid> 12 </svrid>",
        "<a aeskey='k1' md5=\"k2\"/>",
        "http://mmbiz.qpic.cn/a?b",
        "https://wx.qq.com",
        "<createtime>1</createtime>",
    ],
)
def test_ids_keys_and_addresses_of_wechat_are_not_words(part: str) -> None:
    assert words(f"<msg>词 {part}</msg>") == ["词"]


@pytest.mark.parametrize("part", ["<id>加微信</id>", "http://evil.example/qq.com", "<a note='k1'/>"])
def test_other_attributes_and_addresses_are_words(part: str) -> None:
    assert len(words(f"<msg>词 {part}</msg>")) == 2


def test_quoted_text_and_name_are_left_out() -> None:
    refer = "<refermsg><content>原文</content><displayname>李逵</displayname><svrid>9</svrid></refermsg>"
    assert words(f"<msg>好{refer}</msg>") == ["好"]
    assert "原文" in words(f"<msg>好{refer}</msg>", Content(MessageKind.TEXT, "好"))


@pytest.mark.parametrize(
    "refer",
    [
        "<refermsg><content>原文</content>词</refermsg>",
        "<refermsg>词<content>原文</content></refermsg>",
        "<refermsg><content>原文</content></refermsg>词",
        "<refermsg></content>词<content></refermsg>",
        "词<refermsg><content>原文",
        "词</refermsg>",
        "<refermsg>词</refermsg>",
    ],
)
def test_words_beside_the_quoted_text_stay(refer: str) -> None:
    assert "词" in words(refer)


def test_latin_letters_in_a_quote_are_ids_and_those_around_it_are_not() -> None:
    assert words("<refermsg><content>x</content>abc</refermsg>") == []
    assert words("vx <refermsg><content>x</content></refermsg> vy") == ["vx", "vy"]


def test_case_of_tags_does_not_matter() -> None:
    assert words("<MSG>词<fromUserName>wxid_1</fromUserName></MSG>") == ["词"]


def test_escaped_text_within_markup_is_a_word() -> None:
    assert words("<msg>a&lt;b</msg>") == ["a<b"]
    assert words("&lt;b&gt;词<i>") == ["词"]


def test_text_without_markup_is_not_changed() -> None:
    for text in ("a&amp;b", 'id="x1" 词 '):
        assert typed_words(text, Content(MessageKind.RECALLED)) == text


def test_words_without_a_quote_are_kept_whole() -> None:
    assert words("<msg>加微信") == ["加微信"]
