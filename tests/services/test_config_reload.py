"""The reloader: what is prepared, applied, recorded and announced, and when."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from config import Config, ConfigError
from models.db import Store
from models.durable import Action
from services.accounts.audit import Audit
from services.upkeep.reload import ConfigReloader, PreparedChange, ReloadResult
from services.work.event_gate import EventGate
from tests.services.clock import Clock
from tests.services.queue_harness import run_loop
from tests.services.stored_settings import keys, put
from tests.waiting import SECONDS

NEW: dict[str, Any] = {"timezone": "Asia/Tokyo", "keep_days": 40, "texts": {"bad_token": "no"}}


class Gate(EventGate):
    """Records what is applied when it is closed and when it opens again."""

    def __init__(self, applied: list[str]) -> None:
        super().__init__()
        self._applied = applied
        self.seen: list[list[str]] = []

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        async with super().paused():
            self.seen.append([*self._applied])
            yield
            self.seen.append([*self._applied])


class ReloadHarness:
    """A reloader with one part, which records what it is given."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.config = Config(keep_days=30)
        self.new = Config(**NEW)
        self.prepared: list[Config] = []
        self.applied: list[str] = []
        self.gate = Gate(self.applied)
        self.threads: set[threading.Thread] = set()
        audit = Audit(store, clock)
        self.reloader = ConfigReloader(self.config, lambda: self.new, store, audit, self.gate, self.announce)
        self.alone = ConfigReloader(self.config, lambda: self.new, store, audit, self.gate)
        self.reloader.on_reload(self.prepare)

    def prepare(self, config: Config) -> PreparedChange:
        self.prepared.append(config)
        self.threads.add(threading.current_thread())
        return PreparedChange(lambda: self.applied.append("first"))

    def add_part(self, name: str, changed: Sequence[str] = ()) -> None:
        self.reloader.on_reload(lambda _config: PreparedChange(lambda: self.applied.append(name), changed))

    def announce(self, session: Session) -> None:
        put(session, f"announced {len(session.exec(select(Action)).all())}")

    async def audited(self) -> list[tuple[Any, ...]]:
        entries = await self.store.read(lambda s: s.exec(select(Action).order_by(col(Action.id))).all())
        return [(entry.account, entry.kind, entry.who, entry.target, entry.outcome, entry.detail) for entry in entries]


@pytest.fixture
def harness(sqlite_store: Store, clock: Clock) -> ReloadHarness:
    return ReloadHarness(sqlite_store, clock)


async def test_reload_applies_records_and_announces(harness: ReloadHarness) -> None:
    harness.add_part("second")
    result = await harness.reloader.reload("admin")
    assert result == ReloadResult(("keep_days", "texts.bad_token"), ("timezone",))
    assert harness.applied == ["first", "second"]
    (config,) = harness.prepared
    assert (config.keep_days, config.timezone) == (40, harness.config.timezone), "the zone needs a restart"
    detail = {"changed": "keep_days, texts.bad_token", "restart": "timezone"}
    assert await harness.audited() == [("", "reload", "admin", "config", "done", detail)]
    assert await keys(harness.store) == ["announced 1"], "in the transaction of the audit entry"


async def test_reload_without_other_processes_announces_nothing(harness: ReloadHarness) -> None:
    await harness.alone.reload("admin")
    assert len(await harness.audited()) == 1


async def test_failed_announcement_leaves_no_audit_entry(harness: ReloadHarness) -> None:
    await harness.store.write(lambda s: put(s, "announced 1"))
    with pytest.raises(IntegrityError):
        await harness.reloader.reload("admin")
    assert await harness.audited() == []


async def test_preview_and_follow_record_nothing(harness: ReloadHarness) -> None:
    expected = ReloadResult(("keep_days", "texts.bad_token"), ("timezone",))
    assert await harness.reloader.preview() == expected
    assert (len(harness.prepared), harness.applied) == (1, [])
    assert await harness.reloader.follow() == expected
    assert harness.applied == ["first"]
    assert (await harness.audited(), await keys(harness.store)) == ([], [])


async def test_config_is_prepared_on_a_thread(harness: ReloadHarness) -> None:
    await harness.reloader.preview()
    await harness.reloader.follow()
    assert threading.main_thread() not in harness.threads and harness.threads


async def test_changed_files_are_named_once_behind_the_keys(harness: ReloadHarness) -> None:
    harness.new = Config(keep_days=40)
    harness.add_part("files", ["customer_service.faq", "keep_days"])
    harness.add_part("more", ["customer_service.faq", "customer_service.knowledge"])
    result = await harness.reloader.preview()
    assert result.changed == ("keep_days", "customer_service.faq", "customer_service.knowledge")


async def test_invalid_part_leaves_everything_as_it_was(harness: ReloadHarness) -> None:
    errors = [ConfigError("bad rule")]

    def refuse(_config: Config) -> PreparedChange:
        if errors:
            raise errors.pop()
        return PreparedChange(lambda: None)

    harness.reloader.on_reload(refuse)
    with pytest.raises(ConfigError, match="bad rule"):
        await harness.reloader.reload("admin")
    assert (harness.applied, await harness.audited()) == ([], [])
    await harness.reloader.reload("admin")
    assert harness.applied == ["first"], "the next one is not blocked"


async def test_config_without_a_file_cannot_be_reloaded(harness: ReloadHarness) -> None:
    reloader = ConfigReloader(harness.config, None, harness.store, Audit(harness.store, Clock()), harness.gate)
    for call in (reloader.preview, reloader.follow, lambda: reloader.reload("admin")):
        with pytest.raises(ConfigError, match="not started from a config file"):
            await call()


async def test_change_is_applied_between_events(harness: ReloadHarness) -> None:
    harness.add_part("second")
    await harness.reloader.follow()
    assert harness.gate.seen == [[], ["first", "second"]], "when it is closed, and before it opens"
    await harness.reloader.preview()
    assert len(harness.gate.seen) == 2, "nothing is applied"


async def test_reloads_run_one_after_another(harness: ReloadHarness) -> None:
    inside, goes_on = threading.Event(), threading.Event()

    def slow(_config: Config) -> PreparedChange:
        inside.set()
        assert goes_on.wait(SECONDS)
        return PreparedChange(lambda: None)

    harness.reloader.on_reload(slow)
    first = asyncio.create_task(harness.reloader.follow())
    await asyncio.to_thread(inside.wait, SECONDS)
    others = [asyncio.create_task(call()) for call in (harness.reloader.preview, harness.reloader.follow)]
    await run_loop()
    await asyncio.to_thread(lambda: None)
    assert len(harness.prepared) == 1
    goes_on.set()
    await asyncio.gather(first, *others)
    assert len(harness.prepared) == 3


@pytest.mark.parametrize(("new", "warned"), [(NEW, True), ({"keep_days": 40}, False)])
async def test_settings_that_need_a_restart_are_logged(
    harness: ReloadHarness, caplog: pytest.LogCaptureFixture, new: dict[str, Any], *, warned: bool
) -> None:
    harness.new = Config(**new)
    await harness.reloader.reload("admin")
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == (["these changes require a restart: timezone"] if warned else [])
