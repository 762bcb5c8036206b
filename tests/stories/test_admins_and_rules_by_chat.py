"""Admins, questions and rules that are changed in WeChat, and assistants by REST."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlmodel import Session

import sandbox
from models.durable import Setting
from sandbox.world.world import World
from services.support.rule_files import export_keywords, export_questions, import_keywords, import_questions
from tests.stories.business import receiving, reload
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.waiting import SECONDS, until

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
    assert await env.bot.container.admins.code_to_show(0.0) == env.bot.container.admins.code != ""
    await reload(env, admins=["wxid_heixuanfeng"])
    await env.restart_bot()
    assert await env.bot.container.admins.code_to_show(SECONDS) == ""  # an admin among the friends was seen


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
    assert [entry["kind"] for entry in audit] == ["question_removed", "question", "question"]


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
    await container.store.write(lambda s: import_questions(s, container.faq_entries, questions, "x"))
    assert await container.store.read(lambda s: export_questions(s, container.faq_entries)) == questions


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
        shown = {assistant["account"]: assistant for assistant in answer["assistants"]}
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
