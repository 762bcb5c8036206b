"""Admin actions in the console: words, members, broadcasts, canned replies, timed messages, knowledge."""

from __future__ import annotations

import base64
from typing import Any

from sqlmodel import select

from models.durable import Action
from sandbox.world.model import Kind
from tests.console.conftest import ACCOUNT, Person
from tests.stories.conftest import BotEnvironment
from tests.waiting import until

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 32).decode()


async def _logged(env: BotEnvironment, kind: str) -> list[Action]:
    wanted = select(Action).where(Action.kind == kind)
    return list(await env.bot.container.store.read(lambda s: s.exec(wanted).all()))


# ---- words ----


async def test_word_is_blocked_and_unblocked_in_every_group(env: BotEnvironment, admin: Person) -> None:
    await env.make_group()
    status, body = await admin.call("POST", "/blocked-word", json={"word": "加微信"})
    assert (status, body["words"]) == (200, ["加微信"])
    assert (await admin.call("POST", "/blocked-word", json={"word": "加 微信"}))[0] == 200  # known, however written
    assert (await admin.call("GET", "/blocked-word"))[1]["words"] == ["加微信"]
    assert (await admin.call("POST", "/blocked-word", json={"word": "a"}))[0] == 400  # would block nearly everything
    assert (await admin.call("POST", "/blocked-word", json={"word": "长" * 51}))[0] == 400
    qun = next(iter(env.bot.container.groups))
    assert env.bot.container.blocked_words.filter(qun).first_match("快来加微信吧")
    status, body = await admin.call("POST", "/blocked-word/remove", json={"word": "加微信"})
    assert (status, body["words"]) == (200, [])
    assert not env.bot.container.blocked_words.filter(qun).first_match("快来加微信吧")
    assert [line.target for line in await _logged(env, "blocked_word")] == ["加微信"]
    assert [line.target for line in await _logged(env, "blocked_word_removed")] == ["加微信"]


async def test_group_cannot_allow_a_globally_blocked_word(env: BotEnvironment, admin: Person) -> None:
    qun = await env.make_group()
    await admin.call("POST", "/blocked-word", json={"word": "刷单"})
    assert (await admin.call("POST", f"/qun/{qun['number']}/unblock", json={"word": "刷单"}))[0] == 400
    assert (await admin.call("POST", f"/qun/{qun['number']}/block", json={"word": "刷单"}))[0] == 400


async def test_canned_replies_are_managed_and_used(env: BotEnvironment, admin: Person, agent: Person) -> None:
    names = [(reply["name"], reply["added"]) for reply in (await agent.call("GET", "/canned"))[1]["canned"]]
    assert names == [("发票", False)]  # of the config
    await admin.call("POST", "/canned", json={"name": "地址", "text": "人民路 1 号。"})
    status, body = await admin.call("POST", "/canned", json={"name": "发票", "text": "请发税号。"})
    assert status == 200
    assert {reply["name"]: (reply["text"], reply["added"]) for reply in body["canned"]} == {
        "地址": ("人民路 1 号。", True), "发票": ("请发税号。", True),
    }  # fmt: skip
    assert (await admin.call("POST", "/canned", json={"name": "两 词", "text": "x"}))[0] == 400
    await env.restart_bot()
    admin = Person(admin.http, env.url, admin.csrf)
    assert len((await admin.call("GET", "/canned"))[1]["canned"]) == 2
    env.say("黑旋风", "人工")
    await env.receives("黑旋风", env.bot.config.texts.handoff[:4])
    number = next(iter(env.bot.container.tickets)).id
    room = env.bot.container.staff_rooms.of(ACCOUNT)
    assert room is not None
    env.say("宋公明", f"#{number} /地址", room.id)
    await env.receives("黑旋风", "人民路 1 号。")
    await admin.call("POST", "/canned/remove", json={"name": "发票"})
    assert dict(env.bot.container.canned_replies.all)["发票"] == "请发抬头和税号。"  # the config's is there again
    assert (await admin.call("POST", "/canned/remove", json={"name": "发票"}))[0] == 404
    assert [line.detail["before"] for line in await _logged(env, "canned")] == ["", "请发抬头和税号。"]


