"""Friend requests: acceptance rules, daily limit, greeting."""

from __future__ import annotations

import time

import pytest
from sqlmodel import select

from app.listener import MAX_GREETED
from models.durable import Action, OutboxItem
from sandbox.world.faults import TOO_FAST
from sandbox.world.model import Kind
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.service import MARKER, replies_to, words
from tests.waiting import until

GREETING = "您好，我是weimi1001，请问有什么可以帮您？回复“人工”转人工客服。"


def ask(env: BotEnvironment, name: str, hello: str) -> str:
    """Send a friend request as a new person; return their id."""
    who = env.add_person(name, friend=False)
    env.world.people.ask(who, env.id("bot"), hello)
    return who


def is_friend(env: BotEnvironment, who: str) -> bool:
    return env.world.people.are_friends(who, env.id("bot"))


async def test_every_request_is_accepted_and_greeted_once(make_env: MakeEnv) -> None:
    env = await make_env(customer_service={"keywords": [MARKER]})
    who = ask(env, "阮小二", "")
    name = env.world.accounts.person(env.accounts[0]).name
    await env.receives(who, GREETING.replace("weimi1001", name))
    env.world.accounts.emit(env.accounts[0], "friendship", dict(repeat_friend_request(env, who)))
    assert await replies_to(env, who) == []
    await env.restart_bot()
    assert await replies_to(env, who) == []
    assert sum("您好，我是" in w for w in words(env.seen(who))) == 1


async def test_friend_added_during_downtime_is_greeted_once(make_env: MakeEnv) -> None:
    env = await make_env(customer_service={"keywords": [MARKER]})
    await env.wait_idle()
    await env.stop_bot()
    paper = env.world.people.create("早报", official=True).id
    env.world.people.befriend(paper, env.id("bot"))
    who = env.add_person("扈三娘")
    await env.start_bot()
    await env.receives(who, "您好，我是")
    await env.wait_idle()
    assert words(env.seen(paper)) == [], "an official account"
    await env.restart_bot()
    assert await replies_to(env, who) == []
    assert sum("您好，我是" in w for w in words(env.seen(who))) == 1
    assert not any("您好，我是" in w for w in words(env.seen("黑旋风"))), "a friend of before"


async def test_suddenly_longer_contact_list_greets_nobody(make_env: MakeEnv) -> None:
    env = await make_env(customer_service={"keywords": [MARKER]})
    await env.wait_idle()
    await env.stop_bot()
    people = [env.add_person(f"新人{n}") for n in range(MAX_GREETED + 1)]
    await env.start_bot()
    await env.wait_idle()
    assert [await replies_to(env, who) for who in people[:2]] == [[], []]
    assert not any("您好，我是" in w for who in people for w in words(env.seen(who)))


def repeat_friend_request(env: BotEnvironment, who: str) -> dict[str, str]:
    """The gateway reports a friendship again under another id, as some do after a new login."""
    world = env.world
    told = [f for f in world.state.friendships.values() if f.asker == who and f.type == 1][-1]
    again = type(told)(world.new_id("fs_", world.state.friendships), told.asker, told.asked, told.hello, told.at)
    again.type, again.state = told.type, told.state
    world.state.friendships[again.id] = again
    return {"friendshipId": again.id}


async def test_request_needs_a_configured_word_or_a_valid_token(make_env: MakeEnv) -> None:
    env = await make_env(customer_service={"accept": {"words": ["加群", "POS"], "delay_seconds": [0, 0]}})
    qun = await env.make_group()
    stranger, wrong = ask(env, "阮小五", "认识一下"), ask(env, "阮小七", "QUFBQUFBQUFBQUFB")
    wanted, held = ask(env, "张横", "想加群呀"), ask(env, "张顺", qun["token"])
    await env.receives(wanted, "您好，我是")
    await env.receives(held, "您好，我是")
    await env.receives("宋公明", "欢迎 @张顺", qun["room"])
    await env.wait_idle()
    assert not is_friend(env, stranger)
    assert not is_friend(env, wrong)
    assert "令牌无效" not in "".join(words(env.seen(wrong)))


