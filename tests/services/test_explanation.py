"""Which rule would answer a message, in the order of the handlers."""

from __future__ import annotations

from typing import Any

import pytest

from config.customer_service import CustomerService
from models.db import Store
from services.support.explanation import AnsweredBy, Explainer, Explanation
from services.support.faq import Entry
from services.support.faq_entries import FaqEntries
from services.support.keywords import Keywords
from services.support.knowledge import Passage
from services.support.person_requests import PersonRequests
from tests.services.clock import Clock

KEYWORDS: list[dict[str, Any]] = [
    {"equals": "地址", "reply": "人民路"},
    {"contains": "发票", "reply": ["请发抬头", {"link": {"title": "官网", "url": "https://a.example"}}]},
    {"regex": r"订单(\d+)", "reply": "订单 {1} 收到", "where": "private"},
]
ENTRIES = [Entry(questions=["怎么退货", "如何退换"], answer="七天内。"), Entry(questions=["运费多少"], answer="十元。")]
PASSAGE = Passage(questions=["停车"], answer="地下停车场对住客免费，出口在北门。", title="手册 › 停车")


def explainer_of(store: Store, clock: Clock, **values: Any) -> Explainer:
    service = CustomerService.model_validate({"keywords": KEYWORDS, "fallback": "没听懂", **values})
    book = FaqEntries(store, ENTRIES, clock, passages=[PASSAGE])
    return Explainer(PersonRequests(service.handoff), Keywords(store, service.keywords), book, service)


@pytest.fixture
def explainer(sqlite_store: Store, clock: Clock) -> Explainer:
    return explainer_of(sqlite_store, clock)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("转人工", Explanation(AnsweredBy.PERSON)),
        ("地址", Explanation(AnsweredBy.KEYWORD, "equals: 地址", "人民路")),
        ("开发票", Explanation(AnsweredBy.KEYWORD, "contains: 发票", "请发抬头\n🔗")),
        ("我的订单42", Explanation(AnsweredBy.KEYWORD, r"regex: 订单(\d+)", "订单 42 收到")),
        ("请问如何退换？", Explanation(AnsweredBy.QUESTION, "怎么退货", "七天内。")),
        ("xyz", Explanation(AnsweredBy.FALLBACK, reply="没听懂")),
    ],
)
async def test_first_applicable_rule_answers(explainer: Explainer, text: str, expected: Explanation) -> None:
    assert explainer.explain("weimi1001", text) == expected


async def test_groups_have_their_own_rules_and_no_fallback(explainer: Explainer) -> None:
    assert explainer.explain("weimi1001", "xyz", group=True) == Explanation(AnsweredBy.NOBODY)
    assert explainer.explain("weimi1001", "订单42", group=True).by is not AnsweredBy.KEYWORD


async def test_similar_questions_are_shown_with_their_scores(explainer: Explainer) -> None:
    found = explainer.explain("weimi1001", "退货运费谁出")
    assert (found.by, found.rule, found.reply) == (AnsweredBy.MENU, "", "")
    assert {question for question, _ in found.near} == {"怎么退货", "运费多少"}
    assert all(0 < score < 1 and score == round(score, 2) for _, score in found.near)


async def test_passage_is_quoted(explainer: Explainer) -> None:
    found = explainer.explain("weimi1001", "停车场的出口在北门吗")
    assert (found.by, found.rule, found.reply) == (AnsweredBy.PASSAGE, PASSAGE.title, PASSAGE.answer)
    assert found.near[0][0] == "停车"


async def test_language_model_chooses_if_there_is_one(sqlite_store: Store, clock: Clock) -> None:
    explainer = explainer_of(sqlite_store, clock, llm={"base_url": "http://127.0.0.1:9/v1", "model": "m"})
    assert explainer.explain("weimi1001", "xyz") == Explanation(AnsweredBy.MODEL)
    assert explainer.explain("weimi1001", "退货运费谁出").near != []
    assert explainer.explain("weimi1001", "怎么退货").by is AnsweredBy.QUESTION