# ---- members ----


async def test_friend_is_added_to_group(env: BotEnvironment, admin: Person) -> None:
    qun = await env.make_group()
    path = f"/qun/{qun['number']}/add"
    friends = (await admin.call("GET", "/friend", params={"assistant": ACCOUNT, "q": "黑旋"}))[1]["friends"]
    assert [friend["contact_id"] for friend in friends] == [env.id("黑旋风")]
    status, body = await admin.call("POST", path, json={"contact_id": friends[0]["contact_id"]})
    assert (status, body) == (200, {"approved": "ok"})
    assert env.id("黑旋风") in env.room(qun["room"]).members
    assert (await admin.call("POST", path, json={"contact_id": env.id("黑旋风")}))[1] == {"approved": "ok"}
    status, body = await admin.call("POST", path, json={"contact_id": env.id("九纹龙")})
    assert (status, body) == (200, {"approved": "pending"})  # no friend yet
    await admin.call("POST", f"/qun/{qun['number']}/close", json={})
    assert (await admin.call("POST", path, json={"contact_id": env.id("黑旋风")}))[0] == 502


async def test_members_are_warned_and_removed_except_the_owner(env: BotEnvironment, admin: Person) -> None:
    qun = await env.make_group()
    await env.join(qun["token"], "黑旋风")
    path, guest = f"/qun/{qun['number']}", {"contact_id": env.id("黑旋风")}
    assert (await admin.call("POST", f"{path}/warn", json={**guest, "reason": "广告"}))[0] == 200
    await env.receives("宋公明", "广告", qun["room"])
    members = (await admin.call("GET", f"{path}/members"))[1]["members"]
    by_id = {member["contact_id"]: member for member in members}
    assert by_id[env.id("黑旋风")]["warnings"] == 1 and by_id[env.id("宋公明")]["exempt"] is True
    for action in ("warn", "remove", "blacklist"):
        status, body = await admin.call("POST", f"{path}/{action}", json={"contact_id": env.id("宋公明")})
        assert (status, body["error"]) == (400, {"code": 1001, "message": "缺少必须的参数或参数值无效！"}), action
    assert (await admin.call("POST", f"{path}/blacklist", json=guest))[0] == 200
    assert env.id("黑旋风") not in env.room(qun["room"]).members
    assert (await admin.call("POST", f"{path}/add", json=guest))[0] == 403
    assert (await admin.call("POST", f"{path}/forgive", json=guest))[1]["qun"]["blacklist"] == []
    assert (await admin.call("POST", f"{path}/warn", json=guest))[0] == 400  # is no member any more


# ---- broadcasts ----


async def _done(person: Person, broadcast_id: int) -> Any:
    async def done() -> Any:
        found = (await person.call("GET", f"/broadcast/{broadcast_id}"))[1]["broadcast"]
        return found if found["state"] == "done" else None

    return await until(done, "the broadcast is over")


async def test_broadcast_to_friends_shows_each_result(env: BotEnvironment, admin: Person) -> None:
    await env.make_group()
    friends = [{"assistant": ACCOUNT, "contact_id": env.id(name)} for name in ("黑旋风", "宋公明")]
    body: dict[str, Any] = {"key": "k", "text": "今晚八点", "friends": friends}
    status, answer = await admin.call("POST", "/broadcast", json=body)
    assert status == 202
    assert (await admin.call("POST", "/broadcast", json=body))[1] == answer
    found = await _done(admin, answer["broadcast"]["id"])
    assert {(friend["name"], friend["state"]) for friend in found["friends"]} == {
        ("黑旋风", "sent"),
        ("宋公明", "sent"),
    }
    assert found["groups"] == []
    assert len([m for m in env.seen("黑旋风") if m.text == "今晚八点"]) == 1
    assert await _logged(env, "broadcast")


