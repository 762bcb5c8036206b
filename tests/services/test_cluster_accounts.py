"""How a process of a cluster starts, restarts and stops the accounts that it holds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from app import cluster as module
from app.cluster import Cluster
from config.settings import AssistantSettings
from models.db import Store
from models.row_statements import Row
from services.work.outbox_rows import END
from services.work.ownership import LeasedAccounts
from tests.services.clock import Clock
from tests.services.test_outbox_accounts import Process
from tests.waiting import until


class Accounts:
    """The accounts of the process. `starting`: holds up a start; `fails`: errors of the next starts."""

    def __init__(self) -> None:
        self.running: dict[str, str] = {}  # account -> endpoint
        self.fails: list[Exception] = []
        self.starting: asyncio.Event | None = None
        self.begun = 0

    @property
    def accounts(self) -> Any:
        return self.running.keys()

    async def start(self, settings: AssistantSettings, _epoch: int) -> None:
        self.begun += 1
        self.running[settings.account] = "failed"
        if self.fails:
            raise self.fails.pop()
        if self.starting is not None:
            await self.starting.wait()
        self.running[settings.account] = settings.endpoint

    async def stop(self, account: str, _grace: float) -> None:
        del self.running[account]

    def disconnect(self, account: str) -> None:
        """Nothing is connected."""


class Setup:
    """A cluster process that holds the account a. `endpoint`: of its stored settings."""

    def __init__(self) -> None:
        self.endpoint = "127.0.0.1:1"
        self.accounts = Accounts()
        member = SimpleNamespace(
            held={"a": 1}, valid=lambda: True, fenced=False, seconds_left=lambda: 60.0, surplus=list, wake=lambda: None
        )
        member.call, member.drain, member.release, member.has_others = self._called, self._drain, self._release, True
        self.held: dict[str, int] = member.held
        self.released: list[str] = []
        parts = SimpleNamespace(
            member=member,
            leases=SimpleNamespace(register_accounts=None),
            ownership=LeasedAccounts(lambda: True, lambda _session, _account: None),
            pending_notifications=SimpleNamespace(account_released=lambda: None),
            moves=Counter(),
        )
        container = SimpleNamespace(
            config=SimpleNamespace(database="postgresql://nowhere/wxbot", assistants=[]),
            changes=None,
            stored_assistants=SimpleNamespace(load=self._stored),
            store=SimpleNamespace(write=self._called),
            outbox=SimpleNamespace(results=SimpleNamespace(write_now=self._called)),
        )
        self.container = container
        jobs = SimpleNamespace(account_taken=lambda: None)
        self.cluster = Cluster(
            cast("Any", container), cast("Any", parts), cast("Any", self.accounts), cast("Any", jobs), lambda: 1.0, list
        )

    async def _called(self, *_arguments: Any) -> None:
        """No call of the leases has a result."""

    async def _drain(self) -> None:
        """A claim that was under way is granted."""
        self.held["late"] = 1

    async def _release(self, accounts: list[str]) -> None:
        self.released += accounts
        for account in accounts:
            del self.held[account]

    async def _stored(self) -> list[AssistantSettings]:
        return [AssistantSettings(account="a", endpoint=self.endpoint, token="t")]

    async def change(self) -> None:
        """Other settings are stored, of which this process is told."""
        self.endpoint = "127.0.0.1:2"
        await self.cluster._refresh_accounts()


@pytest.fixture
async def setup(monkeypatch: pytest.MonkeyPatch) -> Any:
    async def nothing(*_arguments: Any) -> None:
        """No data is loaded or stopped."""

    monkeypatch.setattr(module, "load_accounts", nothing)
    monkeypatch.setattr(module, "stop_account", nothing)
    monkeypatch.setattr(module, "forget_account", lambda _container, _account: None)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    setup = Setup()
    await setup.cluster._refresh_accounts()
    following = asyncio.create_task(setup.cluster._follow())
    yield setup
    following.cancel()
    await asyncio.wait({following})


async def _runs_at(setup: Setup, endpoint: str) -> None:
    await until(lambda: setup.accounts.running == {"a": endpoint}, lambda: f"it is {setup.accounts.running}")


async def test_changed_settings_are_applied(setup: Setup) -> None:
    await _runs_at(setup, "127.0.0.1:1")
    await setup.change()
    await _runs_at(setup, "127.0.0.1:2")


async def test_settings_that_change_during_the_start_are_applied(setup: Setup) -> None:
    setup.accounts.starting = asyncio.Event()
    await until(lambda: setup.accounts.begun)
    await setup.change()
    setup.accounts.starting.set()
    await _runs_at(setup, "127.0.0.1:2")


async def test_restart_that_fails_is_repeated(setup: Setup) -> None:
    await _runs_at(setup, "127.0.0.1:1")
    setup.accounts.fails = [OSError(), OSError()]
    await setup.change()
    await _runs_at(setup, "127.0.0.1:2")


async def test_account_that_was_granted_during_the_stop_is_released(setup: Setup) -> None:
    """It would be served by nobody until this process has left."""
    await _runs_at(setup, "127.0.0.1:1")
    await setup.cluster.drain()
    assert (sorted(setup.released), setup.accounts.running) == (["a", "late"], {})


async def test_account_is_not_released_before_the_results_of_its_jobs_are_written(
    setup: Setup, sqlite_store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database fails while a message is sent. Its next holder would send it again."""
    is_away, write = True, END.execute

    def execute(connection: Connection, rows: Sequence[Row]) -> Sequence[Any]:
        if is_away:
            raise OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))
        return write(connection, rows)

    monkeypatch.setattr("services.work.job_results.END", SimpleNamespace(execute=execute))
    monkeypatch.setattr("services.work.write_batcher.FIRST_WAIT", 60.0)
    process = Process(sqlite_store, clock, "a")
    setup.container.store, setup.container.outbox = sqlite_store, process.outbox
    await process.outbox.start()
    await process.add("wx:a", "one")
    await until(lambda: process.began == ["one"])
    with pytest.raises(OperationalError):
        await setup.cluster._release("a")
    assert setup.released == []
    is_away = False
    await setup.cluster._release("a")
    assert (setup.released, await process.rows()) == (["a"], {"one": "sent"})
    await process.outbox.stop(0)
