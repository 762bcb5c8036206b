"""Changes at run time, by config, chat and REST."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlmodel import Session

import sandbox
from models.durable import Setting
from sandbox.world.world import World
from services.support.rule_files import export_keywords, export_questions, import_keywords, import_questions
from tests.stories.business import receiving
from tests.stories.conftest import BotEnvironment, MakeEnv, until

KEYS = "/wxbot/config/reload"
ANOTHER = "whsec_YW5vdGhlciBzZWNyZXQgb2Ygb3Vycw=="


async def reload(env: BotEnvironment, **config: Any) -> Any:
    """Change the config and reload it; return the REST response."""
    env.extra = {**env.extra, **config}
    status, answer, _ = await env.call("POST", KEYS)
    assert status == 200, answer
    return answer


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
        assert {(one["webhook"], one["receiver"]) for one in answer["webhooks"]} == {("erp", new.url)}
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
        await until(lambda: len(first.events) + len(second.events) >= rounds * len(people), "told")
        await env.wait_idle()
        for person in people:
            answers = [message.text for message in env.seen(person) if message.text.startswith("答")]
            numbers = [int(answer.split()[0].removeprefix("答")) for answer in answers]
            assert sorted(numbers) == list(range(rounds))
        told = [event["data"]["message"] for event in (*first.events, *second.events)]
        assert len(told) == len(set(told)) == (rounds + 1) * len(people)  # includes the greeting


def _of(config: dict[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name in ("url", "secret")}


# ---- admins, questions and groups by chat ----


async def test_admins_are_managed_by_chat(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database)
    qun = await env.make_group()
    env.say("黑旋风", "/管理员 加 wxid_heixuanfeng")
    await env.receives("黑旋风", "您没有权限执行此命令。")
    env.say("宋公明", "/管理员", qun["room"])  # the group's owner is not an admin
    await env.receives("宋公明", "您没有权限执行此命令。", qun["room"])
    env.say("店长", "/管理员 加 黑旋风")
    await env.receives("店长", "管理员按微信号添加，不能用昵称")
    env.say("店长", "/管理员 加 wxid_heixuanfeng")
    await env.receives("店长", "黑旋风 现在是管理员。")
    env.say("店长", "/管理员 加 wxid_heixuanfeng")
    await env.receives("店长", "黑旋风 已经是管理员。")
    env.say("店长", "/管理员")
    listed = await env.receives("店长", "管理员：")
    assert "店长（wxid_admin）（配置文件）" in listed.text
    assert "#1 黑旋风（wxid_heixuanfeng）" in listed.text
    await env.restart_bot()
    env.say("黑旋风", "/群列表")
    assert f"{qun['number']} 宋公明的群" in (await env.receives("黑旋风", "共 1 个群")).text
    env.say("黑旋风", "/群列表 无此群")
    await env.receives("黑旋风", "没有找到群。")
    env.say("店长", "/管理员 删 1")
    await env.receives("店长", "黑旋风（wxid_heixuanfeng） 不再是管理员。")
    env.say("店长", "/管理员 删 1")
    await env.receives("店长", "没有编号为 1 的管理员。")
    before = len(env.seen("黑旋风"))
    env.say("黑旋风", "/群列表")
    await until(lambda: len(env.seen("黑旋风")) > before, "answered")
    assert env.seen("黑旋风")[-1].text == "您没有权限执行此命令。"


async def test_last_admin_cannot_be_removed(make_env: MakeEnv) -> None:
    """The code is valid until an admin was seen; the last admin cannot be removed."""
    env = await make_env(admins=[])
    code = env.bot.container.admins.code
    assert code
    env.say("黑旋风", f"绑定 {code}")
    await env.receives("黑旋风", "绑定成功")
    assert not env.bot.container.admins.code
    env.say("黑旋风", "/管理员 删 1")
    await env.receives("黑旋风", "不能删除最后一位管理员。")
    await env.restart_bot()
    assert not env.bot.container.admins.code
    env.extra["admins"] = ["wxid_nobody_here"]
    await env.stop_bot()
    await env.start_bot()
    assert not env.bot.container.admins.code  # one was seen


async def test_unseen_configured_admin_leaves_the_code_valid(make_env: MakeEnv) -> None:
    env = await make_env(admins=["wxid_nobody_here"])
    assert env.bot.container.admins.code
    await reload(env, admins=["wxid_heixuanfeng"])
    await env.restart_bot()
    await until(lambda: not env.bot.container.admins.code, "an admin among the friends is seen")


async def test_admin_bound_by_an_earlier_version_stays(env: BotEnvironment) -> None:
    await env.bot.container.store.write(lambda s: s.merge(Setting(key="admins", value='["wxid_heixuanfeng"]')))
    await env.restart_bot()
    env.say("黑旋风", "/群列表")
    await env.receives("黑旋风", "没有找到群。")


async def test_questions_by_chat_precede_the_file(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database)
    faq = env.folder / "faq.yaml"
    faq.write_text("- questions: [怎么退货]\n  answer: 文件的答案\n")
    await reload(env, customer_service={"faq": str(faq)})
    env.say("店长", "/问答 加 怎么退货|如何退货=库里的答案")
    await env.receives("店长", "已添加问答 #1。")
    for question in ("怎么退货？", "如何退货"):
        env.say("黑旋风", question)
        await until(lambda: env.seen("黑旋风") and env.seen("黑旋风")[-1].text == "库里的答案", question)
    env.say("店长", "/问答 加 怎么退货=新的答案")
    await env.receives("店长", "已更新问答 #1。")
    await env.restart_bot()
    env.say("黑旋风", "如何退货")
    await env.receives("黑旋风", "新的答案")
    env.say("店长", "/问答")
    await env.receives("店长", "#1 怎么退货|如何退货 = 新的答案")
    env.say("店长", "/问答 删 1")
    await env.receives("店长", "已删除问答 #1。")
    env.say("店长", "/问答 删 1")
    await env.receives("店长", "没有编号为 1 的问答。")
    env.say("黑旋风", "怎么退货")
    await env.receives("黑旋风", "文件的答案")
    env.say("店长", "/问答 加 没有等号")
    await env.receives("店长", "写法：")
    audit = (await env.call("GET", "/wxbot/audit", params={"who": "person:wxid_admin"}))[1]["audit"]
    assert [one["kind"] for one in audit] == ["question_removed", "question", "question"]


async def test_config_is_reloaded_by_chat(env: BotEnvironment) -> None:
    env.extra["texts"] = {"bad_token": "令牌不对"}
    env.extra["timezone"] = "Asia/Tokyo"
    env.say("店长", "/重载")
    told = await env.receives("店长", "已重新加载配置，更新了：texts.bad_token。")
    assert "以下更改需要重启：timezone。" in told.text
    env.say("黑旋风", "/重载")
    await env.receives("黑旋风", "您没有权限执行此命令。")


# ---- keywords and questions as files ----

RULES = """\
- equals: 菜单
  reply:
  - 请看
  - link: {title: 官网, url: 'https://example.com'}
