"""The client of the language model: what is asked, and what its answers mean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from config.customer_service import LlmSettings
from services.messaging.http_client import ANSWER_LIMIT
from services.support.faq import Entry
from services.support.llm import CONCURRENT, LlmClient, chosen
from tests.services.clock import Clock
from tests.services.model_server import ModelServer, model_server
from tests.waiting import until

__all__ = ["model_server"]
ENTRIES = [
    Entry(questions=["怎么开通会员", "如何入会"], answer="绑定手机号即可，年费 99 元。"),
    Entry(questions=["门店地址在哪里"], answer="人民路 1 号。"),
]


def saying(content: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content}}]}


def client(server: ModelServer, clock: Clock, **values: Any) -> LlmClient:
    fields = {"base_url": server.url, "model": "small", "key": "sk-1", "timeout": 60, **values}
    return LlmClient(LlmSettings(**fields), clock)


async def test_model_is_shown_the_entries_and_the_question(model_server: ModelServer, clock: Clock) -> None:
    model_server.answer = lambda _: saying('{"entry": 2}')
    assert await client(model_server, clock).choose("你们在哪", ENTRIES) is ENTRIES[1]
    ((path, key, body),) = model_server.requests
    assert (path, key) == ("/v1/chat/completions", "Bearer sk-1")
    system, user = body["messages"]
    listed = "1. 问：怎么开通会员\n   答：绑定手机号即可，年费 99 元。\n2. 问：门店地址在哪里\n   答：人民路 1 号。"
    assert system["role"] == "system" and system["content"].endswith(f"条目：\n{listed}")
    assert user == {"role": "user", "content": "你们在哪"}
    assert (body["model"], body["temperature"]) == ("small", 0)


async def test_lengths_are_limited(model_server: ModelServer, clock: Clock) -> None:
    model_server.answer = lambda _: saying('{"entry": 41}')
    entries = [Entry(questions=[f"问题{n}"], answer="答" * 401) for n in range(41)]
    assert await client(model_server, clock, key="").choose("问" * 1001, entries) is None, "it was not listed"
    ((_, key, body),) = model_server.requests
    system, user = (message["content"] for message in body["messages"])
    assert key == ""
    assert "40. 问：问题39\n" in system and "问题40" not in system
    assert system.count("答" * 400) == 40 and "答" * 401 not in system
    assert user == "问" * 1000


async def test_nothing_is_asked_without_server_or_entries(model_server: ModelServer, clock: Clock) -> None:
    off = LlmClient(LlmSettings(), clock)
    assert (off.is_on, client(model_server, clock).is_on) == (False, True)
    assert await off.choose("你们在哪", ENTRIES) is None
    assert await client(model_server, clock).choose("你们在哪", []) is None
    assert model_server.requests == []


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (500, b"{}"),
        (200, b"\xff\xfe<html>"),
        (200, b'{"choices": []}'),
        (200, b'{"choices": [{"message": null}]}'),
        (200, b"[" * 100_000),
        (200, b" " * (ANSWER_LIMIT + 1)),
    ],
)
async def test_failing_server_is_left_alone_for_a_while(
    model_server: ModelServer, clock: Clock, status: int, raw: bytes
) -> None:
    model_server.status, model_server.raw = status, raw
    model = client(model_server, clock)
    for _ in range(5):
        assert await model.choose("你们在哪", ENTRIES) is None
    assert len(model_server.requests) == 3
    model_server.status, model_server.raw = 200, None
    model_server.answer = lambda _: saying('{"entry": 1}')
    clock.now += 31
    assert await model.choose("你们在哪", ENTRIES) is ENTRIES[0]


async def test_declined_choices_are_no_failures(model_server: ModelServer, clock: Clock) -> None:
    model = client(model_server, clock)

    def answers(content: str) -> Callable[[Any], Any]:
        return lambda _: saying(content)

    for content in ("x", '{"entry": 0}', '{"entry": 1}'):
        model_server.status = 500
        for _ in range(2):
            await model.choose("a", ENTRIES)
        model_server.status, model_server.answer = 200, answers(content)
        await model.choose("a", ENTRIES)
    assert len(model_server.requests) == 9


async def test_slow_server_is_not_waited_for(model_server: ModelServer, clock: Clock) -> None:
    model_server.open.clear()
    assert await client(model_server, clock, timeout=0.001).choose("你们在哪", ENTRIES) is None


async def test_requests_beyond_sixteen_are_skipped(model_server: ModelServer, clock: Clock) -> None:
    model_server.open.clear()
    model_server.answer = lambda _: saying('{"entry": 1}')
    model = client(model_server, clock)
    asked = [asyncio.create_task(model.choose("a", ENTRIES)) for _ in range(CONCURRENT)]
    await until(lambda: len(model_server.requests) == CONCURRENT == 16)
    assert await model.choose("a", ENTRIES) is None
    model_server.open.set()
    assert await asyncio.gather(*asked) == [ENTRIES[0]] * 16
    assert await model.choose("a", ENTRIES) is ENTRIES[0], "there is room again"
    assert len(model_server.requests) == 17


@pytest.mark.parametrize(
    ("content", "number"),
    [
        ('{"entry":1}', 1),
        ('{"entry" : "2"}', 2),
        ('{"entry": 2} {"entry": 1}', 1),
        ('{"entry": 999}', 0),
        ('{"entry": 1000}', 0),
        (" 2\n", 2),
        ("3", 0),
        ("-1", 0),
        ("绑定手机号即可", 0),
        ("绑定手机号即可，年", 1),
        ("您好！绑定手机号即可，年费99元。再见", 1),
        ("人民路1号", 2),
        ("在人民路1号", 0),
        ("", 0),
        ("。", 0),
    ],
)
def test_entry_named_by_an_answer(content: str, number: int) -> None:
    """An entry's text is recognised from eight letters on, or if it is whole."""
    assert chosen(content, ENTRIES) is (ENTRIES[number - 1] if number else None)
