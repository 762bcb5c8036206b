"""客户群: staff make groups, wxbot binds them to codes, people join by a QR code, staff confirm what is sent."""

from __future__ import annotations

import base64

import aiohttp
import pytest

from sandbox.wecom.groups import PICTURE
from tests.stories.official_groups import OWNER, GroupShop, group_shop
from tests.stories.official_shop import ACCOUNT
from tests.waiting import until

__all__ = ["group_shop"]


@pytest.fixture
def shop(group_shop: GroupShop) -> GroupShop:
    return group_shop


async def test_pool_group_is_bound_once_and_page_shows_join_code(shop: GroupShop) -> None:
    qun = await shop.qun()
    assert (qun["topic"], qun["state"], qun["members"]) == ("梁山一群", "active", 1)
    assert (await shop.request("POST", "/wxbot/qun", code="c1", owner="宋公明", assistant=ACCOUNT))[0] == 200
    assert len(shop.groups.join_ways) == 1
    picture = base64.b64encode(PICTURE).decode()
    path = "/weiqun/" + qun["url"].rpartition("/")[2]
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{shop.bot.port}{path}") as response:
        assert picture in await response.text()
    status, answer = await shop.request("POST", "/wxbot/qun", code="c2", owner=OWNER, assistant=ACCOUNT)
    assert (status, answer["error"]["code"]) == (502, 2006), "the pool has no other group"
    status, answer = await shop.request("POST", "/wxbot/qun", code="c3", owner="无名氏", assistant=ACCOUNT)
    assert (status, answer["error"]["code"]) == (404, 2003)


async def test_invited_person_is_joined_once_listed(shop: GroupShop) -> None:
    qun = await shop.qun()
    body = {"token": qun["token"], "member": "黑旋风"}
    for _ in range(2):
        status, answer = await shop.request("POST", "/wxbot/qun/membership", **body)
        assert (status, answer["membership_join_response"]) == (202, {"approved": "invited"})
    shop.groups.stale_reads = 1
    shop.groups.scan(shop.way(), "wm_heixuanfeng", "黑旋风")
    await shop.changed(shop.pool[0])
    members = f"/wxbot/qun/{qun['number']}/members"
    await shop.until_shown(
        members, "members", lambda rows: {row["state"] for row in rows} == {"joined"} and len(rows) == 2
    )
    status, answer = await shop.request("POST", "/wxbot/qun/membership", **body)
    assert (status, answer["membership_join_response"]) == (200, {"approved": "ok"})
    shop.groups.leave(shop.pool[0], "wm_heixuanfeng")
    await shop.changed(shop.pool[0])
    await shop.until_members(1)
    assert (await shop.request("POST", "/wxbot/qun/membership", **body))[0] == 202


async def test_token_message_is_answered_with_the_page(shop: GroupShop) -> None:
    qun = await shop.qun()
    await shop.say("黑旋风", qun["token"])
    await until(lambda: shop.seen("黑旋风"), "an answer")
    assert qun["url"] in shop.seen("黑旋风")[0]


@pytest.mark.parametrize("group_shop", [True], indirect=True)
async def test_next_group_opens_automatically_for_the_same_qun(shop: GroupShop) -> None:
    await shop.qun()
    chats = {shop.groups.scan(shop.way(), f"wm_{n}", f"人{n}") for n in range(3)}
    assert len(chats) == 2
    for chat_id in chats:
        await shop.changed(chat_id)
    await shop.until_members(4)


async def test_group_message_is_sent_once_staff_confirm(shop: GroupShop) -> None:
    qun = await shop.qun()
    _, answer = await shop.request("POST", "/wxbot/broadcast", quns=[qun["number"]], text="今晚开会")
    path = f"/wxbot/broadcast/{answer['broadcast']['id']}"
    await until(lambda: shop.groups.tasks, "a task for the owner")
    (task,) = shop.groups.tasks.values()
    assert (task.sender, task.content) == (OWNER, {"text": {"content": "今晚开会"}})
    assert (await shop.request("GET", path))[1]["broadcast"]["state"] != "done"
    shop.groups.confirm(task.msgid)
    shop.bot.container.outbox.retry_now(f"wx:{ACCOUNT}")
    await shop.until_shown(path, "broadcast", lambda shown: shown["state"] == "done")
    assert shop.groups.chats[shop.pool[0]].seen == [{"text": {"content": "今晚开会"}}]
    assert len(shop.groups.tasks) == 1