- regex: ^查(\\d+)$
  reply: 订单{1}
  where: private
- contains: 发票
  reply: 请发税号
"""


async def test_rules_are_imported_and_exported(make_env: MakeEnv, database: str) -> None:
    env = await make_env(database=database, customer_service={"keywords": [{"contains": "发票", "reply": "文件里的"}]})
    keywords, store = env.bot.container.keywords, env.bot.container.store

    def bring(session: Session) -> int:
        return import_keywords(session, keywords, "weimi1001", None, RULES, "person:wxid_admin")

    assert [await store.write(bring) for _ in range(2)] == [3, 3]
    for said, received in (("菜单", "请看"), ("查42", "订单42"), ("开发票", "请发税号")):
        env.say("黑旋风", said)
        await env.receives("黑旋风", received)
    await env.restart_bot()
    container = env.bot.container
    text = await container.store.read(lambda s: export_keywords(s, container.keywords, "weimi1001", None))
    await container.store.write(lambda s: [container.keywords.remove(s, row) for row in (1, 2, 3)])
    assert await container.store.read(lambda s: export_keywords(s, container.keywords, "weimi1001", None)) == "[]\n"
    env.say("黑旋风", "发票呢")
    await env.receives("黑旋风", "文件里的")
    await container.store.write(lambda s: import_keywords(s, container.keywords, "weimi1001", None, text, "x"))
    assert await container.store.read(lambda s: export_keywords(s, container.keywords, "weimi1001", None)) == text
    questions = "- questions:\n  - 怎么退货\n  answer: 七天内\n"
    await container.store.write(lambda s: import_questions(s, container.faq, questions, "x"))
    assert await container.store.read(lambda s: export_questions(s, container.faq)) == questions


# ---- assistants ----


async def test_assistant_is_added_changed_and_removed(env: BotEnvironment) -> None:
    world = World.default(["weimi2002"], seed=2)
    other = await sandbox.start(["weimi2002"], port=0, world=world)
    try:
        new = {"account": "weimi2002", "endpoint": other.endpoints["weimi2002"], "token": other.token, "tls": False}
        status, answer, headers = await env.call("POST", "/wxbot/assistant", new)
        assert (status, headers["Location"]) == (201, "/wxbot/assistant/weimi2002")
        assert "token" not in str(answer)
        await until(lambda: env.bot.container.accounts.is_online("weimi2002"), "online")
        _, answer, _ = await env.call("GET", "/wxbot/assistant")
        shown = {one["account"]: one for one in answer["assistants"]}
        assert set(shown) == {"weimi1001", "weimi2002"}
        assert shown["weimi2002"]["state"] == "online"
        assert shown["weimi2002"]["friends"] > 0
        assert {"holder", "groups", "waiting"} < set(shown["weimi1001"])
        body = {"assistant": "weimi2002", "to": "黑旋风", "text": "你好"}
        assert (await env.call("POST", "/wxbot/message", body))[0] == 202
        person = world.accounts.person("weimi2002").id
        await until(lambda: world.chats.history("wxid_heixuanfeng", person, limit=10), "said")
        await env.restart_bot()
        await until(lambda: env.bot.container.accounts.is_online("weimi2002"), "online again")
        assert (await env.call("POST", "/wxbot/assistant", new))[0] == 200
        for _ in range(2):
            status, answer, _ = await env.call("DELETE", "/wxbot/assistant/weimi2002")
        assert (status, answer["error"]["code"]) == (404, 2001)
        assert (await env.call("POST", "/wxbot/message", body))[1]["error"]["code"] == 2001
        assert (await env.call("GET", "/readyz"))[0] == 200
    finally:
        await other.stop()


@pytest.mark.parametrize(
    "change",
    [
        {"account": "weimi1001"},
        {"endpoint": ""},
        {"endpoint": "nowhere"},
        {"token": "file:/etc/hostname"},
        {"callback": {"token": "file:/etc/hostname"}},
        {"authority": "https://127.0.0.1"},
        {"endpoint": "", "authority": "https://127.0.0.1", "token": ""},
        {"endpoint": "", "kind": "wecom", "corp_id": "c"},
        {"tls_ca": "/etc/hostname"},
        {"unknown": 1},
        {"account": ""},
    ],
)
async def test_invalid_assistant_is_rejected(env: BotEnvironment, change: dict[str, Any]) -> None:
    new = {"account": "weimi2002", "endpoint": "127.0.0.1:1", "token": "t", **change}
    status, answer, _ = await env.call("POST", "/wxbot/assistant", new)
    assert (status, answer["error"]["code"]) == (400, 1001)
    assert (await env.call("DELETE", "/wxbot/assistant/weimi1001"))[1]["error"]["code"] == 1001


async def test_login_code_is_sent_and_shown(make_env: MakeEnv) -> None:
    async with receiving() as receiver:
        env = await make_env(webhooks=[receiver.config])
        await env.wait_idle()
        env.world.accounts.logout("weimi1001")
        (event,) = await until(lambda: receiver.of("account.scan"), "told")
        assert event["assistant"] == "weimi1001"
        assert event["qr_code"]
        _, answer, _ = await env.call("GET", "/wxbot/assistant")
        assert answer["assistants"][0]["qr_code"] == event["qr_code"]
        await asyncio.sleep(0)
