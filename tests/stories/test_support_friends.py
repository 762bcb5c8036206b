"""Friend requests: acceptance rules, daily limit, greeting."""

from __future__ import annotations

import time

import pytest
from sqlmodel import select

from app.listener import FEW
from models.durable import Action, OutboxItem
from sandbox.world.faults import TOO_FAST
from sandbox.world.model import Kind
from tests.stories.conftest import MakeTown, Town, until
from tests.stories.service import MARKER, answers, until_done, words

GREETING = "您好，我是weimi1001，请问有什么可以帮您？回复“人工”转人工客服。"


def ask(town: Town, name: str, hello: str) -> str:
    """Send a friend request as a new person; return their id."""
    who = town.newcomer(name, friend=False)
    town.world.people.ask(who, town.id("bot"), hello)
    return who


def is_friend(town: Town, who: str) -> bool:
    return town.world.people.are_friends(who, town.id("bot"))


async def test_every_request_is_accepted_and_greeted_once(make_town: MakeTown) -> None:
    town = await make_town(customer_service={"keywords": [MARKER]})
    who = ask(town, "阮小二", "")
    name = town.world.accounts.person(town.accounts[0]).name
    await town.hears(who, GREETING.replace("weimi1001", name))
    town.world.accounts.emit(town.accounts[0], "friendship", dict(last_friendship(town, who)))
    assert await answers(town, who) == []
    await town.restart_bot()
    assert await answers(town, who) == []
    assert sum("您好，我是" in w for w in words(town.seen(who))) == 1


async def test_friend_added_during_downtime_is_greeted_once(make_town: MakeTown) -> None:
    town = await make_town(customer_service={"keywords": [MARKER]})
    await town.quiet()
    await town.stop_bot()
    paper = town.world.people.create("早报", official=True).id
    town.world.people.befriend(paper, town.id("bot"))
    who = town.newcomer("扈三娘")
    await town.start_bot()
    await town.hears(who, "您好，我是")
    await town.quiet()
    assert words(town.seen(paper)) == [], "an official account"
    await town.restart_bot()
    assert await answers(town, who) == []
    assert sum("您好，我是" in w for w in words(town.seen(who))) == 1
    assert not any("您好，我是" in w for w in words(town.seen("黑旋风"))), "a friend of before"


async def test_suddenly_longer_contact_list_greets_nobody(make_town: MakeTown) -> None:
    town = await make_town(customer_service={"keywords": [MARKER]})
    await town.quiet()
    await town.stop_bot()
    people = [town.newcomer(f"新人{n}") for n in range(FEW + 1)]
    await town.start_bot()
    await town.quiet()
    assert [await answers(town, who) for who in people[:2]] == [[], []]
    assert not any("您好，我是" in w for who in people for w in words(town.seen(who)))


def last_friendship(town: Town, who: str) -> dict[str, str]:
    """The gateway reports a friendship again under another id, as some do after a new login."""
    world = town.world
    told = [f for f in world.state.friendships.values() if f.asker == who and f.type == 1][-1]
    again = type(told)(world.new_id("fs_", world.state.friendships), told.asker, told.asked, told.hello, told.at)
    again.type, again.state = told.type, told.state
    world.state.friendships[again.id] = again
    return {"friendshipId": again.id}


async def test_request_needs_a_configured_word_or_a_valid_token(make_town: MakeTown) -> None:
    town = await make_town(customer_service={"accept": {"words": ["加群", "POS"], "delay_seconds": [0, 0]}})
    qun = await town.make_group()
    stranger, wrong = ask(town, "阮小五", "认识一下"), ask(town, "阮小七", "QUFBQUFBQUFBQUFB")
    wanted, held = ask(town, "张横", "想加群呀"), ask(town, "张顺", qun["token"])
    await town.hears(wanted, "您好，我是")
    await town.hears(held, "您好，我是")
    await town.hears("宋公明", "欢迎 @张顺", qun["room"])
    await town.quiet()
    assert not is_friend(town, stranger)
    assert not is_friend(town, wrong)
    assert "令牌无效" not in "".join(words(town.seen(wrong)))


