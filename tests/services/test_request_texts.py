"""The texts of friend requests, which come again as the first message of the new friend."""

from __future__ import annotations

import pytest

from services.support.request_texts import MAX_TEXTS, RequestTexts
from tests.services.parts import ACCOUNT, XUAN, ZHI, Parts


def texts(parts: Parts) -> RequestTexts:
    return parts.container.request_texts


async def test_text_is_remembered_for_its_person(parts: Parts) -> None:
    texts(parts).remember(ACCOUNT, XUAN, "我是黑旋风 ")
    assert texts(parts).get(ACCOUNT, XUAN) == "我是黑旋风 "
    assert texts(parts).get(ACCOUNT, ZHI) == ""
    assert await texts(parts).matches(ACCOUNT, XUAN, "我是黑旋风")
    assert not await texts(parts).matches(ACCOUNT, XUAN, "人工")
    assert not await texts(parts).matches(ACCOUNT, ZHI, "我是黑旋风")
    texts(parts).remember(ACCOUNT, ZHI, "")
    assert not await texts(parts).matches(ACCOUNT, ZHI, ""), "no text matches nothing"


async def test_oldest_of_a_thousand_texts_is_forgotten(parts: Parts) -> None:
    for number in range(1001):
        texts(parts).remember(ACCOUNT, f"wxid_{number}", "你好")
    assert MAX_TEXTS == 1000
    assert [texts(parts).get(ACCOUNT, f"wxid_{number}") for number in (0, 1, 1000)] == ["", "你好", "你好"]


async def request(parts: Parts, hello: str, who: str = XUAN) -> None:
    texts(parts).remember(ACCOUNT, who, hello)
    await parts.write(lambda s: parts.container.friend_requests.accept_soon(s, ACCOUNT, "fs_1", who))


@pytest.mark.parametrize(("after", "is_request"), [(86400.0, True), (86400.1, False)])
async def test_text_is_known_for_a_day_after_a_restart(parts: Parts, after: float, is_request: bool) -> None:
    await request(parts, "我是黑旋风")
    again = RequestTexts(parts.container.store, parts.clock)
    parts.clock.now += after
    assert await again.matches(ACCOUNT, XUAN, " 我是黑旋风") is is_request
    assert not await again.matches(ACCOUNT, XUAN, "人工")
    assert not await again.matches("weimi1002", XUAN, "我是黑旋风")
    assert not await again.matches(ACCOUNT, ZHI, "我是黑旋风")


async def test_newest_request_counts_after_a_restart(parts: Parts) -> None:
    await request(parts, "旧的")
    await request(parts, "新的")
    again = RequestTexts(parts.container.store, parts.clock)
    assert [await again.matches(ACCOUNT, XUAN, text) for text in ("旧的", "新的")] == [False, True]
