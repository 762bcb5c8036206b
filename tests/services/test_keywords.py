"""Keyword rules added by people, beside those of the config."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlmodel import select

from config.customer_service import KeywordRule
from models.keywords import Keyword
from services.support.keywords import Keywords, rule_of
from services.support.matching import RulesByPlace
from tests.services.parts import ACCOUNT, OpenParts, Parts

ACTOR = "person:wxid_song"


@pytest.fixture
async def shop(open_parts: OpenParts) -> Parts:
    rules = [{"contains": "发票", "reply": "请发抬头"}, {"equals": "地址", "reply": "人民路", "where": "private"}]
    parts = await open_parts(customer_service={"faq": "", "keywords": rules})
    await parts.group("1")
    return parts


async def put(parts: Parts, number: int | None = None, account: str = ACCOUNT, **rule: Any) -> Keyword:
    keywords = parts.container.keywords
    return await parts.write(lambda s: keywords.put(s, account, number, KeywordRule(**rule), ACTOR))


def group_number(parts: Parts) -> int:
    return next(iter(parts.container.groups)).number


def found(keywords: Keywords, text: str, number: int | None = None, *, group: bool = False) -> Any:
    match = keywords.find(ACCOUNT, text, number, group=group)
    return match.rule.reply if match else None


async def reloaded(parts: Parts) -> Keywords:
    again = Keywords(parts.container.store, parts.container.config.customer_service.keywords)
    await again.load()
    return again


async def test_added_rule_takes_precedence(shop: Parts) -> None:
    keywords = shop.container.keywords
    assert [found(keywords, text) for text in ("开发票", "地址", "几点")] == ["请发抬头", "人民路", None]
    assert found(keywords, "地址", group=True) is None
    await put(shop, contains="发票", reply="在小程序里开")
    assert found(keywords, "开发票") == "在小程序里开"
    assert keywords.find("weimi1002", "开发票") is not None
    await put(shop, account="weimi1002", contains="几点", reply="九点")
    assert found(keywords, "几点") is None, "each account has its own"
    for item in (keywords, await reloaded(shop)):
        assert [found(item, text) for text in ("开发票", "地址", "几点")] == ["在小程序里开", "人民路", None]


async def test_rule_of_a_group_takes_precedence_over_that_of_the_account(shop: Parts) -> None:
    number = group_number(shop)
    await put(shop, contains="几点", reply="九点")
    await put(shop, number, contains="几点", reply="群里十点")
    await put(shop, number, contains="规则", reply="看公告")
    for keywords in (shop.container.keywords, await reloaded(shop)):
        assert found(keywords, "几点", number, group=True) == "群里十点"
        assert found(keywords, "几点", group=True) == "九点"
        assert found(keywords, "几点") == "九点"
        assert found(keywords, "规则") is None
        assert found(keywords, "开发票", number, group=True) == "请发抬头"


async def test_place_of_a_rule_is_kept(shop: Parts) -> None:
    await put(shop, equals="几点", reply="九点", where="group")
    for keywords in (shop.container.keywords, await reloaded(shop)):
        assert (found(keywords, "几点", group=True), found(keywords, "几点")) == ("九点", None)


async def test_rule_of_the_same_word_and_place_is_replaced(shop: Parts) -> None:
    first = await put(shop, contains="Ｗifi", reply="12345678")
    again = await put(shop, contains="WIFI ", reply="87654321")
    assert (again.id, again.word) == (first.id, "wifi")
    others: list[dict[str, Any]] = [{"equals": "wifi"}, {"contains": "wifi", "where": "group"}, {"regex": "wifi"}]
    for more in others:
        assert (await put(shop, reply="x", **more)).id != first.id
    rows = await shop.read(lambda s: shop.container.keywords.added_rows(s, ACCOUNT, None))
    assert [(row.kind, row.word, row.place, row.reply) for row in rows] == [
        ("contains", "wifi", "both", "87654321"),
        ("equals", "wifi", "both", "x"),
        ("contains", "wifi", "group", "x"),
        ("regex", "wifi", "both", "x"),
    ]
    assert {row.by for row in rows} == {ACTOR}


async def test_reply_of_several_parts_is_kept(shop: Parts) -> None:
    link = {"title": "官网", "url": "https://a.example"}
    row = await put(shop, regex=r"订单(\d+)", reply=["订单 {1} 收到", {"link": link}])
    assert row.parts and "订单 {1} 收到" in row.reply and "\\u" not in row.reply
    assert rule_of(row).reply == KeywordRule(regex=row.word, reply=["订单 {1} 收到", {"link": link}]).reply
    for keywords in (shop.container.keywords, await reloaded(shop)):
        match = keywords.find(ACCOUNT, "订单42")
        assert match is not None
        text, card = match.parts()
        assert text.text == "订单 42 收到" and card.link is not None and card.link.title == "官网"


async def test_rules_are_removed_by_word_or_id(shop: Parts) -> None:
    keywords = shop.container.keywords
    await put(shop, contains="几点", reply="九点")
    await put(shop, equals="几点", reply="十点")
    other = await put(shop, contains="规则", reply="看公告")
    dropped = await shop.write(partial(keywords.drop, account=ACCOUNT, number=None, word=" 几点"))
    assert [row.reply for row in dropped] == ["九点", "十点"]
    assert found(keywords, "几点") is None
    assert await shop.write(partial(keywords.drop, account=ACCOUNT, number=None, word="几点")) == []
    assert found(keywords, "规则") == "看公告"
    removed = await shop.write(lambda s: keywords.remove(s, other.id or 0))
    assert removed is not None and removed.word == "规则"
    assert await shop.write(lambda s: keywords.remove(s, other.id or 0)) is None
    assert found(keywords, "规则") is None
    assert await shop.read(lambda s: s.exec(select(Keyword)).all()) == []


async def test_rules_of_a_group_and_of_all_places_are_listed_separately(shop: Parts) -> None:
    await put(shop, contains="几点", reply="九点")
    await put(shop, group_number(shop), contains="规则", reply="看公告")
    await put(shop, account="weimi1002", contains="别的", reply="x")
    keywords = shop.container.keywords
    listed = [
        await shop.read(partial(keywords.added_rows, account=ACCOUNT, number=number))
        for number in (None, group_number(shop), 99)
    ]
    assert [[row.word for row in rows] for rows in listed] == [["几点"], ["规则"], []]


async def test_rules_of_the_config_are_replaced(shop: Parts) -> None:
    keywords = shop.container.keywords
    keywords.configure(RulesByPlace([KeywordRule(contains="发票", reply="新的")]))
    assert [found(keywords, text) for text in ("开发票", "地址")] == ["新的", None]