async def test_wrong_token_is_reported_after_acceptance(make_town: MakeTown) -> None:
    town = await make_town()
    who = ask(town, "阮小七", "QUFBQUFBQUFBQUFB")
    await town.hears(who, "入群令牌无效，请核对后重新发送。")
    heard = [m for m in town.seen(who) if m.kind is Kind.TEXT]
    assert [m.text.startswith("您好，我是") for m in heard] == [True, False]


async def test_requests_above_the_daily_limit_wait_until_tomorrow(make_town: MakeTown) -> None:
    town = await make_town(customer_service={"accept": {"max_per_day": 2, "delay_seconds": [0, 0]}})
    people = [ask(town, f"访客{n}", "") for n in range(3)]
    await until(lambda: sum(is_friend(town, who) for who in people) == 2, "two are accepted")
    (left,) = [who for who in people if not is_friend(town, who)]
    await town.restart_bot()
    await town.hears(next(who for who in people if who != left), "您好，我是")
    late = ask(town, "访客3", "")
    town.say("黑旋风", "今天天气真好")  # other messages are answered meanwhile
    await town.hears("黑旋风", "抱歉，我没听懂")
    assert not is_friend(town, left)
    assert not is_friend(town, late)
    accepted = select(Action).where(Action.kind == "accept")
    assert len(await town.bot.container.store.read(lambda s: s.exec(accepted).all())) == 2

    container = town.bot.container
    open_work = select(OutboxItem).where(OutboxItem.queue == "accept:weimi1001", OutboxItem.state == "queued")

    async def both_put_off() -> bool:
        rows = await container.store.read(lambda s: s.exec(open_work).all())
        return {row.key for row in rows if "daily limit" in row.error} == {left, late}

    assert await until_done(both_put_off, "both wait for tomorrow")


async def test_acceptances_are_delayed_and_spaced(make_town: MakeTown) -> None:
    town = await make_town(customer_service={"accept": {"delay_seconds": [0.6, 0.8]}})
    began = time.monotonic()
    people = [ask(town, f"访客{n}", "") for n in range(2)]
    await until(lambda: any(is_friend(town, who) for who in people), "one is accepted")
    first = time.monotonic() - began
    await until(lambda: all(is_friend(town, who) for who in people), "both are accepted")
    both = time.monotonic() - began
    assert first >= 0.6
    assert both >= 1.2


async def test_repeated_request_is_accepted_once(make_town: MakeTown) -> None:
    town = await make_town()
    town.world.faults.event("friendship", twice=1.0)
    who = ask(town, "阮小二", "")
    await town.hears(who, "您好，我是")
    town.world.faults.event("friendship")
    await town.quiet()
    assert sum("您好，我是" in w for w in words(town.seen(who))) == 1


async def test_lost_response_of_acceptance_greets_once(make_town: MakeTown) -> None:
    """WeChat accepted, but the response was lost: one greeting, and one accepted request."""
    town = await make_town()
    town.world.faults.call("FriendshipAccept", "lose", count=1)
    who = ask(town, "阮小二", "QUFBQUFBQUFBQUFB")
    await town.hears(who, "您好，我是")
    await town.hears(who, "入群令牌无效")
    await town.quiet()
    assert [w[:2] for w in words(town.seen(who))] == ["您好", "入群"]
    done = select(Action).where(Action.kind == "accept", Action.outcome == "done")
    assert len(await town.bot.container.store.read(lambda s: s.exec(done).all())) <= 1


async def test_rate_limited_acceptance_is_retried(make_town: MakeTown, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is retried however often WeChat rejects it."""
    monkeypatch.setattr("services.support.friend_requests.TOO_FAST_WAIT", 0.01, raising=False)
    monkeypatch.setattr("services.support.friend_requests.MAX_TRIES", 0)
    town = await make_town(customer_service={"keywords": [MARKER]})
    town.world.faults.call("FriendshipAccept", "fail", text=TOO_FAST, count=3)
    who = ask(town, "阮小七", "")
    await town.hears(who, "您好，我是")
