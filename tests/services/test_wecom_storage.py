"""What is stored of an account on the official channel: cursor, token, allowances, codes, and groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from sqlmodel import Session

from models.db import Store
from models.durable import InboxEvent
from models.wecom import WecomCustomer
from services.accounts.wecom_storage import WecomStorage
from tests.services.clock import Clock
from tests.services.test_lists import put
from wechat.events import RawEvent
from wecom.storage import AccessToken, Allowance, Chat, GroupTask, IncomingMessage, TakenCode

ALLOWED = 5
WINDOW = 48 * 3600.0

AT = datetime(2026, 1, 1, tzinfo=UTC)
GRANTED, REPEATED, USED_UP, SILENT = Allowance.GRANTED, Allowance.REPEATED, Allowance.USED_UP, Allowance.SILENT


class Account:
    """The storage of an account, and what it was called with."""

    def __init__(self, store: Store, clock: Clock, account: str = "a") -> None:
        self.store = store
        self.clock = clock
        self.raws: list[RawEvent] = []
        self.spoke = 0
        self.storage = WecomStorage(store, account, clock, self._store_events, self._spoke)

    async def _store_events(self, raws: Sequence[RawEvent], also: Callable[[Session], None]) -> None:
        self.raws += raws
        await self.store.write(also)

    def _spoke(self) -> None:
        self.spoke += 1

    async def hears(self, *heard: IncomingMessage, cursor: str = "c") -> None:
        await self.storage.store_page([RawEvent("a", "e", "message", {}, AT)], heard, cursor)

    async def says(self, *ids: str, who: str = "x") -> list[Allowance]:
        return [await self.storage.spend(who, id) for id in ids]


@pytest.fixture
def account(sqlite_store: Store, clock: Clock) -> Account:
    return Account(sqlite_store, clock)


async def test_page_is_stored_with_its_cursor(account: Account, clock: Clock) -> None:
    assert await account.storage.cursor() == ""
    await account.hears(cursor="c1")
    assert (await account.storage.cursor(), account.spoke, len(account.raws)) == ("c1", 0, 1)
    await account.hears(IncomingMessage("x", clock.now, spoke=False), cursor="c2")
    assert (await account.storage.cursor(), account.spoke) == ("c2", 0)
    await account.hears(IncomingMessage("y", clock.now, spoke=False), IncomingMessage("x", clock.now))
    assert account.spoke == 1, "those that wait may be sent now"


async def test_prefix_of_a_database_stays(account: Account, sqlite_store: Store, clock: Clock) -> None:
    prefix = await account.storage.prefix()
    assert len(prefix) == 8 and await account.storage.prefix() == prefix
    assert await Account(sqlite_store, clock, "b").storage.prefix() != prefix


async def test_customers_of_one_page_are_stored_once(account: Account, clock: Clock) -> None:
    await account.hears(IncomingMessage("x", clock.now - 1, code="w1"), IncomingMessage("x", clock.now))
    assert await account.storage.remaining("x", "m1") == 5
    assert await account.storage.take_code("x", "m1") == TakenCode("w1", tried=False)


async def test_token_is_stored_before_anything_else(account: Account) -> None:
    await account.storage.store_token(AccessToken("t", 7.0))
    assert await account.storage.token() == AccessToken("t", 7.0)


async def test_access_token_is_shared(account: Account, sqlite_store: Store, clock: Clock) -> None:
    assert await account.storage.token() is None
    await account.hears()
    assert await account.storage.token() is None, "its row exists, without a token"
    await account.storage.store_token(AccessToken("t", 7.0))
    assert await Account(sqlite_store, clock).storage.token() == AccessToken("t", 7.0)
    assert await account.storage.cursor() == "c"


# ---- allowances ----


async def test_customer_gets_five_messages(account: Account, clock: Clock) -> None:
    assert await account.says("m0") == [SILENT], "has never written"
    await account.hears(IncomingMessage("x", clock.now))
    ids = [f"m{number}" for number in range(1, ALLOWED + 1)]
    assert [await account.storage.remaining("x", "m1"), *await account.says(*ids)] == [5, *[GRANTED] * 5]
    assert await account.says("m6", "m1") == [USED_UP, REPEATED]
    assert await account.storage.remaining("x", "m6") == 0
    assert await account.storage.remaining("x", "m5") == 1, "this one was counted"
    assert await account.says("m1", who="y") == [SILENT]
    clock.now += 10
    await account.hears(IncomingMessage("x", clock.now))
    assert await account.storage.remaining("x", "new") == 5
    assert await account.says("m5", "new") == [REPEATED, GRANTED], "tried before the customer wrote"
    assert await account.storage.remaining("x", "another") == 3, "but counted now"


@pytest.mark.parametrize(("later", "allowed"), [(WINDOW - 1, GRANTED), (WINDOW, SILENT)])
async def test_allowance_ends_after_48_hours(account: Account, clock: Clock, later: float, allowed: Allowance) -> None:
    await account.hears(IncomingMessage("x", clock.now))
    clock.now += later
    assert await account.storage.remaining("x", "m1") == (5 if allowed is GRANTED else 0)
    assert await account.says("m1") == [allowed]


async def test_older_message_grants_nothing(account: Account, clock: Clock) -> None:
    await account.hears(IncomingMessage("x", clock.now))
    await account.says("m1")
    await account.hears(IncomingMessage("x", clock.now - 1), IncomingMessage("x", clock.now + 1, spoke=False))
    assert await account.storage.remaining("x", "m9") == 4
    await account.hears(IncomingMessage("x", clock.now))
    assert await account.storage.remaining("x", "m9") == 5, "times are whole seconds"


async def test_only_the_latest_ids_are_kept(account: Account, clock: Clock) -> None:
    for _ in range(3):
        await account.hears(IncomingMessage("x", clock.now))
        await account.says(*(f"m{clock.now}-{number}" for number in range(ALLOWED)))
        clock.now += 1
    await account.hears(IncomingMessage("x", clock.now))
    row = await account.store.read(lambda s: s.get_one(WecomCustomer, ("a", "x")))
    assert row.sent == [f"~m{clock.now - 1}-{number}" for number in range(ALLOWED)]


async def test_exhausted_allowance_waits_for_the_customer(account: Account, clock: Clock) -> None:
    await account.hears(IncomingMessage("x", clock.now))
    await account.says("m1")
    await account.storage.mark_exhausted("x")
    assert await account.says("m1", "m2") == [USED_UP, USED_UP], "it was not sent"
    await account.hears(IncomingMessage("x", clock.now))
    assert await account.says("m1") == [GRANTED]


# ---- codes ----


async def test_code_belongs_to_one_message(account: Account, clock: Clock) -> None:
    assert await account.storage.take_code("x", "m1") is None
    await account.hears(IncomingMessage("x", clock.now, code="w1", spoke=False))
    assert await account.storage.take_code("x", "m1") == TakenCode("w1", tried=False)
    assert await account.storage.take_code("x", "m2") is None
    clock.now += 1000
    assert await account.storage.take_code("x", "m1") == TakenCode("w1", tried=True)
    await account.storage.store_code("x", "w2", clock.now + 5)
    assert await account.storage.take_code("x", "m2") == TakenCode("w2", tried=False)


@pytest.mark.parametrize(("later", "valid"), [(20.0, True), (20.5, False)])
async def test_welcome_code_expires(account: Account, clock: Clock, later: float, valid: bool) -> None:
    await account.hears(IncomingMessage("x", clock.now, code="w1"))
    await account.hears(IncomingMessage("x", clock.now + 1))  # without a code: the first one stays
    clock.now += later
    assert (await account.storage.take_code("x", "m1") is not None) == valid


async def test_payload_is_read_from_the_inbox(account: Account, sqlite_store: Store) -> None:
    for name, event, data in (("a", "e1", '{"n": 1}'), ("b", "e2", '{"n": 2}')):
        await put(sqlite_store, InboxEvent(account=name, event_id=event, kind="message", data=data))
    assert await account.storage.payload("e1") == {"n": 1}
    assert await account.storage.payload("e2") == {}


# ---- groups ----


async def test_groups_joined_by_a_code(account: Account, sqlite_store: Store, clock: Clock) -> None:
    storage, other = account.storage, Account(sqlite_store, clock, "b").storage
    chats = [Chat("c1", "7", "w", b"png"), Chat("c2", "8")]
    for chat in chats:
        await storage.store_chat(chat)
    await other.store_chat(Chat("c1", "9"))
    assert await storage.chats() == chats
    await storage.store_chat(Chat("c1", "70", "w", b"png"))
    await storage.delete_chat("c2")
    await storage.delete_chat("c2")
    assert await storage.chats() == [Chat("c1", "70", "w", b"png")]
    assert await other.chats() == [Chat("c1", "9")]


async def test_tasks_of_group_messages_are_stored_per_account(
    account: Account, sqlite_store: Store, clock: Clock
) -> None:
    storage, other = account.storage, Account(sqlite_store, clock, "b").storage
    assert await storage.task("k1") is None
    await storage.store_task(GroupTask("k1", "", 5.0))
    await storage.store_task(GroupTask("k1", "m1", 6.0))
    await storage.store_task(GroupTask("k2", "m2", 7.0))
    await other.store_task(GroupTask("k3", "m3", 8.0))
    assert await storage.task("k1") == GroupTask("k1", "m1", 6.0)
    assert await storage.task("k3") is None
    assert await storage.task_ids() == {"m1", "m2"}
