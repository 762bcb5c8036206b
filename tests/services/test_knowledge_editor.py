"""Changes of keywords and questions by people: what is stored, found and audited."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from config.customer_service import KeywordRule
from errors import InvalidParameter, NotFound
from models.faq import Question
from models.keywords import Keyword
from services.support.faq import Entry
from services.support.faq_entries import FaqEntries
from services.support.knowledge import Passage
from services.support.knowledge_editor import KnowledgeEditor
from services.support.rule_files import export_keywords, export_questions
from tests.services.parts import ACCOUNT, Parts
from tests.services.staffed import audited

ACTOR = "console:wxid_song"


def editor(parts: Parts) -> KnowledgeEditor:
    return parts.container.knowledge_editor


def reply_to(parts: Parts, text: str) -> Any:
    match = parts.container.keywords.find(ACCOUNT, text)
    return match.rule.reply if match else None


def answer_to(parts: Parts, text: str) -> str:
    entry = parts.container.faq_entries.index.exact(text)
    return entry.answer if entry else ""


async def details(parts: Parts, kind: str) -> list[tuple[str, str, dict[str, Any]]]:
    actions = await audited(parts, kind)
    assert all((action.who, action.outcome) == (ACTOR, "done") for action in actions)
    return [(action.account, action.target, action.detail or {}) for action in actions]


# ---- keywords ----


async def put_keyword(parts: Parts, old: int | None = None, number: int | None = None, **rule: Any) -> Keyword:
    given: dict[str, Any] = {
        "account": ACCOUNT,
        "number": number,
        "rule": KeywordRule(**rule),
        "actor": ACTOR,
        "old": old,
    }
    return await parts.write(partial(editor(parts).put_keyword, **given))


async def test_keyword_is_added_and_replaced(parts: Parts) -> None:
    first = await put_keyword(parts, contains="几点", reply="九点")
    await put_keyword(parts, first.id, equals="营业时间", reply="九点到六点")
    assert (reply_to(parts, "几点"), reply_to(parts, "营业时间")) == (None, "九点到六点")
    assert await details(parts, "keyword") == [
        (ACCOUNT, "几点", {"before": "", "after": "contains: 几点 = 九点"}),
        (ACCOUNT, "营业时间", {"before": "contains: 几点 = 九点", "after": "equals: 营业时间 = 九点到六点"}),
    ]


async def test_group_of_a_keyword_is_audited(parts: Parts) -> None:
    qun = await parts.group("1")
    await put_keyword(parts, number=qun.number, contains="几点", reply="九点")
    ((_, _, detail),) = await details(parts, "keyword")
    assert detail["number"] == str(qun.number)


async def test_unknown_keyword_and_that_of_another_account_are_not_replaced(parts: Parts) -> None:
    other = await parts.write(
        lambda s: parts.container.keywords.put(s, "weimi1002", None, KeywordRule(contains="几点", reply="x"), ACTOR)
    )
    for number in (other.id, 99):
        with pytest.raises(NotFound):
            await put_keyword(parts, number, contains="几点", reply="九点")
    assert await details(parts, "keyword") == []
    assert parts.container.keywords.find("weimi1002", "几点") is not None


async def test_keyword_is_removed_by_its_id(parts: Parts) -> None:
    row = await put_keyword(parts, contains="几点", reply="九点")
    await parts.write(lambda s: editor(parts).remove_keyword(s, row.id or 0, ACTOR))
    assert reply_to(parts, "几点") is None
    assert await details(parts, "keyword_removed") == [(ACCOUNT, "几点", {"before": "contains: 几点 = 九点"})]
    with pytest.raises(NotFound):
        await parts.write(lambda s: editor(parts).remove_keyword(s, row.id or 0, ACTOR))


async def test_reply_to_a_word_is_set(parts: Parts) -> None:
    given: dict[str, Any] = {"account": ACCOUNT, "number": None, "word": "几点", "actor": ACTOR}
    assert not await parts.write(partial(editor(parts).set_reply, **given, reply="九点"))
    await put_keyword(parts, equals="几点", reply="整句")
    assert await parts.write(partial(editor(parts).set_reply, **given, reply="十点"))
    assert reply_to(parts, "几点") == reply_to(parts, "几点开门") == "十点"
    assert (await details(parts, "keyword"))[-1] == (
        ACCOUNT,
        "几点",
        {"before": "contains: 几点 = 九点\nequals: 几点 = 整句", "after": "contains: 几点 = 十点"},
    )
    assert await parts.write(partial(editor(parts).drop_word, **given))
    assert not await parts.write(partial(editor(parts).drop_word, **given))
    assert reply_to(parts, "几点") is None
    assert await details(parts, "keyword_removed") == [(ACCOUNT, "几点", {"before": "contains: 几点 = 十点"})]


# ---- questions ----


async def put_question(parts: Parts, *questions: str, answer: str = "九点", old: int | None = None) -> bool:
    entry = Entry(questions=list(questions), answer=answer)
    _, is_new = await parts.write(lambda s: editor(parts).put_question(s, entry, ACTOR, old))
    return is_new


async def test_question_is_added_extended_and_changed(parts: Parts) -> None:
    assert await put_question(parts, "几点开门", "营业时间")
    assert not await put_question(parts, "几点 开门？", "什么时候营业", answer="十点")
    assert [answer_to(parts, text) for text in ("营业时间", "什么时候营业")] == ["十点", "十点"]
    assert not await put_question(parts, "几点关门", answer="六点", old=1)
    assert [answer_to(parts, text) for text in ("几点开门", "几点关门")] == ["", "六点"]
    variants = "几点开门|营业时间|几点 开门？|什么时候营业"
    assert await details(parts, "question") == [
        ("", "1", {"before": "", "after": "几点开门|营业时间 = 九点"}),
        ("", "1", {"before": "几点开门|营业时间 = 九点", "after": f"{variants} = 十点"}),
        ("", "1", {"before": f"{variants} = 十点", "after": "几点关门 = 六点"}),
    ]
    row = await parts.read(lambda s: s.get_one(Question, 1))
    assert (row.by, row.created_at, row.updated_at) == (ACTOR, parts.clock.now, parts.clock.now)


async def test_unknown_question_is_not_changed_or_removed(parts: Parts) -> None:
    with pytest.raises(NotFound):
        await put_question(parts, "几点开门", old=99)
    with pytest.raises(NotFound):
        await parts.write(lambda s: editor(parts).remove_question(s, 99, ACTOR))
    nothing = Entry.model_construct(questions=[], answer="x")
    with pytest.raises(InvalidParameter):
        await parts.write(lambda s: editor(parts).put_question(s, nothing, ACTOR))
    assert len(parts.container.faq_entries.index) == 0


async def test_question_is_removed(parts: Parts) -> None:
    await put_question(parts, "几点开门")
    await parts.write(lambda s: editor(parts).remove_question(s, 1, ACTOR))
    assert answer_to(parts, "几点开门") == ""
    assert await details(parts, "question_removed") == [("", "1", {"before": "几点开门 = 九点"})]


async def test_newest_question_takes_precedence_over_older_ones_and_the_file(parts: Parts) -> None:
    passage = Passage(questions=["停车"], answer="免费", title="停车")
    listed = [Entry(questions=["停车", "几点开门"], answer="文件")]
    faq_entries = FaqEntries(parts.container.store, listed, parts.clock, passages=[passage])
    assert [faq_entries.index.entries[at].answer for at in (0, 1)] == ["文件", "免费"]
    for answer in ("旧", "新"):
        entry = Entry(questions=[f"{answer}的", "停车"], answer=answer)
        await parts.write(partial(faq_entries.add, entry=entry, by=ACTOR))
    assert [entry.answer for entry in faq_entries.index.entries] == ["新", "旧", "文件", "免费"]
    again = FaqEntries(parts.container.store, [], parts.clock)
    assert again.index.entries == []
    await again.load()
    assert [entry.answer for entry in again.index.entries] == ["新", "旧"], "the index is built anew"
    assert again.index is again.index
    faq_entries.configure([], [passage])
    assert [entry.answer for entry in faq_entries.index.entries] == ["新", "旧", "免费"]
    (row, *_) = await parts.read(faq_entries.added_rows)
    parts.clock.now += 5
    await parts.write(
        lambda s: faq_entries.change(s, s.get_one(Question, row.id), Entry(questions=["a"], answer="改"), "b")
    )
    changed = await parts.read(lambda s: s.get_one(Question, row.id))
    assert (changed.by, changed.updated_at, changed.created_at) == ("b", parts.clock.now, parts.clock.now - 5)
    assert [entry.answer for entry in faq_entries.index.entries] == ["新", "改", "免费"]
    assert await parts.write(lambda s: faq_entries.remove(s, 99)) is None
    assert await parts.write(lambda s: faq_entries.remove(s, row.id or 0)) is not None
    assert [entry.answer for entry in faq_entries.index.entries] == ["新", "免费"]


# ---- files ----

RULES = """
- { contains: 几点, reply: 九点 }
- { regex: '订单(\\d+)', reply: ['收到 {1}', { text: 请稍候 }], where: private }
"""
QUESTIONS = """
- questions: [几点开门, 营业时间]
  answer: 九点
