"""Quotes in groups, and details of word filters, links and flooding."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from config.settings import FloodSettings
from services.moderation import offences
from services.moderation.offences import FloodDetector, WordFilter, foreign_link, host_of, is_own, letters, plain
from services.moderation.quotes import Quotes
from tests.services.parts import ACCOUNT, SONG, XUAN, Parts
from wechat.events import GroupMessage

QUOTE = "「{quoted}」\n- - - - - - - - - - - - - - -\n{reply}"


def said(text: str, room: str = "room", **values: Any) -> GroupMessage:
    fields = {"contact_id": XUAN, "name": "黑旋风", **values}
    return GroupMessage(account=ACCOUNT, id="m", at=datetime(2027, 1, 1, tzinfo=UTC), text=text, room_id=room, **fields)


def reply_to(quoted: str, room: str = "room", **values: Any) -> GroupMessage:
    return said(QUOTE.format(quoted=quoted, reply="回复"), room, **values)


@pytest.mark.parametrize(
    ("quoted", "is_own_text"),
    [
        ("宋公明：坏词", False),
        ("宋公明:坏词", False),
        (" 宋公明 ：坏词：1", False),
        ("黑旋风：坏词", True),
        ("铁牛：坏词", True),
        ("xuan01：坏词", True),
        (f"{XUAN}：坏词", True),
        ("群里的称呼：坏词", True),
        ("坏词", True),
        ("：坏词", True),
    ],
)
async def test_text_with_a_quote(parts: Parts, quoted: str, is_own_text: bool) -> None:
    """Unless another person is known to be quoted, the sender may have written it."""
    parts.wechat.knows(XUAN, "黑旋风", alias="铁牛", weixin="xuan01")
    for name in ("黑旋风", "铁牛", "xuan01"):
        parts.wechat.knows(f"wxid_{name}", name)
    event = reply_to(quoted)
    assert Quotes(parts.container.accounts).own_text(event) == (event.text if is_own_text else "回复")


async def test_text_without_a_quote_is_the_senders(parts: Parts) -> None:
    assert Quotes(parts.container.accounts).own_text(said("坏词")) == "坏词"


@pytest.mark.parametrize(("by", "own"), [(SONG, "同意"), ("宋公明", "同意"), (XUAN, "同意\n坏词"), ("?", "同意\n坏词")])
async def test_quote_beside_the_text(parts: Parts, by: str, own: str) -> None:
    event = said("同意", quoted="坏词", quoted_by=by)
    assert Quotes(parts.container.accounts).own_text(event) == own


@pytest.mark.parametrize(
    ("by", "remembered", "room", "quoted", "is_own_text"),
    [
        (SONG, "你好 坏词！后面", "room", "称呼：你好坏词", False),
        (SONG, "你好坏词", "room", "你好，坏词", False),
        (SONG, "你好坏词", "another", "称呼：你好坏词", True),
        (XUAN, "你好坏词", "room", "称呼：你好坏词", True),
        (SONG, "你好坏词", "room", "称呼：坏词", True),
        (SONG, "你好坏词", "room", "称呼：！", True),
        (SONG, QUOTE.format(quoted="甲：乙", reply="你好坏词"), "room", "称呼：你好坏词", False),
    ],
)
async def test_remembered_offence_is_recognised_in_a_quote(
    parts: Parts, by: str, remembered: str, room: str, quoted: str, is_own_text: bool
) -> None:
    known = Quotes(parts.container.accounts)
    known.remember(said(remembered, room, contact_id=by))
    event = reply_to(quoted)
    assert known.own_text(event) == (event.text if is_own_text else "回复")


async def test_quote_without_a_name_is_compared_with_offences(parts: Parts) -> None:
    """The sender is a friend without an alias, whom an empty name must not stand for."""
    known = Quotes(parts.container.accounts)
    known.remember(said("坏词", contact_id=SONG))
    assert known.own_text(said("同意", quoted="坏词")) == "同意"
    assert known.own_text(said("同意", quoted="别的坏词")) == "同意\n别的坏词"


async def test_last_offences_of_the_last_rooms_are_remembered(parts: Parts) -> None:
    known = Quotes(parts.container.accounts)

    def remembers(text: str, room: str) -> bool:
        return known.own_text(reply_to(f"称呼：{text}", room)) == "回复"

    for number in range(10, 31):
        known.remember(said(f"坏词{number}", "one", contact_id=SONG))
    assert [remembers(f"坏词{number}", "one") for number in (10, 11, 30)] == [False, True, True], "twenty of a room"
    known.remember(said("坏词", "two", contact_id=SONG))
    known.remember(said("别的", "one", contact_id=SONG))
    for number in range(498):
        known.remember(said("坏词", f"room {number}", contact_id=SONG))
    assert [remembers("坏词", room) for room in ("two", "room 497")] == [True, True], "five hundred rooms"
    known.remember(said("坏词", "last", contact_id=SONG))
    assert [remembers("坏词", room) for room in ("two", "room 0", "last")] == [False, True, True]
    assert remembers("别的", "one"), "there was an offence after that in the other room"


# ---- words ----


def test_latin_word_with_gaps_needs_boundaries() -> None:
    words = WordFilter(["sex"])
    for text in ("s.e.x", "a s.e.x", "s.e.x b", "as.e.x s.e.x"):
        assert words.first_match(text) == "sex"
    for text in ("as.e.x", "s.e.xb"):
        assert words.first_match(text) is None
    assert words.first_match("essex") == "sex", "without gaps it is found anywhere"


def test_filter_without_usable_words_is_empty() -> None:
    assert not WordFilter([" ", "\u200b"])
    assert WordFilter(["💰"]) and WordFilter(["a"])
    assert WordFilter(["💰", "甲", "乙"]).first_match("乙甲💰") == "甲", "words first, in their order"


def test_normalised_texts() -> None:
    assert plain("ＡＢＣ É\u200b\u3164 ß\n") == "abc e ss\n"
    assert plain("加\u115f微\u1160信\uffa0") == "加微信", "Hangul fillers are letters, but invisible"
    assert letters("a-b 1，好") == "ab1好"


# ---- links ----


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://A.example:80/x", "a.example"), ("a.example./x", "a.example"),
     ("", ""), ("https://[::1", ""), ("https:\\\\a.example\\x", "a.example")],
)  # fmt: skip
def test_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host


def test_own_hosts_and_their_subdomains() -> None:
    own = ["a.example", "b.example"]
    hosts = ("a.example", "x.b.example", "xa.example", "example", "")
    assert [is_own(host, own) for host in hosts] == [True, True, False, False, False]
    assert foreign_link("https://a.example https://evil.com https://bad.com", own) == "evil.com"
    assert foreign_link("没有链接", own) is None


# ---- flooding ----


def test_flooding_by_the_longer_of_two_times() -> None:
    def third(arrived: float, at: float) -> bool:
        flood = FloodDetector(FloodSettings(messages=2, seconds=10))
        return [flood.detect(("a", "r", "p"), *times) for times in ((0, 0), (1, 1), (arrived, at))][-1]

    assert [third(10, 10), third(10.5, 10), third(10, 10.5)] == [True, False, False]


def test_silent_people_are_forgotten_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offences, "MAX_SPEAKERS", 4)
    flood = FloodDetector(FloodSettings(messages=1, seconds=10))

    def speak(who: str, at: float) -> bool:
        return flood.detect(("a", "r", who), at, at)

    def known() -> str:
        return "".join(who for _, _, who in flood._sent_at)

    for who, at in (("a", 0), ("b", 5), ("c", 9), ("d", 10)):
        speak(who, at)
    assert known() == "abcd"
    speak("e", 15)
    assert known() == "bcde", "only a has been silent for longer than ten seconds"
    speak("f", 15)
    assert known() == "def", "nobody has: the older half is forgotten"
    assert speak("f", 15) is True
    speak("g", 15)
    speak("h", 15)
    assert known() == "degh", "f begins anew, so nothing is lost"
