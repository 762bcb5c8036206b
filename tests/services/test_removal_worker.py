"""Queued removals: carried out, retried, or reported to the group's owner."""

from __future__ import annotations

from typing import Any

import pytest

from config.texts import fill
from errors import (
    WeChatError,
    WeChatNotDone,
    WeChatOffline,
    WeChatRefused,
    WeChatTooFast,
    WeChatUnknown,
)
from models.groups import MemberRecord, Qun
from services.work.job import GiveUp, Job, Retry
from tests.services.moderated_groups import record
from tests.services.parts import ACCOUNT, SONG, XUAN, ZHI, OpenParts, Parts
from wechat.interface import State


async def test_blacklisted_people_are_queued_for_removal(parts: Parts) -> None:
    qun = await parts.group()
    queue = parts.container.sanctions._removals
    await parts.write(lambda s: queue.add(s, qun, XUAN, "刷屏", "person:x"))
    await parts.write(lambda s: queue.add_returned(s, qun, ZHI))
    jobs = await parts.queued("remove")
    assert [(job.queue, job.key) for job in jobs] == [(f"remove:{ACCOUNT}", XUAN), (f"remove:{ACCOUNT}", ZHI)]
    assert jobs[0].body == {"number": qun.number, "contact": XUAN, "reason": "刷屏", "who": "person:x"}
    assert (jobs[1].body["reason"], jobs[1].body["who"]) == ("在本群黑名单中", "guard")


def removal(qun: Qun, attempts: int = 1, number: int = 0) -> Job:
    body = {"number": number or qun.number, "contact": XUAN, "reason": "理由", "who": "guard"}
    return Job(1, f"remove:{ACCOUNT}", XUAN, body, attempts=attempts)


async def banned(open_parts: OpenParts) -> tuple[Parts, Qun]:
    """A blacklisted person who is still in the group."""
    parts = await open_parts()
    qun = await parts.group()
    parts.members(qun).add(XUAN)
    await parts.write(lambda s: parts.container.sanctions.ban(s, qun, XUAN, "黑旋风", "理由", "guard"))
    return parts, qun


async def deliver(parts: Parts, job: Job) -> Any:
    return await parts.container._removal_worker._deliver(job)


async def test_blacklisted_person_is_removed(open_parts: OpenParts) -> None:
    parts, qun = await banned(open_parts)
    await parts.write(lambda s: s.get_one(MemberRecord, (qun.number, XUAN)).sqlmodel_update({"removal_told": True}))
    assert await deliver(parts, removal(qun)) == ""
    assert XUAN not in parts.members(qun)
    text = fill(parts.container.config.texts.removed, member="黑旋风", reason="理由")
    assert await parts.queued_texts(parts.room_id(qun)) == [text]
    kept = await record(parts, qun)
    assert (kept.removal_told, kept.name, kept.blacklisted) == (False, "黑旋风", True)
    assert await deliver(parts, removal(qun)) == "", "they are gone"
    assert parts.wechat.calls.count("remove_member") == 1
    assert len(await parts.queued_texts(parts.room_id(qun))) == 1


async def test_person_off_the_blacklist_is_not_removed(open_parts: OpenParts) -> None:
    parts, qun = await banned(open_parts)
    assert await deliver(parts, removal(qun, number=7)) == ""
    await parts.write(lambda s: parts.container.sanctions.unblacklist(s, qun, XUAN, "x"))
    assert await deliver(parts, removal(qun)) == ""
    assert XUAN in parts.members(qun)


@pytest.mark.parametrize(
    ("error", "attempts", "wait"),
    [
        (WeChatOffline("RoomDel"), 9, 1.0),
        (WeChatTooFast("RoomDel"), 3, 60.0),
        (WeChatTooFast("RoomDel"), 4, None),
        (WeChatUnknown("RoomDel"), 3, 2.0),
        (WeChatNotDone("RoomDel"), 3, 2.0),
        (WeChatUnknown("RoomDel"), 4, None),
        (WeChatRefused("RoomDel"), 1, None),
    ],
)
async def test_failed_removal_is_retried_or_the_owner_told(
    open_parts: OpenParts, error: WeChatError, attempts: int, wait: float | None
) -> None:
    parts, qun = await banned(open_parts)
    parts.wechat.fails["remove_member"] = error
    result = await deliver(parts, removal(qun, attempts))
    if wait is not None:
        assert isinstance(result, Retry)
        assert (result.again_in, result.why) == (wait, "RoomDel")
        assert result.counts is not isinstance(error, WeChatOffline)
        assert await parts.queued_texts(SONG) == []
        return
    assert isinstance(result, GiveUp) and result.why == "RoomDel"
    texts = parts.container.config.texts
    told = fill(texts.removal_failed, member="黑旋风", topic=qun.topic, reason="理由")
    assert await parts.queued_texts(SONG) == [told]
    await deliver(parts, removal(qun, attempts))
    assert await parts.queued_texts(SONG) == [told], "once per person"
    assert (await record(parts, qun)).removal_told


async def test_removal_waits_for_the_account(open_parts: OpenParts) -> None:
    parts, qun = await banned(open_parts)
    parts.wechat.state = State.CONNECTING
    result = await deliver(parts, removal(qun, 9))
    assert isinstance(result, Retry) and (result.again_in, result.counts) == (1.0, False)


async def test_person_whom_wechat_no_longer_knows_is_named_from_the_record(open_parts: OpenParts) -> None:
    parts, qun = await banned(open_parts)
    parts.wechat.directory.drop_contact(XUAN)
    parts.wechat.fails["remove_member"] = WeChatRefused("RoomDel")
    await deliver(parts, removal(qun))
    (told,) = await parts.queued_texts(SONG)
    assert "黑旋风" in told
    assert (await record(parts, qun)).name == "黑旋风"
