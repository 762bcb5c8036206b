"""Scores of similar questions: their scale, and what counts for more."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import ConfigError
from services.support.faq import MAX_OFFERED, Entry, FaqIndex, load, plain, strip_polite_phrases, topic
from services.support.knowledge import Passage


def entry(*questions: str, answer: str = "好。") -> Entry:
    return Entry(questions=list(questions), answer=answer)


def passage(title: str, text: str) -> Passage:
    return Passage(questions=[title], answer=text, title=title)


OTHERS = [entry("骆驼"), entry("火箭"), entry("钢琴")]


def test_listed_question_scores_most_and_with_its_answer_all() -> None:
    """A listed question has most of the score, and all of it if the answer has its words, too."""
    faq = FaqIndex([entry("蓝莓"), entry("荔枝", answer="荔枝"), *OTHERS])
    assert faq.scores("蓝莓")[0] == pytest.approx(1 / 1.7)
    assert faq.scores("荔枝")[1] == pytest.approx(1.0)
    assert set(faq.scores("荔枝")) == {1}
    assert faq.scores("窗户") == {}
    assert faq.ranked("窗户", 9) == []
    assert FaqIndex([entry("蓝莓"), entry("苹果", answer="蓝莓")]).scores("蓝莓")[1] == pytest.approx(0.7 / 1.7)


def test_half_of_the_words_is_less_than_all() -> None:
    faq = FaqIndex([entry("蓝莓荔枝"), entry("蓝莓"), *OTHERS])
    scores = faq.scores("蓝莓")
    assert scores[1] > scores[0] > 0.5 * scores[1]
    both = faq.scores("蓝莓荔枝")
    assert both[0] == pytest.approx(1 / 1.7) and both[1] < both[0]


def test_rare_word_counts_more_than_a_frequent_one() -> None:
    faq = FaqIndex([entry("蓝莓酱"), entry("荔枝酱"), entry("花生酱"), entry("骆驼奶"), *OTHERS])
    scores = faq.scores("骆驼酱")
    assert scores[3] > scores[0] == pytest.approx(scores[1])


def test_best_variant_of_a_question_counts_and_is_shown() -> None:
    faq = FaqIndex([entry("蓝莓", "荔枝"), *OTHERS])
    assert [match.question for match in faq.nearest("荔枝怎么卖")] == ["荔枝"]
    assert [match.question for match in faq.nearest("蓝莓怎么卖")] == ["蓝莓"]
    assert faq.scores("荔枝")[0] == pytest.approx(1 / 1.7)


def test_digit_of_an_answer_is_no_similarity() -> None:
    faq = FaqIndex([entry("蓝莓", answer="共9箱, 24kg"), *OTHERS])
    assert faq.scores("9") == {}
    assert faq.scores("24") != {}
    assert faq.scores("9箱") != {}


def test_menu_has_at_most_three_entries_and_none_far_behind() -> None:
    faq = FaqIndex([entry(f"蓝莓{kind}") for kind in "酱汁干茶糕"])
    assert MAX_OFFERED == 3
    assert [match.question for match in faq.nearest("蓝莓")] == ["蓝莓酱", "蓝莓汁", "蓝莓干"], "in their order"
    far = FaqIndex([entry("蓝莓荔枝骆驼"), entry("蓝"), *OTHERS, *[entry(f"蓝{n}") for n in "甲乙丙丁戊己庚辛"]])
    assert [match.question for match in far.nearest("莓荔枝骆驼")] == ["蓝莓荔枝骆驼", "骆驼"]


def test_least_score_can_be_given() -> None:
    faq = FaqIndex([entry("蓝莓"), *OTHERS])
    score = faq.nearest("蓝莓")[0].score
    assert [match.question for match in faq.nearest("蓝莓", minimum=score)] == ["蓝莓"]
    assert faq.nearest("蓝莓", minimum=score + 0.001) == []


def test_passage_scores_by_the_share_of_the_question_it_contains() -> None:
    """All pairs of characters of the question are in the text; a single pair is no evidence."""
    faq = FaqIndex([passage("手册", "地下停车场，出口在北门旁边。"), passage("其他", "二楼是餐厅。"), *OTHERS])
    assert faq.scores("北门旁边")[0] == pytest.approx(0.3)
    assert 0 < faq.scores("北门旁边荔枝")[0] < 0.3
    assert faq.scores("北门") == {}
    assert faq.scores("荔枝蓝莓") == {}
    assert faq.ranked("北门旁边", 9)[0].question == "手册"


def test_exact_form_takes_precedence_over_the_one_without_polite_words() -> None:
    polite, bare = entry("请问退货"), entry("退货")
    faq = FaqIndex([polite, bare])
    assert faq.exact("退货") is bare
    assert faq.exact("请问退货") is polite
    assert faq.exact("麻烦问一下退货吗") is bare
    assert len(faq) == 2


def test_normal_forms() -> None:
    assert plain("Ｗi-Fi 密碼？") == "wifi密码"
    assert strip_polite_phrases("您好，请问退货吗") == "退货"
    assert strip_polite_phrases("您好") == "您好", "nothing else is left"
    assert topic("请问你们几点开门") == ["开门"]
    assert topic("什么时候") == []
    assert topic("荔枝怎么样") == ["荔枝"], "not 怎么, which would leave 样"


def test_question_with_two_answers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faq.yaml"
    entry = "- {questions: [退货], answer: 七天内}\n"
    path.write_text(entry + "- {questions: [换货, 退 货？], answer: 七天内}\n", encoding="utf-8")
    assert len(load(str(path))) == 2, "the same answer twice"
    path.write_text(entry + "- {questions: [换货, 退 货？], answer: 不退}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"'退 货？' has two answers .*2"):
        load(str(path))