async def test_message_not_sent_by_the_platform_is_failed(shop: GroupShop) -> None:
    qun = await shop.qun()
    _, answer = await shop.request("POST", "/wxbot/message", assistant=ACCOUNT, qun=qun["code"], text="第五次")
    await until(lambda: shop.groups.tasks, "a task")
    shop.groups.confirm(next(iter(shop.groups.tasks)), status=3)
    shop.bot.container.outbox.retry_now(f"wx:{ACCOUNT}")
    path = f"/wxbot/message/{answer['message']['id']}"
    await shop.until_shown(path, "message", lambda shown: shown["state"] == "failed")


async def test_unsupported_group_calls_return_501(shop: GroupShop) -> None:
    qun = await shop.qun()
    await shop.request("POST", "/wxbot/qun/membership", token=qun["token"], member="黑旋风")
    shop.groups.scan(shop.way(), "wm_heixuanfeng", "黑旋风")
    await shop.changed(shop.pool[0])
    members = f"/wxbot/qun/{qun['number']}/members"
    listed = await shop.until_shown(members, "members", lambda rows: len(rows) == 2)
    joined = next(member for member in listed if member["contact_id"] == "wm_heixuanfeng")
    for method, path, body in (
        ("PATCH", f"/wxbot/qun/{qun['number']}", {"topic": "新群名"}),
        ("PATCH", f"/wxbot/qun/{qun['number']}", {"announcement": "公告"}),
        ("DELETE", f"/wxbot/qun/membership/{joined['id']}", {}),
    ):
        status, answer = await shop.request(method, path, **body)
        assert (status, answer["error"]["code"]) == (501, 2007), (method, body)
    assert (await shop.request("DELETE", f"/wxbot/qun/{qun['number']}"))[0] == 204
    await until(lambda: not shop.groups.join_ways, "nobody joins any more")


async def test_groups_codes_and_tasks_survive_restart(shop: GroupShop) -> None:
    qun = await shop.qun()
    await shop.request("POST", "/wxbot/message", assistant=ACCOUNT, qun=qun["code"], text="明天见")
    await until(lambda: shop.groups.tasks, "a task")
    await shop.bot.stop()
    shop.groups.scan(shop.way(), "wm_9", "九纹龙")
    await shop.start_bot()
    await shop.online()
    await shop.until_members(2)
    shop.groups.confirm(next(iter(shop.groups.tasks)))
    shop.bot.container.outbox.retry_now(f"wx:{ACCOUNT}")
    await until(lambda: shop.groups.chats[shop.pool[0]].seen, "the message")
    assert (len(shop.groups.tasks), len(shop.groups.join_ways)) == (1, 1)


@pytest.mark.parametrize(
    "command",
    [
        "/踢 {number} 黑旋风",
        "/群名 {number} 新群名",
        "/公告 {number} 今晚开会",
        "/警告 {number} 黑旋风",
        "/拉黑 {number} 黑旋风",
    ],
)
async def test_unsupported_command_is_reported(shop: GroupShop, command: str) -> None:
    qun = await shop.qun()
    shop.groups.scan(shop.way(), "wm_heixuanfeng", "黑旋风")
    await shop.changed(shop.pool[0])
    await shop.until_members(2)
    customer = shop.service.customer("店长")
    shop.bot.container.accounts.bind_admin(customer.id)
    name, _, rest = command.format(number=qun["number"]).partition(" ")
    await shop.say("店长", f"{name} {rest}")
    await until(lambda: shop.seen("店长"), "an answer")
    assert "不支持" in shop.seen("店长")[0], shop.seen("店长")
    assert not shop.groups.tasks
