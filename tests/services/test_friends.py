"""Accepting friend requests: spacing, daily limit and clock changes."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import pytest
from sqlmodel import select

from errors import WeChatError, WeChatOffline, WeChatRefused, WeChatTooFast, WeChatUnknown
from models.durable import Action
from services.work.job import GiveUp, Job, Retry
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts

NEW = "wxid_new"


def job(who: str = NEW, **values: Any) -> Job:
    body = {"friendship": f"fs_{who}", "contact": who, "words": "", "friend_before": False}
    attempts = values.pop("attempts", 0)
    return Job(1, f"accept:{ACCOUNT}", who, {**body, **values}, attempts=attempts)


async def opened(open_parts: OpenParts, shortest: float = 5, longest: float = 15, **accept: Any) -> Parts:
    service = {"faq": "", "accept": {"delay_seconds": [shortest, longest], **accept}}
    parts = await open_parts(customer_service=service)
    parts.wechat.knows(NEW, "九纹龙", friend=False)
    return parts


async def deliver(parts: Parts, work: Job | None = None) -> str | Retry | GiveUp:
    return await parts.container.friend_requests._deliver(work or job())


async def outcomes(parts: Parts) -> list[str]:
    actions = await parts.read(lambda s: s.exec(select(Action).where(Action.kind == "accept")).all())
    return [action.outcome for action in actions]


def accepted(parts: Parts) -> int:
    return parts.wechat.calls.count("accept_friend")


# ---- one after the other ----


async def test_next_acceptance_waits_a_random_delay(open_parts: OpenParts) -> None:
    parts = await opened(open_parts)
    assert await deliver(parts, job("wxid_1")) == ""
    put_off = await deliver(parts, job("wxid_2"))
    assert isinstance(put_off, Retry)
    assert 5 <= put_off.again_in <= 15
    assert not put_off.counts, "it is no failure of the request"
    parts.clock.now += put_off.again_in
    assert await deliver(parts, job("wxid_2")) == ""
    assert accepted(parts) == 2


async def test_clock_set_back_does_not_block(open_parts: OpenParts) -> None:
    """The next turn seems hours away, more than is possible."""
    parts = await opened(open_parts)
    assert await deliver(parts, job("wxid_1")) == ""
    parts.clock.now -= 3600
    assert await deliver(parts, job("wxid_2")) == ""
    put_off = await deliver(parts, job("wxid_3"))
    assert isinstance(put_off, Retry) and put_off.again_in <= 15, "and the turns go by the new time"


@pytest.mark.parametrize(("back", "waits"), [(0.0, True), (0.5, False)])
async def test_wait_is_at_most_the_longest_delay(open_parts: OpenParts, back: float, waits: bool) -> None:
    parts = await opened(open_parts, 10, 10)
    await deliver(parts, job("wxid_1"))
    parts.clock.now -= back
    assert (
        await deliver(parts, job("wxid_2")) == Retry(10, "requests are accepted one at a time", counts=False)
    ) is waits


async def test_zero_delay_waits_for_nothing(open_parts: OpenParts) -> None:
    parts = await opened(open_parts, 0, 0)
    assert [await deliver(parts, job(f"wxid_{number}")) for number in range(3)] == ["", "", ""]


async def test_accounts_take_turns_separately(open_parts: OpenParts) -> None:
    parts = await opened(open_parts)
    parts.container.acceptance_policy._next_at["weimi1002"] = parts.clock.now + 10
    assert await deliver(parts) == ""


# ---- so many a day ----


@pytest.mark.parametrize("bound", [0, 1])
async def test_requests_beyond_the_limit_wait_until_shortly_after_midnight(
    open_parts: OpenParts, monkeypatch: pytest.MonkeyPatch, bound: int
) -> None:
    parts = await opened(open_parts, max_per_day=1)
    policy = parts.container.acceptance_policy
    monkeypatch.setattr(policy._rng, "uniform", lambda *bounds: bounds[bound])
    await done(parts, parts.clock.now)
    put_off = await policy.retry_if_limited(ACCOUNT)
    assert put_off is not None
    tomorrow = policy._local_time.start_of_day().timestamp() + 24 * 3600
    assert parts.clock.now + put_off.again_in == pytest.approx(tomorrow + (60, 1800)[bound])


async def done(parts: Parts, *ats: float, account: str = ACCOUNT, outcome: str = "done", kind: str = "accept") -> None:
    await parts.write(
        lambda s: s.add_all(
            [Action(at=at, account=account, kind=kind, who="x", target="y", outcome=outcome, detail={}) for at in ats]
        )
    )


async def test_daily_limit_is_enforced(open_parts: OpenParts) -> None:
    parts = await opened(open_parts, 0, 0, max_per_day=2)
    now = parts.clock.now
    await done(parts, now - 10)
    await done(parts, now - 9, account="weimi1002")
    await done(parts, now - 8, outcome="failed")
    await done(parts, now - 7, kind="add")
    assert await deliver(parts, job("wxid_1")) == ""
    put_off = await deliver(parts, job("wxid_2"))
    assert isinstance(put_off, Retry) and not put_off.counts
    zone = parts.container.zone
    at = datetime.fromtimestamp(now + put_off.again_in, zone)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    assert at.date() > datetime.fromtimestamp(now, zone).date()
    assert 60 <= (at - midnight).total_seconds() <= 1800
    parts.clock.now += put_off.again_in
    assert await deliver(parts, job("wxid_2")) == ""


@pytest.mark.parametrize(("before_midnight", "left"), [(0.0, False), (1.0, True)])
async def test_day_starts_at_midnight(open_parts: OpenParts, before_midnight: float, left: bool) -> None:
    parts = await opened(open_parts, 0, 0, max_per_day=1)
    now = datetime.fromtimestamp(parts.clock.now, parts.container.zone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    await done(parts, midnight - before_midnight)
    assert (await deliver(parts) == "") is left


# ---- results of WeChat ----


async def test_new_friend_is_greeted_once(open_parts: OpenParts) -> None:
    parts = await opened(open_parts)
    told: list[tuple[str, str]] = []
    parts.container.friend_requests._on_accepted = lambda account, who: told.append((account, who))
    assert await deliver(parts, job(words="令牌无效")) == ""
    greeting, text = await parts.queued_texts(NEW)
    assert greeting.startswith("您好，我是小微") and text == "令牌无效"
    await parts.write(lambda s: parts.container.greetings.greet(s, ACCOUNT, NEW))
    assert len(await parts.queued_texts(NEW)) == 2
    assert told == [(ACCOUNT, NEW)]
    assert await outcomes(parts) == ["done"]


async def test_existing_friend_is_not_accepted_again(open_parts: OpenParts) -> None:
    parts = await opened(open_parts)
    assert await deliver(parts, job(XUAN)) == ""
    assert accepted(parts) == 0
    assert len(await parts.queued_texts(XUAN)) == 1
    assert await deliver(parts, job(XUAN, friend_before=True)) == "", "who deleted the assistant asks anew"
    assert accepted(parts) == 1


async def test_official_accounts_and_assistants_are_not_greeted(open_parts: OpenParts) -> None:
    parts = await opened(open_parts)
    paper = parts.wechat.knows("gh_paper", "早报")
    parts.wechat.directory.put_contact(type(paper)(**{**_fields(paper), "official": True}))
    for who in ("gh_paper", parts.wechat.self_id):
        await parts.write(partial(parts.container.greetings.greet, account=ACCOUNT, contact_id=who))
        assert await parts.queued_texts(who) == []


def _fields(contact: Any) -> dict[str, Any]:
    return {name: getattr(contact, name) for name in type(contact).__dataclass_fields__}


async def test_empty_greeting_sends_nothing(open_parts: OpenParts) -> None:
    parts = await open_parts(customer_service={"faq": "", "greeting": ""})
    await parts.write(lambda s: parts.container.greetings.greet(s, ACCOUNT, XUAN))
    assert await parts.queued_texts(XUAN) == []


@pytest.mark.parametrize(
    ("error", "attempts", "result"),
    [
        (WeChatOffline("Accept"), 9, Retry(1, "", counts=False)),
        (WeChatTooFast("Accept", "操作过于频繁"), 9, Retry(600.0, "", counts=False)),
        (WeChatUnknown("Accept", "no answer"), 3, Retry(2, "")),
        (WeChatRefused("Accept", "no"), 3, Retry(60, "")),
        (WeChatRefused("Accept", "no"), 4, GiveUp("")),
        (WeChatUnknown("Accept", "no answer"), 4, GiveUp("")),
    ],
)
async def test_failed_acceptance_is_retried_or_given_up(
    open_parts: OpenParts, error: WeChatError, attempts: int, result: Retry | GiveUp
) -> None:
    parts = await opened(open_parts)
    parts.wechat.fails["accept_friend"] = error
    answer = await deliver(parts, job(attempts=attempts))
    assert isinstance(answer, Retry | GiveUp) and type(answer) is type(result) and answer.why == str(error)
    if isinstance(answer, Retry) and isinstance(result, Retry):
        assert (answer.again_in, answer.counts) == (result.again_in, result.counts)
    assert await outcomes(parts) == ["failed"]
    assert parts.container.accounts.rate_limiter(ACCOUNT).slow_down_factor == (
        2 if isinstance(error, WeChatTooFast) else 1
    )
    assert await parts.queued_texts(NEW) == []


async def test_error_after_success_is_not_a_failure(open_parts: OpenParts) -> None:
    parts = await opened(open_parts)
    parts.wechat.fails["accept_friend"] = WeChatUnknown("Accept", "no answer")

    async def contact(contact_id: str, *, fresh: bool = False) -> Any:
        assert fresh, "what is known is from before"
        return parts.wechat.knows(contact_id, "九纹龙")

    parts.wechat.contact = contact  # type: ignore[method-assign]
    assert await deliver(parts) == ""
    assert await outcomes(parts) == ["done"]


async def test_unreadable_contact_after_failure_is_not_a_friend(open_parts: OpenParts) -> None:
    parts = await opened(open_parts)
    parts.wechat.fails |= {"accept_friend": WeChatRefused("A", "no"), "contact": WeChatRefused("C", "no")}
    assert isinstance(await deliver(parts), Retry)


# ---- the promise ----


async def test_acceptance_is_delayed(open_parts: OpenParts) -> None:
    parts = await opened(open_parts)
    await parts.write(lambda s: parts.container.friend_requests.accept_soon(s, ACCOUNT, "fs_1", NEW, "你好"))
    await parts.write(lambda s: parts.container.friend_requests.accept_soon(s, ACCOUNT, "fs_2", XUAN))
    first, second = await parts.queued("accept")
    assert first.queue == f"accept:{ACCOUNT}" and first.key == NEW
    assert first.body == {"friendship": "fs_1", "contact": NEW, "words": "你好", "hello": "", "friend_before": False}
    assert second.body["friend_before"] is True
    assert all(5 <= item.run_at - parts.clock.now <= 15 for item in (first, second))


async def test_acceptance_policy(open_parts: OpenParts) -> None:
    assert (await opened(open_parts)).container.acceptance_policy.allows("whatever")
    some = await opened(open_parts, words=["加群", "POS"])
    assert [some.container.acceptance_policy.allows(hello) for hello in ("我想加群", "ｐｏｓ机", "认识一下")] == [
        True,
        True,
        False,
    ]