async def test_broadcast_sends_a_picture(env: BotEnvironment, admin: Person) -> None:
    qun = await env.make_group()
    picture = {"name": "海报.png", "base64": PNG}
    friends = [{"assistant": ACCOUNT, "contact_id": env.id("黑旋风")}]
    body: dict[str, Any] = {"key": "p", "image": picture, "quns": [qun["number"]], "friends": friends}
    _, answer = await admin.call("POST", "/broadcast", json=body)
    found = await _done(admin, answer["broadcast"]["id"])
    assert [item["state"] for item in (*found["groups"], *found["friends"])] == ["sent", "sent"]
    assert any(m.kind is Kind.IMAGE for m in env.seen("黑旋风"))
    assert any(m.kind is Kind.IMAGE for m in env.seen("宋公明", qun["room"]))
    assert (await admin.call("GET", "/broadcast"))[1]["broadcasts"][0]["name"] == "海报.png"


async def test_invalid_broadcast_is_rejected(env: BotEnvironment, admin: Person) -> None:
    stranger = [{"assistant": ACCOUNT, "contact_id": env.id("九纹龙")}]
    for status, more in (
        (400, {}), (404, {"friends": stranger}), (400, {"all": True}), (404, {"quns": [123456]}),
        (400, {"friends": [{"assistant": ACCOUNT}]}), (400, {"all": True, "at": 1}),
    ):  # fmt: skip
        assert (await admin.call("POST", "/broadcast", json={"key": "n", "text": "x", **more}))[0] == status, more


# ---- timed messages, knowledge ----


async def test_scheduled_broadcast_is_cancelled(env: BotEnvironment, admin: Person) -> None:
    qun = await env.make_group()
    at = env.bot.container.clock() + 3600
    order = {"key": "k", "text": "明天放假", "quns": [qun["number"]], "at": at}
    broadcast_id = (await admin.call("POST", "/broadcast", json=order))[1]["broadcast"]["id"]
    (listed,) = (await admin.call("GET", "/broadcast"))[1]["broadcasts"]
    assert (listed["scheduled"], listed["cancelled"]) == (True, False)
    path = f"/broadcast/{broadcast_id}"
    for count in (1, 0):
        assert await admin.call("POST", f"{path}/cancel", json={}) == (200, {"cancelled": count})
    (listed,) = (await admin.call("GET", "/broadcast"))[1]["broadcasts"]
    assert (listed["scheduled"], listed["cancelled"]) == (False, True)
    shown = (await admin.call("GET", path))[1]["broadcast"]
    assert (shown["state"], [group["state"] for group in shown["groups"]]) == ("cancelled", ["cancelled"])
    assert (await admin.call("POST", "/broadcast/987654/cancel", json={}))[0] == 404


async def test_timed_messages_are_limited_and_logged(env: BotEnvironment, admin: Person) -> None:
    qun = await env.make_group()
    body = {"number": qun["number"], "cron": "0 9 * * 1-5", "text": "早上好"}
    ids = [(await admin.call("POST", "/timed", json=body))[1]["timed"]["id"] for _ in range(20)]
    assert (await admin.call("POST", "/timed", json=body))[0] == 400
    assert (await admin.call("POST", "/timed", json={**body, "cron": "99 9 * * *"}))[0] == 400
    first = (await admin.call("GET", "/timed", params={"limit": "15"}))[1]
    rest = (await admin.call("GET", "/timed", params={"after": first["next"]}))[1]
    assert [item["id"] for item in (*first["timed"], *rest["timed"])] == ids[::-1]
    assert (await admin.call("DELETE", f"/timed/{ids[0]}"))[0] == 204
    assert (await admin.call("DELETE", f"/timed/{ids[0]}"))[0] == 404
    assert (await _logged(env, "timed_removed"))[0].detail["before"] == "0 9 * * 1-5 早上好"


