"""Blocked words: where they hold, and which cannot be added."""

from __future__ import annotations

import pytest
from sqlmodel import select

from models.durable import Outcome
from models.groups import Qun
from models.rules import BlockedWord
from services.moderation.blocked_words import WordOutcome
from tests.services.parts import ACCOUNT, OpenParts, Parts
from tests.services.room_wechat import actions


async def opened(open_parts: OpenParts, *words: str) -> tuple[Parts, Qun]:
    parts = await open_parts(groups={"blocked_words": list(words)})
    return parts, await parts.group()


async def block(parts: Parts, number: int | None, word: str, account: str = ACCOUNT) -> WordOutcome:
    return await parts.write(lambda s: parts.container.blocked_words.block(s, account, number, word, "person:x"))


async def allow(parts: Parts, number: int | None, word: str) -> WordOutcome:
    return await parts.write(lambda s: parts.container.blocked_words.allow(s, ACCOUNT, number, word, "person:x"))


def first_match(parts: Parts, qun: Qun, text: str) -> str | None:
    return parts.container.blocked_words.filter(qun).first_match(text)


async def rows(parts: Parts) -> list[tuple[str, int | None, str]]:
    stored = await parts.read(lambda s: s.exec(select(BlockedWord)).all())
    return [(row.word, row.number, row.by) for row in stored]


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("", WordOutcome.TOO_SHORT),
        ("  ", WordOutcome.TOO_SHORT),
        ("\u200b", WordOutcome.TOO_SHORT),
        ("a", WordOutcome.TOO_SHORT),
        ("A!", WordOutcome.TOO_SHORT),
        ("7", WordOutcome.TOO_SHORT),
        ("坏", WordOutcome.DONE),
        ("ab", WordOutcome.DONE),
        ("!!", WordOutcome.DONE),
        ("💰", WordOutcome.DONE),
        ("好" * 50, WordOutcome.DONE),
        ("好" * 51, WordOutcome.TOO_LONG),
        ("配置", WordOutcome.CONFIGURED),
        ("配-置", WordOutcome.CONFIGURED),
    ],
)
async def test_which_words_can_be_blocked(open_parts: OpenParts, word: str, outcome: WordOutcome) -> None:
    parts, qun = await opened(open_parts, "配置")
    assert await block(parts, qun.number, word) is outcome
    done = outcome is WordOutcome.DONE
    assert await rows(parts) == ([(word, qun.number, "person:x")] if done else [])
    assert (first_match(parts, qun, f"x {word} y") == word) is (done or word == "配置")
    entries = await actions(parts, "blocked_word")
    assert [(entry.account, entry.who, entry.target, entry.outcome, entry.detail) for entry in entries] == (
        [(ACCOUNT, "person:x", word, Outcome.DONE, {"number": str(qun.number)})] if done else []
    )


async def test_word_is_blocked_in_its_scope(open_parts: OpenParts) -> None:
    parts, first = await opened(open_parts)
    second, words = await parts.group("2"), parts.container.blocked_words
    assert first_match(parts, first, "坏词") is None
    assert await block(parts, first.number, "坏词") is WordOutcome.DONE
    assert await block(parts, first.number, "坏-词") is WordOutcome.KNOWN
    assert (first_match(parts, first, "坏词"), first_match(parts, second, "坏词")) == ("坏词", None)
    assert await block(parts, None, "坏词") is WordOutcome.DONE, "for all groups"
    assert first_match(parts, second, "坏词") == "坏词"
    assert await block(parts, second.number, "坏词") is WordOutcome.EVERYWHERE
    assert await block(parts, None, "坏词") is WordOutcome.KNOWN
    assert await block(parts, None, "坏词", "weimi1002") is WordOutcome.DONE, "another account"
    assert (words.of(ACCOUNT, first.number), words.of(ACCOUNT, None), words.of(ACCOUNT, second.number)) == (
        ["坏词"], ["坏词"], [],
    )  # fmt: skip
    assert [action.detail for action in await actions(parts, "blocked_word")][1] == {}


async def test_word_is_allowed_in_its_scope(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, "配置")
    assert await allow(parts, qun.number, "坏词") is WordOutcome.UNKNOWN
    assert await allow(parts, qun.number, "配置") is WordOutcome.CONFIGURED
    for number in (qun.number, None):
        await block(parts, number, "坏词")
    await block(parts, qun.number, "其他")
    assert await allow(parts, qun.number, "坏 词") is WordOutcome.DONE
    assert first_match(parts, qun, "坏词") == "坏词", "it is blocked for all groups, too"
    assert await allow(parts, qun.number, "坏词") is WordOutcome.EVERYWHERE
    assert await allow(parts, None, "坏词") is WordOutcome.DONE
    assert (first_match(parts, qun, "坏词"), first_match(parts, qun, "其他")) == (None, "其他")
    assert await rows(parts) == [("其他", qun.number, "person:x")]
    entries = await actions(parts, "blocked_word_removed")
    assert [(entry.target, entry.detail) for entry in entries] == [("坏 词", {"number": str(qun.number)}), ("坏词", {})]


async def test_words_are_reloaded_and_reconfigured(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, "配置")
    words = parts.container.blocked_words
    await block(parts, qun.number, "坏词")
    await parts.write(
        lambda s: s.add(BlockedWord(account=ACCOUNT, number=None, word="新词", by="x", created_at=parts.clock.now))
    )
    assert first_match(parts, qun, "新词") is None
    await words.load()
    assert [first_match(parts, qun, word) for word in ("新词", "坏词", "配置")] == ["新词", "坏词", "配置"]
    words.configure(["别的"])
    assert words.configured == ["别的"]
    assert [first_match(parts, qun, word) for word in ("别的", "坏词", "配置")] == ["别的", "坏词", None]
    await parts.write(lambda s: list(map(s.delete, s.exec(select(BlockedWord)).all())))
    await words.load()
    assert first_match(parts, qun, "坏词") is None
    assert words.of(ACCOUNT, qun.number) == []


async def test_cached_words_follow_the_commit(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts)

    def fail(session: object) -> None:
        parts.container.blocked_words.block(session, ACCOUNT, qun.number, "坏词", "x")  # type: ignore[arg-type]
        raise ValueError

    with pytest.raises(ValueError):
        await parts.write(fail)
    assert first_match(parts, qun, "坏词") is None
    assert await block(parts, qun.number, "坏词") is WordOutcome.DONE
