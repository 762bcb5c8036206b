"""The log of scheduled jobs: when each last ran and its result, stored across restarts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from sqlmodel import Session, col, select

from models.db import Store
from models.durable import Setting
from services.clock import Clock

PREFIX = "job:"
NEW = "new"  # result of a job that has not run yet


@dataclass(frozen=True, slots=True)
class JobRun:
    """A run of a job. `at`: Unix seconds; `ms`: the duration."""

    at: float
    ok: bool = True
    result: str = ""
    ms: float = 0.0


class JobLog:
    """The last run of every job, and the number of runs in this process."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self.clock = clock
        self.last: dict[str, JobRun] = {}
        self.counts: dict[tuple[str, bool], int] = {}
        self.next_at: Callable[[str], float | None] = lambda _name: None  # set by the scheduler
        self.names: list[str] = []

    async def load(self) -> None:
        """Load the runs of earlier processes."""
        rows = await self._store.read(
            lambda s: s.exec(select(Setting).where(col(Setting.key).startswith(PREFIX))).all()
        )
        self.last = {row.key.removeprefix(PREFIX): JobRun(**json.loads(row.value)) for row in rows}

    async def record(self, name: str, run: JobRun) -> None:
        """Store a run."""
        self.last[name] = run
        self.counts[name, run.ok] = self.counts.get((name, run.ok), 0) + 1
        await self._store.write(lambda s: self._put(s, name, run))

    async def begin(self, name: str) -> None:
        """Record when a job is first seen, so that no earlier time counts as missed."""
        if name not in self.last:
            self.last[name] = run = JobRun(self.clock(), result=NEW)
            await self._store.write(lambda s: self._put(s, name, run))

    def _put(self, session: Session, name: str, run: JobRun) -> None:
        value = json.dumps(asdict(run), ensure_ascii=False)  # several processes may write it at once
        insert = self._store.insert(Setting).values(key=PREFIX + name, value=value)
        session.connection().execute(insert.on_conflict_do_update(index_elements=["key"], set_={"value": value}))