async def test_changes_are_logged_with_before_and_after(env: BotEnvironment, admin: Person) -> None:
    qun = await env.make_group()
    path = f"/qun/{qun['number']}"
    await admin.call("PATCH", path, json={"topic": "梁山一群"})
    await admin.call("PATCH", path, json={"welcome": "欢迎！"})
    _, answer = await admin.call("POST", "/question", json={"questions": ["几点开门"], "answer": "九点。"})
    old = answer["question"]["id"]
    await admin.call("POST", "/question", json={"id": old, "questions": ["几点开门"], "answer": "十点。"})
    _, answer = await admin.call("POST", "/keyword", json={"kind": "contains", "word": "发货", "reply": "明天。"})
    await admin.call("POST", "/keyword", json={
        "id": answer["keyword"]["id"], "kind": "equals", "word": "发货", "reply": "今天。",
    })  # fmt: skip
    assert (await admin.call("POST", "/question", json={"id": 999, "questions": ["a"], "answer": "b"}))[0] == 404
    lines = {
        kind: (await _logged(env, kind))[-1].detail for kind in ("topic", "welcome", "question", "keyword")
    }  # fmt: skip
    assert (lines["topic"]["before"], lines["topic"]["after"]) == (qun["topic"], "梁山一群")
    assert (lines["welcome"]["before"], lines["welcome"]["after"]) == ("", "欢迎！")
    assert (lines["question"]["before"], lines["question"]["after"]) == ("几点开门 = 九点。", "几点开门 = 十点。")
    assert (lines["keyword"]["before"], lines["keyword"]["after"]) == (
        "contains: 发货 = 明天。",
        "equals: 发货 = 今天。",
    )
    shown = (await admin.call("GET", "/audit", params={"q": "店长"}))[1]["actions"]
    assert {entry["who_name"] for entry in shown} == {"店长"} and len(shown) >= 6


async def test_last_admin_cannot_be_removed(env: BotEnvironment, admin: Person) -> None:
    assert (await admin.call("POST", "/admin", json={"contact": "黑旋风"}))[0] == 404  # never by nickname
    status, _ = await admin.call("POST", "/admin", json={"contact": env.id("黑旋风")})
    assert status == 201
    row = next(entry for entry in (await admin.call("GET", "/settings"))[1]["admins"] if entry["id"])
    env.bot.container.accounts.configure_admins([])
    other = Person(admin.http, admin.url, admin.csrf)
    env.bot.container.accounts.bind_admin(env.id("店长"))
    assert (await other.call("DELETE", f"/admin/{row['id']}"))[0] == 400
    env.bot.container.accounts.configure_admins([env.id("店长")])
    assert (await admin.call("DELETE", f"/admin/{row['id']}"))[0] == 204


async def test_chat_commands_and_console_write_the_same_log(env: BotEnvironment, admin: Person) -> None:
    await admin.call("POST", "/question", json={"questions": ["几点关门"], "answer": "晚上十点。"})
    env.say("店长", "/问答 加 有车位吗=有。")
    await env.receives("店长", "已添加")
    who = {line.who: line.detail["after"] for line in await _logged(env, "question")}
    assert who == {
        f"console:{env.id('店长')}": "几点关门 = 晚上十点。", f"person:{env.id('店长')}": "有车位吗 = 有。",
    }  # fmt: skip


async def test_resend_reports_whether_anything_is_queued(env: BotEnvironment, admin: Person) -> None:
    _, answer, _ = await env.call(
        "POST", "/wxbot/message", {"assistant": ACCOUNT, "to": "黑旋风", "text": "已发"}
    )  # fmt: skip
    await env.receives("黑旋风", "已发")
    message_id = answer["message"]["id"]
    status, body = await admin.call("POST", f"/message/{message_id}/resend", json={})
    assert (status, body) == (202, {"sent_again": False, "state": "sent"})
    await env.wait_idle()
    assert len([m for m in env.seen("黑旋风") if m.text == "已发"]) == 1
    assert (await admin.call("POST", "/message/999999/resend", json={}))[0] == 404
