"""The config is reloaded at run time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories.business import receiving, reload
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.waiting import until

KEYS = "/wxbot/config/reload"


ANOTHER = "whsec_YW5vdGhlciBzZWNyZXQgb2Ygb3Vycw=="


# ---- configuration ----


async def test_reloadable_settings_apply_at_once(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database)
    assert await reload(env) == {"changed": [], "restart": []}
    service = {"keywords": [{"equals": "营业时间", "reply": "九点到六点"}], "fallback": "不懂"}
    answer = await reload(env, customer_service=service, texts={"bad_token": "令牌不对"})
    assert answer["restart"] == []
    assert set(answer["changed"]) == {"customer_service.keywords", "customer_service.fallback", "texts.bad_token"}
    env.say("黑旋风", "营业时间")
    await env.receives("黑旋风", "九点到六点")
    env.say("黑旋风", "MDEyMzQ1Njc4OUFC")
    await env.receives("黑旋风", "令牌不对")
    env.say("黑旋风", "天书")
    await env.receives("黑旋风", "不懂")
    audit = (await env.call("GET", "/wxbot/audit", params={"kind": "reload"}))[1]["audit"]
    assert (audit[0]["who"], audit[0]["detail"]["restart"]) == ("rest:127.0.0.1", "")
    assert "texts.bad_token" in audit[0]["detail"]["changed"]
    assert len(audit) == 2


async def test_settings_that_need_a_restart_are_named_and_ignored(env: BotEnvironment) -> None:
    answer = await reload(env, timezone="Asia/Tokyo", texts={"bad_token": "令牌不对"})
    assert answer == {"changed": ["texts.bad_token"], "restart": ["timezone"]}
    assert env.bot.container.config.timezone == "Asia/Shanghai"
    assert (await reload(env))["restart"] == ["timezone"]


async def test_invalid_config_changes_nothing(env: BotEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    faq = env.folder / "faq.yaml"
    faq.write_text("- questions: [怎么退货]\n  answer: 七天内\n")
    await reload(env, customer_service={"faq": str(faq)})
    faq.write_text("- questions: []\n  answer: 七天内\n")
    env.extra = {**env.extra, "texts": {"bad_token": "令牌不对"}}
    status, answer, _ = await env.call("POST", KEYS)
    assert (status, answer["error"]["code"]) == (400, 1001)
    assert "faq.yaml" in answer["error"]["message"]
    assert "questions" in answer["error"]["message"]
    assert " 不行：" in answer["error"]["message"]
    env.say("店长", "/重载")
    assert " 不行：" in (await env.receives("店长", "配置有误，没有做任何更改：")).text
    assert env.bot.container.config.texts.bad_token != "令牌不对"
    env.say("黑旋风", "怎么退货")
    await env.receives("黑旋风", "七天内")
    await env.bot.reload()  # like SIGHUP: only logged
    faq.write_text("- questions: [怎么退货]\n  answer: 十天内\n")
    assert (await reload(env))["changed"] == ["texts.bad_token", "customer_service.faq"]
    env.say("黑旋风", "怎么退货")
    await env.receives("黑旋风", "十天内")


async def test_hours_jobs_admins_keys_and_groups_are_reloaded(env: BotEnvironment) -> None:
    qun = await env.make_group()
    hours = {"days": "mon-sun", "from": "00:00", "to": "00:00"}
    await reload(
        env,
        customer_service={"handoff": {"hours": hours, "words": ["找人"]}},
        jobs=[{"name": "drift_check", "enabled": False}],
        admins=["wxid_heixuanfeng"],
        groups={"blocked_words": ["坏话"], "warn_limit": 2},
        api={"keys": ["first-key-1234567", {"name": "erp", "key": "second-key-123456", "scopes": ["read"]}]},
    )
    assert env.bot.container.person_requests.match("找人")
    assert not env.bot.container.person_requests.match("人工")
    assert "drift_check" not in env.bot.container.job_log.names
    assert not env.bot.container.accounts.is_admin("weimi1001", "wxid_nobody")
    assert env.bot.container.accounts.is_admin("weimi1001", "wxid_heixuanfeng")
    env.world.joins.add(env.id("bot"), qun["room"], env.id("黑旋风"))
    env.say("智多星", "坏话", qun["room"])
    assert (await env.call("GET", "/wxbot/qun"))[0] == 401
    for key, status in (("first-key-1234567", 200), ("second-key-123456", 403)):
        headers = {"Authorization": f"Bearer {key}"}
        assert (await env.call("POST", KEYS, headers=headers))[0] == status
    assert (await env.call("GET", "/openapi.json"))[1]["paths"]["/wxbot/qun"]["get"]["security"] == [{"key": []}]


async def test_changed_webhook_loses_nothing(make_env: MakeEnv, database: str) -> None:
    """The URL and secret change while events are queued; they are delivered once and in order."""

    async def closed(_event: dict[str, Any]) -> int:
        return 503

    async with receiving() as old, receiving(ANOTHER) as new:
        old.answer = closed
        hook = {"name": "erp", "url": old.url, "secret": old.config["secret"]}
        env = await make_env(database=database, webhooks=[hook])
        qun = await env.make_group()
        await env.join(qun["token"], "黑旋风")
        await until(lambda: len(old.tries) >= 2, "tried")
        answer = await reload(env, webhooks=[{**hook, "url": new.url, "secret": ANOTHER}])
        assert answer["changed"] == ["webhooks"]
        await until(lambda: "member.joined" in new.types(), "told")
        await env.wait_idle()
        assert [kind for kind in new.types() if not kind.startswith("assistant")] == ["qun.created", "member.joined"]
        assert old.events == []
        _, answer, _ = await env.call("GET", "/wxbot/webhook", params={"state": "sent", "webhook": "erp"})
        assert {(webhook["webhook"], webhook["receiver"]) for webhook in answer["webhooks"]} == {("erp", new.url)}
        assert answer["webhooks"][-1]["attempts"] >= 1


async def test_all_settings_change_under_load(make_env: MakeEnv, database: str) -> None:
    """FAQ, hours, webhook, key and admin change while customers write: each message is answered once, by one of the
    configs.
    """
    async with receiving() as first, receiving() as second:
        hook = {"name": "erp", "events": ["message.sent"]}
        env = await make_env(database=database, webhooks=[{**hook, **_of(first.config)}])
        people = [env.add_person(f"客人{number}") for number in range(4)]
        rounds = 12
        for turn in range(rounds):
            rule = {"regex": r"^问(\d+)$", "reply": f"答{{1}} {turn}"}
            receiver = (first, second)[turn % 2]
            config = reload(
                env,
                customer_service={"keywords": [rule], "handoff": {"idle_minutes": 10 + turn}},
                webhooks=[{**hook, **_of(receiver.config)}],
            )
            for person in people:
                env.say(person, f"问{turn}")
            await config
        for person in people:
            await until(lambda person=person: len(env.seen(person)) > rounds, "answered")
        sent = (rounds + 1) * len(people)  # with the greetings
        await until(lambda: len(first.events) + len(second.events) >= sent, "all messages are reported")
        await env.wait_idle()
        for person in people:
            answers = [message.text for message in env.seen(person) if message.text.startswith("答")]
            numbers = [int(answer.split()[0].removeprefix("答")) for answer in answers]
            assert sorted(numbers) == list(range(rounds))
        reported = [event["data"]["message"] for event in (*first.events, *second.events)]
        assert len(reported) == len(set(reported)) == sent


def _of(config: dict[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name in ("url", "secret")}
