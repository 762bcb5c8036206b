"""客户群: messages as tasks, numbers, and what the channel cannot do, on every way in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlmodel import select

from models.groups import DailyCount
from tests.stories.official_groups import GroupShop, group_shop
from tests.stories.official_shop import ACCOUNT
from tests.waiting import SECONDS, until

__all__ = ["group_shop"]
WHO, NAME = "wm_heixuanfeng", "黑旋风"
DAY = 86400


@pytest.fixture
def shop(group_shop: GroupShop) -> GroupShop:
    return group_shop


async def message(shop: GroupShop, code: str, text: str) -> str:
    """Send a message to the group by REST; return its path."""
    status, answer = await shop.request("POST", "/wxbot/message", assistant=ACCOUNT, qun=code, text=text)
    assert status == 202
    return f"/wxbot/message/{answer['message']['id']}"


async def until_state(shop: GroupShop, path: str, state: str) -> None:
    """Try what waits until the message has this state."""
    async with asyncio.timeout(SECONDS):
        while (await shop.request("GET", path))[1]["message"]["state"] != state:
            shop.due()
            await asyncio.sleep(0.05)


async def join(shop: GroupShop) -> None:
    shop.groups.scan(shop.way(), WHO, NAME)
    await shop.changed(shop.pool[0])
    await shop.until_members(2)


async def until_counted(shop: GroupShop, joins: int, leaves: int) -> None:
    """Wait until the days count these joins and leaves."""

    found = (0, 0)

    async def counted() -> bool:
        nonlocal found
        days = await shop.bot.container.store.read(lambda s: s.exec(select(DailyCount)).all())
        found = sum(day.joins for day in days), sum(day.leaves for day in days)
        return found == (joins, leaves)

    await until(counted, lambda: f"joins and leaves are {found}")


async def test_a_task_that_nobody_confirms_has_failed_after_three_days(shop: GroupShop) -> None:
    qun = await shop.qun()
    path = await message(shop, qun["code"], "今晚开会")
    await until(lambda: shop.groups.tasks, "a task")
    shop.ahead = 3 * DAY - 60
    shop.due()
    assert (await shop.request("GET", path))[1]["message"]["state"] in ("queued", "sending")
    shop.ahead = 3 * DAY + 60
    (item,) = await shop.failed()
    assert "three days" in item.error
    assert (await shop.request("GET", path))[1]["message"]["state"] == "failed"
    assert not shop.groups.chats[shop.pool[0]].seen
    assert len(shop.groups.tasks) == 1


async def test_a_task_whose_response_is_lost_is_made_once(shop: GroupShop) -> None:
    qun = await shop.qun()
    shop.server.corp.lost = {"externalcontact/add_msg_template"}
    path = await message(shop, qun["code"], "今晚开会")
    await until(lambda: "externalcontact/get_groupmsg_list_v2" in shop.server.corp.calls, "looked for")
    shop.groups.confirm(next(iter(shop.groups.tasks)))
    await until_state(shop, path, "sent")
    assert len(shop.groups.tasks) == 1
    await until_state(shop, await message(shop, qun["code"], "今晚开会"), "queued")
    await until(lambda: len(shop.groups.tasks) == 2, "the same words again are another task")


async def test_joins_and_leaves_are_counted_with_a_list_that_lags(shop: GroupShop) -> None:
    """A repeated callback has no effect; changes without a callback are found by reading all groups."""
    await shop.qun()
    shop.groups.stale_reads = 1
    await join(shop)
    await shop.changed(shop.pool[0])
    shop.groups.stale_reads = 1
    shop.groups.leave(shop.pool[0], WHO)
    await shop.changed(shop.pool[0])
    await until_counted(shop, 1, 1)
    shop.groups.scan(shop.way(), "wm_9", "九纹龙")  # no callback
    await shop.bot.stop()
    await shop.start_bot()
    await shop.until_members(2)
    await until_counted(shop, 2, 1)


async def test_a_leave_without_a_callback_is_counted_after_a_second_reading(shop: GroupShop) -> None:
    """As after a stop between a leave and its record. A member who is back on the second reading has not left."""
    await shop.qun()
    await join(shop)
    await until_counted(shop, 1, 0)
    await shop.bot.stop()
    shop.groups.leave(shop.pool[0], WHO)
    await shop.start_bot()
    await until_counted(shop, 1, 1)
    shop.groups.scan(shop.way(), WHO, NAME)
    await shop.changed(shop.pool[0])
    await until_counted(shop, 2, 1)
    await shop.bot.stop()
    shop.groups.stale_reads = 1  # one reading shows the group without them
    before = shop.server.corp.calls.count("externalcontact/groupchat/get")
    await shop.start_bot()
    await until(lambda: shop.server.corp.calls.count("externalcontact/groupchat/get") > before + 1, "a second reading")
    await until_counted(shop, 2, 1)


def first_report(
    shop: GroupShop, monkeypatch: pytest.MonkeyPatch, effect: Callable[[], Awaitable[None]]
) -> asyncio.Event:
    """Run `effect` at the beginning of the next report of changes; return an event that is set then."""
    reconcile, began = shop.bot.container.reconcile, asyncio.Event()
    compare = reconcile.account

    async def account(name: str) -> list[str]:
        if not began.is_set():
            began.set()
            await effect()
        return list(await compare(name))

    monkeypatch.setattr(reconcile, "account", account)
    return began


async def test_changes_that_could_not_be_stored_are_reported_again(
    shop: GroupShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise OSError("disk full")

    await shop.qun()
    failed = first_report(shop, monkeypatch, fail)
    shop.groups.scan(shop.way(), WHO, NAME)
    await shop.changed(shop.pool[0])
    await failed.wait()
    await shop.changed(shop.pool[0])
    await until_counted(shop, 1, 0)


async def test_a_callback_during_the_report_of_a_join_does_not_lose_it(
    shop: GroupShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()  # until the second callback cancels it

    await shop.qun()
    reporting = first_report(shop, monkeypatch, hang)
    shop.groups.scan(shop.way(), WHO, NAME)
    await shop.changed(shop.pool[0])
    await reporting.wait()
    await shop.changed(shop.pool[0])
    await until_counted(shop, 1, 0)
    await shop.changed(shop.pool[0])  # repeated
    await asyncio.sleep(0.5)
    await until_counted(shop, 1, 0)


async def test_a_group_that_cannot_be_read_keeps_its_members(shop: GroupShop) -> None:
    await shop.qun()
    await join(shop)
    shop.server.corp.errors["externalcontact/groupchat/get"] = -1
    await shop.changed(shop.pool[0])
    before = shop.server.corp.calls.count("externalcontact/groupchat/get")
    await until(lambda: shop.server.corp.calls.count("externalcontact/groupchat/get") > before, "it is read again")
    shop.server.corp.errors.clear()
    shown = (await shop.request("GET", "/wxbot/qun?code=c1"))[1]["qun"]
    assert (shown["state"], shown["members"]) == ("active", 2)


async def test_unsupported_group_actions_are_refused_by_chat_rest_and_console(shop: GroupShop) -> None:
    """By REST and in the console with 501 / 2007; by chat with a sentence. Nothing is done in part."""
    qun = await shop.qun()
    await join(shop)
    number, before = qun["number"], len(shop.server.corp.calls)
    person = await shop.at_the_console()
    try:
        for action, body in (
            ("remove", {"contact_id": WHO}),
            ("blacklist", {"contact_id": WHO}),
            ("warn", {"contact_id": WHO, "reason": "广告"}),
            ("block", {"word": "兼职"}),
        ):
            for _ in range(2):
                status, answer = await person.call("POST", f"/qun/{number}/{action}", json=body)
                assert (status, answer["error"]["code"]) == (501, 2007), action
        for change in ({"topic": "新群名"}, {"announcement": "公告"}, {"welcome": "欢迎"}):
            status, answer = await person.call("PATCH", f"/qun/{number}", json=change)
            assert (status, answer["error"]["code"]) == (501, 2007), change
            status, answer = await shop.request("PATCH", f"/wxbot/qun/{number}", **change)
            assert (status, answer["error"]["code"]) == (501, 2007), change
        shown = (await person.call("GET", f"/qun/{number}"))[1]["qun"]
    finally:
        await person.http.close()
    assert (shown["blacklist"], shown["topic"]) == ([], qun["topic"])
    for command in (
        f"/欢迎 {number} 你好",
        f"/屏蔽词 {number} 加 兼职",
        f"/关键词 {number} 加 你好=您好",
        "/屏蔽词 加 兼职",
    ):
        told = len(shop.seen("店长"))
        await shop.say("店长", command)
        await until(lambda told=told: len(shop.seen("店长")) > told, "an answer")
        assert "不支持" in shop.seen("店长")[-1], command
    await shop.say("店长", "/关键词 加 暗号=天王盖地虎")  # of private chats
    await until(lambda: "暗号" in shop.seen("店长")[-1], "an answer")
    assert "不支持" not in shop.seen("店长")[-1]
    assert not shop.groups.tasks
    assert before < len(shop.server.corp.calls)
