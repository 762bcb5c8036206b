"""The one-time code of the first admin, and admins added by others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlmodel import Session, select

from errors import NotFound
from models.accounts import Admin
from models.db import Store
from models.durable import Action, Setting
from services.accounts.admins import ADMIN_SEEN, ALPHABET, CODE, KEY, Admins, LastAdmin
from services.accounts.audit import Audit
from services.accounts.registry import Accounts
from tests.doubles import InMemoryWeChat
from tests.services.clock import Clock

CODE_SECONDS = 1800.0
MAX_WRONG_ATTEMPTS = 10

T = TypeVar("T")


class Process:
    """The admins of a process with one account."""

    def __init__(self, store: Store, clock: Clock, *configured: str, shared: bool = False) -> None:
        self.store = store
        self.wechat = InMemoryWeChat("a")
        self.accounts = Accounts({}, configured, [])
        self.accounts.add(self.wechat.whole())
        self.admins = Admins(store, self.accounts, Audit(store, clock), clock, shared=shared)

    async def write(self, fn: Callable[[Session], T]) -> T:
        return await self.store.write(fn)

    async def rows(self) -> list[tuple[str, str, str]]:
        rows = await self.store.read(lambda s: s.exec(select(Admin)).all())
        return [(row.contact_id, row.name, row.by) for row in rows]

    async def setting(self, key: str) -> str | None:
        row = await self.store.read(lambda s: s.get(Setting, key))
        return row.value if row else None

    async def noted(self) -> list[tuple[str, str, str, str]]:
        rows = await self.store.read(lambda s: s.exec(select(Action)).all())
        return [(row.kind, row.who, row.target, row.outcome) for row in rows]


async def started(store: Store, clock: Clock, *configured: str, shared: bool = False) -> Process:
    process = Process(store, clock, *configured, shared=shared)
    await process.admins.load()
    return process


async def test_code_is_created_while_no_admin_was_seen(sqlite_store: Store, clock: Clock) -> None:
    first, second = await started(sqlite_store, clock), await started(sqlite_store, clock)
    assert len(first.admins.code) == 8 and set(first.admins.code) <= set(ALPHABET)
    assert first.admins.code != second.admins.code
    configured = await started(sqlite_store, clock, "wxid_config")
    assert configured.admins.code, "whether the id of the config is right is not known yet"
    await sqlite_store.write(lambda s: s.merge(Setting(key=ADMIN_SEEN, value="wxid_config")))
    assert (await started(sqlite_store, clock, "wxid_config")).admins.code == ""
    assert (await started(sqlite_store, clock)).admins.code, "there is no admin any more"


async def test_code_makes_its_first_sender_an_admin(sqlite_store: Store, clock: Clock) -> None:
    process = await started(sqlite_store, clock)
    code = process.admins.code
    assert not process.admins.is_valid_code("wrong", "x")
    assert process.admins.is_valid_code(code.lower(), "x")
    assert not process.admins.is_valid_code(code, "y"), "another person while that is written"
    assert process.admins.is_valid_code(code, "x")
    await process.write(lambda s: process.admins.bind(s, "x"))
    assert process.accounts.is_admin("a", "x")
    assert (process.admins.code, process.admins.is_valid_code(code, "x")) == ("", False)
    assert await process.rows() == [("x", "", "code")]
    assert await process.setting(ADMIN_SEEN) == "x"
    assert await process.noted() == [("admin", "person:x", "x", "done")]
    again = await started(sqlite_store, clock)
    assert again.accounts.is_admin("a", "x") and again.admins.code == ""


async def test_binding_an_admin_again_changes_nothing(sqlite_store: Store, clock: Clock) -> None:
    process = await started(sqlite_store, clock, "wxid_config")
    for who in ("wxid_config", "x", "x"):
        await process.write(lambda s, w=who: process.admins.bind(s, w))  # type: ignore[misc]
    assert await process.rows() == [("x", "", "code")]
    assert await process.noted() == [("admin", "person:x", "x", "done")]


@pytest.mark.parametrize(("later", "valid"), [(CODE_SECONDS, True), (CODE_SECONDS + 1, False)])
async def test_admin_code_expires(sqlite_store: Store, clock: Clock, later: float, valid: bool) -> None:
    process = await started(sqlite_store, clock)
    code = process.admins.code
    clock.now += later
    assert process.admins.is_valid_code(code, "x") == valid
    assert process.admins.code == (code if valid else "")


async def test_code_ends_after_ten_wrong_attempts(sqlite_store: Store, clock: Clock) -> None:
    process = await started(sqlite_store, clock)
    code = process.admins.code
    for _ in range(MAX_WRONG_ATTEMPTS - 1):
        assert not process.admins.is_valid_code("WRONG234", "x")
    assert process.admins.is_valid_code(code, "x")
    process.admins.is_valid_code("错误的验证码", "y")
    assert process.admins.code == ""
    assert not process.admins.is_valid_code(code, "x")


async def test_code_is_shared_by_processes(sqlite_store: Store, clock: Clock) -> None:
    first = await started(sqlite_store, clock, shared=True)
    clock.now += CODE_SECONDS / 2 - 1
    second = await started(sqlite_store, clock, shared=True)
    assert second.admins.code == first.admins.code
    clock.now += 1
    third = await started(sqlite_store, clock, shared=True)
    assert third.admins.code != first.admins.code, "too little time is left"
    assert json.loads(await third.setting(CODE) or "") == [third.admins.code, clock.now + CODE_SECONDS]
    clock.now += CODE_SECONDS / 2 + 1
    assert not second.admins.is_valid_code(second.admins.code, "x"), "it ends with that of the first"
    await third.write(lambda s: third.admins.bind(s, "x"))
    assert await third.setting(CODE) is None
    await first.admins.reload()
    assert first.accounts.is_admin("a", "x") and first.admins.code == ""


async def test_reload_keeps_the_code_while_there_is_no_admin(sqlite_store: Store, clock: Clock) -> None:
    process = await started(sqlite_store, clock)
    await process.admins.reload()
    assert process.admins.code
    await process.write(lambda s: s.merge(Setting(key=ADMIN_SEEN, value="x")))
    await process.admins.reload()
    assert process.admins.code, "the admin was removed"
    process.accounts.configure_admins(["x"])
    await process.admins.reload()
    assert process.admins.code == ""


async def test_code_ends_once_an_admin_is_a_friend(sqlite_store: Store, clock: Clock) -> None:
    process = await started(sqlite_store, clock, "wxid_config")
    waiting = asyncio.create_task(process.admins.code_to_show(1000))
    await process.admins.check_seen("a")
    process.wechat.knows("wxid_config", friend=False)
    await process.admins.check_seen("a")
    assert process.admins.code and not waiting.done()
    process.wechat.knows("wxid_config")
    await process.admins.check_seen("a")
    assert (process.admins.code, await waiting) == ("", "")
    assert await process.setting(ADMIN_SEEN) == "wxid_config"
    await process.write(lambda s: s.merge(Setting(key=ADMIN_SEEN, value="before")))
    await process.admins.check_seen("a")
    assert await process.setting(ADMIN_SEEN) == "before", "there is no code any more"


async def test_code_is_shown_after_looking_for_the_admin(sqlite_store: Store, clock: Clock) -> None:
    configured = await started(sqlite_store, clock, "wxid_config")
    assert await configured.admins.code_to_show(0.01) == configured.admins.code
    nobody = await started(sqlite_store, clock)
    assert await nobody.admins.code_to_show(1000) == nobody.admins.code, "there is nobody to look for"


async def test_admins_of_earlier_versions_are_taken_over(sqlite_store: Store, clock: Clock) -> None:
    await sqlite_store.write(lambda s: s.merge(Setting(key=KEY, value='["x", "y"]')))
    process = await started(sqlite_store, clock)
    assert await process.rows() == [("x", "", "code"), ("y", "", "code")]
    assert (await process.setting(KEY), await process.setting(ADMIN_SEEN)) == (None, "y")
    assert process.accounts.all_admins() == ["x", "y"] and process.admins.code == ""


# ---- by an admin ----


async def test_admin_adds_another(sqlite_store: Store, clock: Clock) -> None:
    process = await started(sqlite_store, clock, "wxid_config")

    def add(who: str) -> Callable[[Session], bool]:
        return lambda s: process.admins.add(s, who, "宋公明", "person:wxid_config")

    assert [await process.write(add(who)) for who in ("x", "x", "wxid_config")] == [True, False, False]
    assert await process.rows() == [("x", "宋公明", "person:wxid_config")]
    assert await process.noted() == [("admin", "person:wxid_config", "x", "done")]
    assert process.accounts.is_admin("a", "x")
    (row,) = await process.store.read(process.admins.added_admins)
    assert row.created_at == clock.now


async def test_admin_is_removed_unless_it_is_the_last(sqlite_store: Store, clock: Clock) -> None:
    process = await started(sqlite_store, clock)
    for who in ("x", "y"):
        await process.write(lambda s, w=who: process.admins.add(s, w, "", "by"))  # type: ignore[misc]
    with pytest.raises(NotFound, match="admin 99"):
        await process.write(lambda s: process.admins.remove(s, 99, "who"))
    removed = await process.write(lambda s: process.admins.remove(s, 1, "who"))
    assert removed.contact_id == "x"
    assert not process.accounts.is_admin("a", "x")
    with pytest.raises(LastAdmin, match="y"):
        await process.write(lambda s: process.admins.remove(s, 2, "who"))
    process.accounts.configure_admins(["wxid_config"])
    await process.write(lambda s: process.admins.remove(s, 2, "who"))
    assert await process.rows() == []
    assert (await process.noted())[2:] == [("admin_removed", "who", who, "done") for who in ("x", "y")]


async def test_friend_is_named_by_id_never_by_nickname(sqlite_store: Store, clock: Clock) -> None:
    process = Process(sqlite_store, clock)
    process.wechat.knows("wxid_song", "宋公明", weixin="song_jiang")
    process.wechat.knows("wxid_stranger", "路人", friend=False)
    second = InMemoryWeChat("b")
    second.knows("wxid_song", "宋公明", weixin="song_jiang")
    second.knows("wxid_wu", "吴用")
    process.accounts.add(second.whole())
    for name in ("wxid_song", "song_jiang"):
        assert process.admins.friend(name).id == "wxid_song", "one person, a friend of both accounts"
    assert process.admins.friend("wxid_wu").id == "wxid_wu"
    for name in ("宋公明", "wxid_stranger", "nobody"):
        with pytest.raises(NotFound, match=f"no friend {name}"):
            process.admins.friend(name)
    process.wechat.knows("wxid_other", "别人", weixin="same")
    second.knows("wxid_third", "他人", weixin="same")
    with pytest.raises(NotFound):
        process.admins.friend("same")
