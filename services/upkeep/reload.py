"""Configuration reload at run time: all changes are applied together, or none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from config import Config, ConfigError
from config.changes import Changes, compare
from models.db import Store
from models.durable import Outcome
from services.accounts.audit import Audit
from services.work.event_gate import EventGate

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedChange:
    """A validated change. `apply` must neither fail nor block.

    `changed`: keys whose value is the same but whose file has changed.
    """

    apply: Callable[[], object]
    changed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """The keys that were changed, and those that need a restart."""

    changed: tuple[str, ...]
    restart: tuple[str, ...]


# runs on a thread and must not change anything; raises ConfigError if the config is invalid
Prepare = Callable[[Config], PreparedChange]


class ConfigReloader:
    """Reloads the config from its source. Parts that follow it register with `on_reload`."""

    def __init__(
        self,
        config: Config,
        source: Callable[[], Config] | None,
        store: Store,
        audit: Audit,
        gate: EventGate,
        announce: Callable[[Session], None] | None = None,
    ) -> None:
        self._announce = announce  # other processes, within a transaction, to read theirs
        self._config = config
        self._source = source
        self._store = store
        self._audit = audit
        self._gate = gate
        self._prepares: list[Prepare] = []
        self._lock = asyncio.Lock()

    def on_reload(self, prepare: Prepare) -> None:
        """Register a function that prepares a part for a new config."""
        self._prepares.append(prepare)

    async def preview(self) -> ReloadResult:
        """Return what a reload would change; raise ConfigError."""
        async with self._lock:
            changes, prepared = await asyncio.to_thread(self._prepare)
        return _result(changes, prepared)

    async def reload(self, actor: str) -> ReloadResult:
        """Reload the config from its source. On ConfigError nothing has changed. `actor`: for the audit log."""
        result = await self.follow()
        log.info("config reloaded by %s: %s", actor, ", ".join(result.changed) or "nothing changed")
        if result.restart:
            log.warning("these changes require a restart: %s", ", ".join(result.restart))
        detail = {"changed": ", ".join(result.changed), "restart": ", ".join(result.restart)}
        await self._store.write(lambda s: self._note(s, actor, detail))
        return result

    async def follow(self) -> ReloadResult:
        """Reload the config after another process did. On ConfigError nothing has changed."""
        async with self._lock:
            changes, prepared = await asyncio.to_thread(self._prepare)
            async with self._gate.paused():
                # without an await between them, so that requests do not see a partial change either
                for part in prepared:
                    part.apply()
        return _result(changes, prepared)

    def _note(self, session: Session, actor: str, detail: dict[str, str]) -> None:
        self._audit.record(session, "", "reload", actor, "config", Outcome.DONE, **detail)
        if self._announce is not None:
            self._announce(session)

    def _prepare(self) -> tuple[Changes, list[PreparedChange]]:
        if self._source is None:
            raise ConfigError("the bot was not started from a config file")
        changes = compare(self._config, self._source())
        return changes, [prepare(changes.config) for prepare in self._prepares]


def _result(changes: Changes, prepared: Sequence[PreparedChange]) -> ReloadResult:
    files = (key for part in prepared for key in part.changed)
    return ReloadResult(tuple(dict.fromkeys((*changes.changed, *files))), changes.restart)