async def test_wrong_token_is_reported_after_acceptance(make_env: MakeEnv) -> None:
    env = await make_env()
    who = ask(env, "阮小七", "QUFBQUFBQUFBQUFB")
    await env.receives(who, "入群令牌无效，请核对后重新发送。")
    received = [m for m in env.seen(who) if m.kind is Kind.TEXT]
    assert [m.text.startswith("您好，我是") for m in received] == [True, False]


async def test_requests_above_the_daily_limit_wait_until_tomorrow(make_env: MakeEnv) -> None:
    env = await make_env(customer_service={"accept": {"max_per_day": 2, "delay_seconds": [0, 0]}})
    people = [ask(env, f"访客{n}", "") for n in range(3)]
    await until(lambda: sum(is_friend(env, who) for who in people) == 2, "two are accepted")
    (left,) = [who for who in people if not is_friend(env, who)]
    await env.restart_bot()
    await env.receives(next(who for who in people if who != left), "您好，我是")
    late = ask(env, "访客3", "")
    env.say("黑旋风", "今天天气真好")  # other messages are answered in the meantime
    await env.receives("黑旋风", "抱歉，我没听懂")
    assert not is_friend(env, left)
    assert not is_friend(env, late)
    accepted = select(Action).where(Action.kind == "accept")
    assert len(await env.bot.container.store.read(lambda s: s.exec(accepted).all())) == 2

    container = env.bot.container
    open_work = select(OutboxItem).where(OutboxItem.queue == "accept:weimi1001", OutboxItem.state == "queued")

    async def both_put_off() -> bool:
        rows = await container.store.read(lambda s: s.exec(open_work).all())
        return {row.key for row in rows if "daily limit" in row.error} == {left, late}

    assert await until(both_put_off, "both wait for tomorrow")


async def test_acceptances_are_delayed_and_spaced(make_env: MakeEnv) -> None:
    env = await make_env(customer_service={"accept": {"delay_seconds": [0.6, 0.8]}})
    began = time.monotonic()
    people = [ask(env, f"访客{n}", "") for n in range(2)]
    await until(lambda: any(is_friend(env, who) for who in people), "one is accepted")
    first = time.monotonic() - began
    await until(lambda: all(is_friend(env, who) for who in people), "both are accepted")
    both = time.monotonic() - began
    assert first >= 0.6
    assert both >= 1.2


async def test_repeated_request_is_accepted_once(make_env: MakeEnv) -> None:
    env = await make_env()
    env.world.faults.event("friendship", twice=1.0)
    who = ask(env, "阮小二", "")
    await env.receives(who, "您好，我是")
    env.world.faults.event("friendship")
    await env.wait_idle()
    assert sum("您好，我是" in w for w in words(env.seen(who))) == 1


async def test_lost_response_of_acceptance_greets_once(make_env: MakeEnv) -> None:
    """WeChat accepted, but the response was lost: one greeting, and one accepted request."""
    env = await make_env()
    env.world.faults.call("FriendshipAccept", "lose", count=1)
    who = ask(env, "阮小二", "QUFBQUFBQUFBQUFB")
    await env.receives(who, "您好，我是")
    await env.receives(who, "入群令牌无效")
    await env.wait_idle()
    assert [w[:2] for w in words(env.seen(who))] == ["您好", "入群"]
    done = select(Action).where(Action.kind == "accept", Action.outcome == "done")
    assert len(await env.bot.container.store.read(lambda s: s.exec(done).all())) <= 1


async def test_rate_limited_acceptance_is_retried(make_env: MakeEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is retried however often WeChat rejects it."""
    monkeypatch.setattr("services.support.friend_requests.TOO_FAST_WAIT", 0.01, raising=False)
    monkeypatch.setattr("services.support.friend_requests.MAX_TRIES", 0)
    env = await make_env(customer_service={"keywords": [MARKER]})
    env.world.faults.call("FriendshipAccept", "fail", text=TOO_FAST, count=3)
    who = ask(env, "阮小七", "")
    await env.receives(who, "您好，我是")
