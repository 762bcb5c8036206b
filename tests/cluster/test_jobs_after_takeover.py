"""Jobs that an account missed while it had no holder."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import stamina
from sqlalchemy.exc import OperationalError

from jobs import scheduler
from jobs.job import ScheduledJob
from jobs.scheduler import Jobs


class JobLog:
    """The runs of jobs, whose table cannot be read at first."""

    def __init__(self) -> None:
        self.loads = 0

    async def load(self) -> None:
        self.loads += 1
        if self.loads == 1:
            raise OperationalError("", {}, OSError("away"))


async def test_runs_are_made_up_when_the_database_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "LOAD_SECONDS", 0)
    log, ran = JobLog(), list[str]()
    zone, config = ZoneInfo("UTC"), SimpleNamespace(timezone="UTC", jobs=[])
    reloader = SimpleNamespace(on_reload=lambda _prepare: None)
    container: Any = SimpleNamespace(config=config, reloader=reloader, zone=zone, job_log=log)

    async def work(_container: object) -> int:
        return 0

    jobs = Jobs(container, [ScheduledJob("report", "0 9 * * *", work, catch_up=True)])

    async def run(name: str) -> None:
        ran.append(name)

    monkeypatch.setattr(jobs, "run", run)
    monkeypatch.setattr(jobs, "_was_due_lately", lambda _name: True)
    with stamina.set_testing(True, attempts=2):
        jobs.account_taken()
        assert jobs._after_taking is not None
        await jobs._after_taking
    assert (log.loads, ran) == (2, ["report"])
