"""The FAQ: file, exact lookup, and similarity."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faq import by_words, measure, read
from config import ConfigError
from services.support.chatter import CHATTER
from services.support.faq import MIN_THRESHOLD, Entry, FaqIndex, load
from services.support.llm import chosen

ENTRIES = [
    Entry(questions=["怎么开发票？", "如何开票"], answer="发抬头来。"),
    Entry(questions=["运费怎么算"], answer="满 99 元包邮。"),
]


def test_listed_question_matches_in_any_form() -> None:
    faq = FaqIndex(ENTRIES)
    for text in ("怎么开发票", "請問怎麼開發票", " 怎么 开发票？！", "您好，请问怎么开发票呢，谢谢您"):
        entry = faq.exact(text)
        assert entry is ENTRIES[0], text
    assert faq.exact("怎么开") is None
    assert faq.exact("谢谢") is None
    assert faq.exact("？") is None


def test_nearest_questions_are_of_different_entries() -> None:
    faq = FaqIndex([*ENTRIES, Entry(questions=["怎么开门", "怎么关门"], answer="用钥匙。")])
    found = faq.nearest("怎么开")
    assert len({id(near.entry) for near in found}) == len(found)
    assert [near.score for near in found] == sorted((near.score for near in found), reverse=True)
    assert faq.nearest("xyz") == []
    assert FaqIndex([]).nearest("怎么开") == []
    assert FaqIndex([]).nearest("怎么开", minimum=0.0) == []


def test_only_distinctive_words_make_a_question_near() -> None:
    """Words of any question are shared by all of them; what shares nothing else is not in the menu."""
    faq = FaqIndex([*ENTRIES, Entry(questions=["下单后几天发货", "你们几点开好"], answer="明天。")])
    for chatter in ("今天天气怎么样", "在吗", "你好", "什么时候可以"):
        assert faq.nearest(chatter) == [], chatter
    near = faq.nearest("我想问下运费")
    assert [match.question for match in near] == ["运费怎么算"]


def test_question_of_common_words_can_be_listed() -> None:
    faq = FaqIndex([*ENTRIES, Entry(questions=["你们在哪里"], answer="人民路。")])
    assert faq.nearest("你们都在哪里呀")[0].question == "你们在哪里"


@pytest.mark.parametrize(
    ("name", "menu", "off_topic"),
    [("shop", 0.8, 0.15), ("hotel", 0.65, 0.1), ("gym", 0.4, 0.1), ("dentist", 0.25, 0.1), ("property", 0.35, 0.1)],
)
async def test_threshold_gives_the_measured_quality(name: str, menu: float, off_topic: float) -> None:
    """On the questions in the repository: far more right menus than wrong ones, and most chatter gets none."""
    asked = read(name)
    shares = await measure(asked, by_words(asked.faq))
    assert shares["menu"] >= menu
    assert shares["wrong"] <= 0.10
    assert shares["off_topic"] <= off_topic


def test_words_of_the_same_meaning_are_similar() -> None:
    """No word is shared, but the concept is."""
    faq = FaqIndex([*ENTRIES, Entry(questions=["有优惠吗"], answer="满三百减三十。")])
    assert [match.question for match in faq.nearest("能打折不")] == ["有优惠吗"]
    assert [match.question for match in faq.nearest("公司报销要票据")] == ["如何开票"]
    assert faq.nearest("能唱歌不") == []


def test_threshold_is_calibrated_on_chatter() -> None:
    """Entries that are near to everyday talk demand more of a question."""
    assert FaqIndex(ENTRIES).threshold == MIN_THRESHOLD
    assert FaqIndex([Entry(questions=[text], answer="好。") for text in CHATTER[::2]]).threshold > 2 * MIN_THRESHOLD


def test_missing_file_is_an_empty_faq(tmp_path: Path) -> None:
    assert load("") == []
    assert load(str(tmp_path / "none.yaml")) == []
    (tmp_path / "empty.yaml").touch()
    assert load(str(tmp_path / "empty.yaml")) == []


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("- questions: [a]\n  anwser: b", "1.anwser: 'b' is not valid: unknown key; allowed: questions, answer"),
        ("- questions: []\n  answer: b", "1.questions: [] is not valid"),
        ("- {questions: [a], answer: b}\n- {questions: [''], answer: b}", "2.questions.1: ''"),
        ("questions: [a]", "a mapping is not valid: expected a list"),
        ("- [", "invalid YAML"),
        ("\x00", "invalid YAML"),
    ],
)
def test_invalid_file_is_reported_with_its_line(tmp_path: Path, content: str, names: str) -> None:
    path = tmp_path / "faq.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    line = str(caught.value)
    assert str(path) in line
    assert names in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ('{"entry": 2}', "满 99 元包邮。"),
        ('好的 {"entry": 2, "answer": "送您一辆汽车"} 以上', "满 99 元包邮。"),  # the model's own answer is ignored
        ('{"entry": "2"}', "满 99 元包邮。"),
        ('{"entry": 1}？不，{"entry": 2}', "满 99 元包邮。"),
        ("2", "满 99 元包邮。"),
        ("满99元包邮", "满 99 元包邮。"),
        ("0", None),
        ("3", None),
        ("当然包邮", None),
        ("发", None),
        ('{"entry": 0, "answer": "满 99 元就包邮"}', None),
        ('{"entry": 1234}', None),
        ('{"answer": "发抬头"}', None),
        ("null", None),
    ],
)
def test_model_chooses_an_entry_without_wording(content: str, answer: str | None) -> None:
    entry = chosen(content, ENTRIES)
    assert (entry.answer if entry else None) == answer
