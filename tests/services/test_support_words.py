"""Words of customers: concepts, and the limits of what is recognised."""

from __future__ import annotations

import pytest

from config.customer_service import HandoffSettings
from models.support import Ticket
from services.support.courtesies import Courtesy, courtesy_in
from services.support.faq import strip_polite_phrases
from services.support.person_requests import PersonRequests
from services.support.ratings import is_bare_digit, rating_in
from services.support.synonyms import concepts
from services.support.ticket_texts import MAX_MESSAGE, facts, head, join_lines, quoted


def test_phrases_of_a_line_share_a_concept() -> None:
    assert len(concepts("多少钱")) == 1
    assert concepts("多少钱") == concepts("请问价格") != concepts("地址")
    assert concepts("包邮") == concepts("免费") | concepts("运费"), "a phrase may have several"
    assert concepts("你好") == concepts("money and things") == concepts("") == set()


def test_longest_phrase_counts() -> None:
    assert concepts("会员价") == concepts("打折")
    assert not concepts("会员价") & concepts("会员")
    assert concepts("退押金") == concepts("退款") | concepts("押金"), "the second begins within the first"


@pytest.mark.parametrize(("more", "asks"), [(37, True), (38, False)])
def test_long_text_does_not_ask_for_a_person(more: int, asks: bool) -> None:
    assert PersonRequests(HandoffSettings()).match("人工" + "！" * more) is asks


def test_configured_word_is_no_pattern() -> None:
    requests = PersonRequests(HandoffSettings(words=["c.*-x"]))
    assert requests.match("请找C.*-X！")
    assert not requests.match("cabc-x")


def test_further_words_for_a_person_belong_to_the_usual_one() -> None:
    assert PersonRequests(HandoffSettings(words=["客服"])).match("客服")
    assert not PersonRequests(HandoffSettings(words=["客服"])).match("真人")


def test_question_far_below_a_greeting_is_noticed() -> None:
    assert courtesy_in("你好" + "\n" * 60 + "怎么退货") is None
    assert courtesy_in("哈" * 200) is Courtesy.ACKNOWLEDGEMENT


def test_bare_digit_could_be_a_choice() -> None:
    assert all(map(is_bare_digit, ("1", "一", "回复3", "5", "五")))
    assert not any(map(is_bare_digit, ("0", "零", "6", "六", "5分", "")))


def test_long_repeated_words_are_read_in_linear_time() -> None:
    """Each of these texts has more readings than could be tried one after the other."""
    assert rating_in("给你们" * 500 + "怎么退货") is None
    assert rating_in("给你们" * 500 + "5分") == 5
    assert strip_polite_phrases("吗" * 30_000 + "退货吗") == "吗" * 30_000 + "退货"


# ---- texts of tickets ----


@pytest.mark.parametrize(
    ("lengths", "parts"),
    [
        ((), (0,)),
        ((10, 20), (31,)),
        ((749, 750), (1500,)),
        ((750, 750), (750, 750)),
        ((MAX_MESSAGE,), (1500,)),
        ((MAX_MESSAGE + 1,), (1500, 1)),
        ((10, MAX_MESSAGE, 0, 5), (10, 1500, 5)),
    ],
)
def test_lines_are_joined_to_messages(lengths: tuple[int, ...], parts: tuple[int, ...]) -> None:
    made = join_lines(["x" * length for length in lengths])
    assert tuple(map(len, made)) == parts


def test_ticket_in_events_and_in_the_room() -> None:
    ticket = Ticket(
        id=7, account="a", contact_id="c", name="李逵", staff_name="店长", state="open", opened_at=0, last_at=0
    )
    assert head(ticket) == "【#7 李逵】"
    assert quoted("【#8 别人】好") == "【 #8 别人】好"
    assert facts(ticket, closed_by="x") == {
        "ticket": 7, "assistant": "a", "contact_id": "c", "name": "李逵", "staff": "店长", "closed_by": "x",
    }  # fmt: skip
