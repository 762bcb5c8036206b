"""Login links and sessions of the console, by their times and roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlmodel import Session, select

from errors import NotFound
from models.console import ConsoleSession, LoginLink
from models.db import Store
from models.durable import Action
from services.accounts.audit import Audit
from services.accounts.console_sessions import (
    TERMINAL,
    ConsoleSessions,
    Role,
    hash_secret,
)
from services.accounts.registry import Accounts
from services.work.ownership import LeasedAccounts
from tests.doubles import InMemoryWeChat
from tests.services.clock import Clock

IDLE_SECONDS = 12 * 3600.0
LINK_SECONDS = 300.0
TOUCH_SECONDS = 60.0

T = TypeVar("T")


class Console:
    """Sessions of one account with an admin and a member of staff; another process serves account `b`."""

    def __init__(self, store: Store, clock: Clock, *admins: str) -> None:
        self.store = store
        self.staff = {("a", "staff")}
        self.elsewhere = {("b", "staff"), ("a", "other")}
        ownership = LeasedAccounts(lambda: True, lambda _session, _account: None)
        ownership.take("a")
        self.accounts = Accounts({}, admins, [], ownership)
        self.accounts.add(InMemoryWeChat("a").whole())
        audit = Audit(store, clock)
        self.sessions = ConsoleSessions(store, self.accounts, audit, self._is_staff, clock, self._is_staff_elsewhere)

    def _is_staff(self, account: str, contact_id: str) -> bool:
        return (account, contact_id) in self.staff

    async def _is_staff_elsewhere(self, account: str, contact_id: str) -> bool:
        return (account, contact_id) in self.elsewhere

    async def write(self, fn: Callable[[Session], T]) -> T:
        return await self.store.write(fn)

    async def link(self, who: str, account: str = "a") -> str:
        return await self.write(lambda s: self.sessions.link(s, account, who, f"name of {who}"))

    async def log_in(self, who: str, account: str = "a") -> str:
        token = await self.sessions.open(await self.link(who, account), "10.0.0.1")
        assert token is not None
        return token

    async def role(self, token: str) -> Role | None:
        visitor = await self.sessions.visitor(token)
        return visitor.role if visitor is not None else None

    async def noted(self) -> list[tuple[str, str, str, str]]:
        rows = await self.store.read(lambda s: s.exec(select(Action)).all())
        return [(row.account, row.kind, row.who, row.target) for row in rows]


@pytest.fixture
def console(sqlite_store: Store, clock: Clock) -> Console:
    return Console(sqlite_store, clock, "admin")


@pytest.mark.parametrize(("later", "opens"), [(LINK_SECONDS - 1, True), (LINK_SECONDS, False)])
async def test_link_opens_one_session_within_five_minutes(
    console: Console, clock: Clock, later: float, opens: bool
) -> None:
    secret = await console.link("admin")
    clock.now += later
    assert (await console.sessions.open(secret, "10.0.0.1") is not None) == opens
    assert await console.sessions.open(secret, "10.0.0.1") is None
    assert await console.sessions.open("unknown", "10.0.0.1") is None


async def test_session_shows_its_user(console: Console, clock: Clock) -> None:
    token = await console.log_in("admin")
    visitor = await console.sessions.visitor(token)
    assert visitor is not None
    assert (visitor.contact_id, visitor.account, visitor.name) == ("admin", "a", "name of admin")
    assert (visitor.role, visitor.actor) == (Role.ADMIN, "console:admin")
    (row,) = await console.store.read(lambda s: s.exec(select(ConsoleSession)).all())
    assert (row.id, row.csrf, row.address) == (hash_secret(token), visitor.csrf, "10.0.0.1")
    assert row.created_at == row.seen_at == clock.now
    assert visitor.session_id == row.id and len(visitor.csrf) == 32
    assert await console.noted() == [("a", "console_login", "console:admin", "admin")]
    assert await console.sessions.visitor("unknown") is None


async def test_newer_link_replaces_older_and_expired_ones(console: Console, clock: Clock) -> None:
    older = await console.link("admin")
    await console.link("staff")
    newer = await console.link("admin")
    assert await console.sessions.open(older, "") is None
    assert await console.sessions.open(newer, "") is not None
    clock.now += LINK_SECONDS + 1
    last = await console.link("other")
    links = await console.store.read(lambda s: s.exec(select(LoginLink)).all())
    assert [link.id for link in links] == [hash_secret(last)]


async def test_roles_are_checked_at_every_request(console: Console) -> None:
    admin, staff = await console.log_in("admin"), await console.log_in("staff")
    other, away = await console.log_in("other"), await console.log_in("staff", "b")
    assert await console.role(admin) is Role.ADMIN
    assert await console.role(staff) is Role.AGENT
    assert await console.role(other) is None, "this process serves the account, and knows its staff"
    assert await console.role(away) is Role.AGENT, "another process serves it"
    console.staff.clear()
    console.elsewhere.clear()
    console.accounts.configure_admins([])
    assert [await console.role(token) for token in (admin, staff, away)] == [None] * 3


async def test_staff_of_an_unknown_account_have_no_role(console: Console) -> None:
    console.staff.add(("b", "x"))
    assert console.sessions.role_of("b", "x") is None
    assert console.sessions.role_of("a", "x") is None
    assert console.sessions.role_of("b", "admin") is Role.ADMIN


async def test_single_process_does_not_ask_others(sqlite_store: Store, clock: Clock) -> None:
    console = Console(sqlite_store, clock, "admin")
    console.sessions._is_staff_elsewhere = None
    assert await console.role(await console.log_in("staff", "b")) is None


@pytest.mark.parametrize(("later", "valid"), [(IDLE_SECONDS, True), (IDLE_SECONDS + 1, False)])
async def test_session_ends_when_idle_for_twelve_hours(
    console: Console, clock: Clock, later: float, valid: bool
) -> None:
    token = await console.log_in("admin")
    clock.now += later
    assert len(await console.store.read(console.sessions.open_sessions)) == valid
    assert (await console.role(token) is Role.ADMIN) == valid


async def test_use_is_recorded_once_a_minute(console: Console, clock: Clock) -> None:
    token, began = await console.log_in("admin"), clock.now

    async def seen_at() -> float:
        (row,) = await console.store.read(lambda s: s.exec(select(ConsoleSession)).all())
        return row.seen_at - began

    found = []
    for _ in range(2):
        clock.now += TOUCH_SECONDS
        await console.sessions.visitor(token)
        found.append(await seen_at())
        clock.now += 1
        await console.sessions.visitor(token)
        found.append(await seen_at())
    assert found == [0, 61, 61, 122]


async def test_expired_sessions_are_deleted_at_a_login(console: Console, clock: Clock) -> None:
    await console.log_in("staff")
    clock.now += IDLE_SECONDS
    await console.log_in("admin")
    assert len(await console.store.read(lambda s: s.exec(select(ConsoleSession)).all())) == 2
    clock.now += 1
    await console.log_in("admin")
    rows = await console.store.read(lambda s: s.exec(select(ConsoleSession)).all())
    assert [row.contact_id for row in rows] == ["admin", "admin"]


async def test_terminal_link_is_for_the_first_start(sqlite_store: Store, clock: Clock) -> None:
    console = Console(sqlite_store, clock)
    first, late = await console.sessions.terminal_link(), ""
    token = await console.sessions.open(first, "")
    assert token and await console.role(token) is Role.ADMIN
    late = await console.sessions.terminal_link()
    console.accounts.bind_admin("x")
    assert await console.sessions.terminal_link() == ""
    assert await console.sessions.open(late, "") is None, "there is an admin by now"
    links = await console.store.read(lambda s: s.exec(select(LoginLink)).all())
    assert [link.contact_id for link in links] == [TERMINAL]


async def test_sessions_of_a_person_are_ended(console: Console) -> None:
    mine = [await console.log_in("admin") for _ in range(2)]
    staff = await console.log_in("staff")
    link = await console.link("admin")
    assert await console.write(lambda s: console.sessions.end_all(s, "a", "admin")) == 2
    assert [await console.role(token) for token in (*mine, staff)] == [None, None, Role.AGENT]
    assert await console.sessions.open(link, "") is None
    assert (await console.noted())[-1] == ("a", "console_logout", "person:admin", "admin")


async def test_one_session_is_ended(console: Console, clock: Clock) -> None:
    first = await console.log_in("admin")
    clock.now += 1
    second = await console.log_in("staff")
    rows = await console.store.read(console.sessions.open_sessions)
    assert [row.id for row in rows] == [hash_secret(second), hash_secret(first)], "most recently used first"
    for begin in ("", "no such"):
        with pytest.raises(NotFound):
            await console.write(lambda s, b=begin: console.sessions.end(s, b, "who"))  # type: ignore[misc]
    await console.write(lambda s: console.sessions.end(s, hash_secret(first)[:16], "who"))
    assert (await console.role(first), await console.role(second)) == (None, Role.AGENT)
    assert (await console.noted())[-1] == ("a", "console_logout", "who", "admin")
