"""Questions without a matching keyword: listed ones, menus and fallbacks."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from config.texts import Texts
from models.conversations import FallbackSent
from models.faq import FaqMenu, FaqMiss
from services.decision import Decision
from services.support.fallbacks import Fallbacks, _Fallback
from services.support.faq import Entry
from services.support.missed_questions import most_missed
from services.support.question_menus import QuestionMenus, _Menu
from services.support.questions import Questions
from tests.services.model_server import ModelServer, model_server
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts

__all__ = ["model_server"]
WHO = (ACCOUNT, XUAN, XUAN)
FALLBACK = "抱歉，我没听懂。"
FAQ = """
- questions: [怎么开通会员]
  answer: 绑定手机号即可。
- questions: [会员多少钱一年]
  answer: 一年 99 元。
- questions: [门店地址在哪里]
  answer: 人民路 1 号。
"""


async def opened(open_parts: OpenParts, tmp_path: Path, **service: Any) -> Parts:
    (tmp_path / "faq.yaml").write_text(FAQ, encoding="utf-8")
    fields = {"faq": str(tmp_path / "faq.yaml"), "fallback": FALLBACK, **service}
    return await open_parts(customer_service=fields)


@pytest.fixture
async def shop(open_parts: OpenParts, tmp_path: Path) -> Parts:
    return await opened(open_parts, tmp_path)


def questions(parts: Parts) -> Questions:
    return parts.container.questions


def menus(parts: Parts) -> QuestionMenus:
    return parts.container.question_menus


def fallbacks(parts: Parts) -> Fallbacks:
    return parts.container.fallbacks


async def ask(parts: Parts, text: str) -> Decision | None:
    """Return the reply to an unlisted question, after its transaction."""
    decision = await questions(parts).answer_unlisted(WHO, text)
    if decision is not None and decision.write is not None:
        await parts.write(decision.write)
    return decision


async def misunderstood(parts: Parts, text: str = "今天天气真好", who: str = XUAN) -> str:
    decision = fallbacks(parts).reply(ACCOUNT, who, text)
    assert decision.write is not None
    await parts.write(decision.write)
    return decision.reply


async def misses(parts: Parts) -> dict[str, int]:
    rows = await parts.read(lambda s: s.exec(select(FaqMiss)).all())
    return {row.question: row.count for row in rows}


# ---- the menu ----


async def test_listed_question_is_answered(shop: Parts) -> None:
    assert questions(shop).answer_listed(WHO, "请问怎么开通会员？") == "绑定手机号即可。"
    assert questions(shop).answer_listed(WHO, "今天天气真好") is None


async def test_near_question_gets_a_menu_with_working_numbers(shop: Parts) -> None:
    decision = await ask(shop, "开通会员要钱吗")
    assert decision is not None
    first, second = decision.choices[:2]
    assert f"1. {first}\n2. {second}" in decision.reply
    assert await misses(shop) == {"开通会员要钱吗": 1}
    faq = shop.container.faq_entries.index
    for text in ("1", "回复1", "选1", "第1个", "一", "第一条"):
        entry = faq.exact(first)
        assert entry is not None and questions(shop).answer_listed(WHO, text) == entry.answer, text
    second_entry = faq.exact(second)
    assert second_entry is not None and questions(shop).answer_listed(WHO, "2") == second_entry.answer
    for text in ("11", "1号", "1楼"):
        assert questions(shop).answer_listed(WHO, text) is None, text


async def test_every_number_of_a_full_menu_works(shop: Parts) -> None:
    menus(shop)._menus[WHO] = _Menu(("怎么开通会员", "会员多少钱一年", "门店地址在哪里"), shop.clock.now)
    for numbers in ("123", "一二三"):
        answers = [questions(shop).answer_listed(WHO, number) for number in numbers]
        assert answers == ["绑定手机号即可。", "一年 99 元。", "人民路 1 号。"]


async def test_number_outside_the_menu_shows_it_again(shop: Parts) -> None:
    menus(shop)._menus[WHO] = _Menu(("怎么开通会员", "会员多少钱一年"), shop.clock.now)
    assert questions(shop).answer_listed(WHO, "2") == "一年 99 元。"
    for text in ("3", "9", "0", "回复四"):
        shown = questions(shop).answer_listed(WHO, text)
        assert shown is not None and "1. 怎么开通会员\n2. 会员多少钱一年" in shown, text
        assert "1、2" in shown, "the numbers to reply with"
    shop.clock.now += 600
    assert questions(shop).answer_listed(WHO, "9") is None, "without a menu a number is an ordinary message"
    shop.clock.now -= 600
    menus(shop)._menus[WHO] = _Menu(("不再有的问题",), shop.clock.now)
    assert questions(shop).answer_listed(WHO, "1") is None


@pytest.mark.parametrize(("after", "waits"), [(599.0, True), (600.0, False)])
async def test_menu_expires_after_ten_minutes_also_across_restart(
    open_parts: OpenParts, tmp_path: Path, after: float, waits: bool
) -> None:
    shop = await opened(open_parts, tmp_path)
    await ask(shop, "开通会员要钱吗")
    asked_at = shop.clock.now
    shop.clock.now += after
    again = await opened(open_parts, tmp_path)
    for parts in (shop, again):
        assert menus(parts).offered_at(WHO) == (asked_at if waits else 0.0)
        assert (questions(parts).answer_listed(WHO, "1") is not None) is waits
        assert menus(parts).offered_at((ACCOUNT, "room", XUAN)) == 0.0, "each conversation for itself"
    shop.clock.now = asked_at + 1
    assert (menus(again).offered_at(WHO) > 0) is waits, "one that had run out was not read"


async def test_new_menu_replaces_the_old_one(shop: Parts) -> None:
    await ask(shop, "开通会员要钱吗")
    shop.clock.now += 300
    await ask(shop, "你们门店的地址")
    assert questions(shop).answer_listed(WHO, "1") == "人民路 1 号。"
    (row,) = await shop.read(lambda s: s.exec(select(FaqMenu)).all())
    assert (row.asked_at, row.expires_at) == (shop.clock.now, shop.clock.now + 600)


async def test_no_menu_without_near_questions(shop: Parts) -> None:
    assert await ask(shop, "xyz") is None
    assert await misses(shop) == {}


async def test_menu_memory_is_bounded(shop: Parts) -> None:
    cached = menus(shop)
    for number in range(9_999):
        cached._menus[ACCOUNT, str(number), "x"] = _Menu((), shop.clock.now - 601)
    cached._remember((ACCOUNT, "last", "x"), _Menu((), shop.clock.now))
    assert len(cached._menus) == 10_000
    cached._remember(WHO, _Menu(("怎么开通会员",), shop.clock.now + 600))
    assert set(cached._menus) == {WHO}


async def test_menus_of_a_released_account_are_dropped(shop: Parts) -> None:
    other = ("other", XUAN, XUAN)
    for person in (WHO, other):
        menus(shop)._menus[person] = _Menu(("怎么开通会员",), shop.clock.now)
    menus(shop).drop(ACCOUNT)
    assert (menus(shop).questions(WHO), menus(shop).questions(other)) == ((), ("怎么开通会员",))


# ---- the language model ----


@pytest.mark.parametrize(("listed", "shown"), [(40, 40), (41, 20)])
async def test_language_model_chooses_among_all_entries_or_the_nearest(
    open_parts: OpenParts, tmp_path: Path, model_server: ModelServer, listed: int, shown: int
) -> None:
    shop = await opened(open_parts, tmp_path, llm={"base_url": model_server.url, "model": "m", "timeout": 60})
    entries = [Entry(questions=[f"会员权益{chr(0x4E00 + n)}"], answer=f"权益 {n}。") for n in range(listed)]
    shop.container.faq_entries.configure(entries, [])
    model_server.answer = lambda _: {"choices": [{"message": {"content": '{"entry": 3}'}}]}
    decision = await ask(shop, "会员权益")
    assert decision is not None and decision.reply.startswith("权益 ") and not decision.choices
    ((_, _, body),) = model_server.requests
    assert body["messages"][0]["content"].count("问：") == shown


# ---- the fallback ----


async def test_fallback_is_sent_once_per_ten_minutes(shop: Parts) -> None:
    assert await misunderstood(shop) == FALLBACK
    assert await misunderstood(shop, "还是天气") == Texts().fallback_again
    assert await misunderstood(shop, who="wxid_zhi") == FALLBACK, "each for themselves"
    shop.clock.now += 599
    assert await misunderstood(shop) == ""
    shop.clock.now += 1
    assert await misunderstood(shop) == FALLBACK
    assert await misses(shop) == {"今天天气真好": 4, "还是天气": 1}
    rows = await shop.read(lambda s: s.exec(select(FallbackSent).where(FallbackSent.contact_id == XUAN)).all())
    assert [row.at for row in rows] == [shop.clock.now]


@pytest.mark.parametrize(("after", "told"), [(599.0, Texts().fallback_again), (600.0, FALLBACK)])
async def test_fallback_is_not_repeated_after_restart(
    open_parts: OpenParts, tmp_path: Path, after: float, told: str
) -> None:
    shop = await opened(open_parts, tmp_path)
    await misunderstood(shop)
    shop.clock.now += after
    assert await misunderstood(await opened(open_parts, tmp_path)) == told


async def test_missed_question_is_counted_without_fallback(open_parts: OpenParts, tmp_path: Path) -> None:
    shop = await opened(open_parts, tmp_path, fallback="")
    assert await misunderstood(shop) == ""
    assert await misses(shop) == {"今天天气真好": 1}
    assert await shop.read(lambda s: s.exec(select(FallbackSent)).all()) == []


async def test_fallback_memory_is_bounded(shop: Parts) -> None:
    cached = fallbacks(shop)
    for number in range(10_000):
        cached._remember((ACCOUNT, str(number)), _Fallback(shop.clock.now, 1))
    cached._remember((ACCOUNT, XUAN), _Fallback(shop.clock.now + 600, 1))
    assert set(cached._recent) == {(ACCOUNT, XUAN)}


# ---- unlisted questions ----


@pytest.mark.parametrize(
    ("text", "counted"), [("问" * 100, True), ("问" * 101, False), ("？！", False), ("问？", True)]
)
async def test_countable_questions(shop: Parts, text: str, counted: bool) -> None:
    await shop.write(lambda s: shop.container.missed_questions.count(s, ACCOUNT, text))
    assert bool(await misses(shop)) is counted


async def test_most_missed_questions_are_listed(shop: Parts) -> None:
    zone = shop.container.zone
    first_day = datetime.fromtimestamp(shop.clock.now, zone).date().isoformat()
    for question, times in (("甲", 2), ("乙", 3), ("丙", 2)):
        for _ in range(times):
            await shop.write(partial(shop.container.missed_questions.count, account=ACCOUNT, text=question))
    await shop.write(lambda s: shop.container.missed_questions.count(s, "weimi1002", "丁"))
    shop.clock.now += 86400
    await shop.write(lambda s: shop.container.missed_questions.count(s, ACCOUNT, "甲"))
    next_day = datetime.fromtimestamp(shop.clock.now, zone).date().isoformat()
    assert await shop.read(lambda s: most_missed(s, 3)) == [("乙", 3), ("甲", 3), ("丙", 2)]
    assert await shop.read(lambda s: most_missed(s, 9, account="weimi1002")) == [("丁", 1)]
    assert await shop.read(lambda s: most_missed(s, 9, since=next_day)) == [("甲", 1)]
    assert len(await shop.read(lambda s: most_missed(s, 9, since=first_day))) == 4


async def prune(parts: Parts, before: float) -> None:
    container = parts.container
    for records in (container.question_menus, container.fallbacks, container.missed_questions):
        await parts.write(partial(records.prune, before=before))


async def test_old_questions_menus_and_fallbacks_are_pruned(shop: Parts) -> None:
    await ask(shop, "开通会员要钱吗")
    await misunderstood(shop)
    shop.clock.now += 600
    await prune(shop, shop.clock.now - 86400)
    assert len(await shop.read(lambda s: s.exec(select(FaqMenu)).all())) == 1, "it has run out only now"
    assert len(await shop.read(lambda s: s.exec(select(FallbackSent)).all())) == 1
    assert len(await misses(shop)) == 2
    shop.clock.now += 1
    await prune(shop, shop.clock.now + 86400)
    assert await shop.read(lambda s: s.exec(select(FaqMenu)).all()) == []
    assert await shop.read(lambda s: s.exec(select(FallbackSent)).all()) == []
    assert await misses(shop) == {}