"""


async def test_keywords_are_imported_and_exported(parts: Parts) -> None:
    assert await parts.write(partial(editor(parts).import_keywords, account=ACCOUNT, text=RULES, actor=ACTOR)) == 2
    assert reply_to(parts, "几点了") == "九点"
    assert await details(parts, "keywords_imported") == [(ACCOUNT, "", {"count": "2"})]
    keywords = parts.container.keywords
    exported = await parts.read(lambda s: export_keywords(s, keywords, ACCOUNT, None))
    assert exported.startswith("- contains: 几点\n  reply: 九点\n- regex: 订单(\\d+)\n  reply:\n")
    assert await parts.write(partial(editor(parts).import_keywords, account=ACCOUNT, text=exported, actor=ACTOR)) == 2
    assert len(await parts.read(partial(keywords.added_rows, account=ACCOUNT, number=None))) == 2, "they are the same"
    assert await parts.read(lambda s: export_keywords(s, keywords, ACCOUNT, None)) == exported


async def test_questions_are_imported_and_exported(parts: Parts) -> None:
    assert await parts.write(partial(editor(parts).import_questions, text=QUESTIONS, actor=ACTOR)) == 1
    assert answer_to(parts, "营业时间") == "九点"
    assert await details(parts, "questions_imported") == [("", "", {"count": "1"})]
    long = Entry(questions=["长" * 200], answer="长" * 200 + " " + "句" * 200)
    await parts.write(lambda s: parts.container.faq_entries.add(s, long, ACTOR))
    exported = await parts.read(lambda s: export_questions(s, parts.container.faq_entries))
    assert exported.startswith("- questions:\n  - 几点开门\n  - 营业时间\n  answer: 九点\n")
    assert exported.count("\n") == 7, "long lines are not wrapped"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- [", "invalid YAML"),
        ("- {contains: a, equals: b, reply: c}", "exactly one of"),
        ("a: 1", "expected a list"),
    ],
)
async def test_invalid_file_is_refused_as_a_whole(parts: Parts, text: str, reason: str) -> None:
    valid = "- {contains: 几点, reply: 九点}\n"
    for message in {text, valid + text if text.startswith("- {") else text}:
        with pytest.raises(InvalidParameter) as caught:
            await parts.write(partial(editor(parts).import_keywords, account=ACCOUNT, text=message, actor=ACTOR))
        assert reason in caught.value.detail
    with pytest.raises(InvalidParameter):
        await parts.write(partial(editor(parts).import_questions, text=text, actor=ACTOR))
    assert reply_to(parts, "几点") is None
    assert await parts.write(partial(editor(parts).import_questions, text="", actor=ACTOR)) == 0
