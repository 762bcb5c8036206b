"""What is stored of a job's result, and how jobs of an earlier process are settled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from models.db import Store
from models.durable import OutboxItem, Priority
from services.work.job import Cancelled, GiveUp, Job, Result, Retry
from services.work.job_results import JobResults
from services.work.open_jobs import OpenJobs
from services.work.outbox_rows import cancel_items, job_of, last_sent, sent_as_newest, sent_since
from tests.services.clock import Clock
from tests.services.test_lists import put


class Results:
    """Results over a database; the jobs are its rows."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.ended: list[int] = []
        self.told: list[Any] = []
        self.results = JobResults(store, clock, self.ended.append)
        self.results.on_failed(lambda _session, job, gone: self.told.append(("failed", job.id, gone)))
        self.results.on_sent(lambda _session, job: self.told.append(("sent", job.id)))

    async def end(self, number: int, result: Result, **values: Any) -> Job:
        job = job_of(await self.row(number))
        for name, value in values.items():
            setattr(job, name, value)
        self.results.record(job, result)
        await self.results.drain(60)
        return job

    async def row(self, number: int) -> OutboxItem:
        return await self.store.read(lambda s: s.get_one(OutboxItem, number))

    async def stored(self, number: int = 1) -> tuple[Any, ...]:
        row = await self.row(number)
        return row.state, row.result, row.error, row.attempts, row.run_at, row.done_at


@pytest.fixture
async def results(sqlite_store: Store, clock: Clock) -> Results:
    await put(sqlite_store, item(1))
    return Results(sqlite_store, clock)


def item(number: int, state: str = "queued", priority: str = Priority.REPLY, **values: Any) -> OutboxItem:
    body = json.dumps(values.pop("body", {"n": number}))
    fields = {"queue": "wx:a", "account": "a", "key": "k", "priority": priority, **values}
    return OutboxItem(id=number, state=state, body=body, **fields)


@pytest.mark.parametrize(
    ("result", "stored"),
    [
        ("id-9", ("sent", "id-9", "", 2, 5.0, True)),
        (GiveUp("no"), ("failed", "", "no", 2, 5.0, True)),
        (GiveUp("lost", unknown=True), ("unknown", "", "lost", 2, 5.0, True)),
        (Cancelled(), ("cancelled", "", "", 2, 5.0, True)),
        (Retry(1, "busy"), ("queued", "", "busy", 2, 5.0, None)),
        (Retry(1, "away", counts=False), ("queued", "", "away", 2, 0.0, None)),
    ],
)
async def test_result_is_stored(results: Results, clock: Clock, result: Result, stored: tuple[Any, ...]) -> None:
    job = await results.end(1, result, attempts=2, run_at=5.0)
    assert await results.stored() == (*stored[:5], clock.now if stored[5] else None)
    is_retried = isinstance(result, Retry)
    assert results.ended == ([] if is_retried else [1])
    assert job.state == ("queued" if is_retried else stored[0])
    told = {"sent": [("sent", 1)], "failed": [("failed", 1, result)], "unknown": [("failed", 1, result)]}
    assert results.told == ([] if is_retried else told.get(str(stored[0]), []))
    assert sum(results.results.counts.counts.values()) == 1


async def test_cancelled_while_running_ends_instead_of_a_retry(results: Results, clock: Clock) -> None:
    await put(results.store, item(2, "sending"), item(3, "sending"), item(4, "sent"))
    assert await results.store.write(lambda s: cancel_items(s, [1, 2, 4, 99], clock.now)) == [1]
    assert await results.stored(1) == ("cancelled", "", "", 0, 0.0, clock.now)
    clock.now += 10
    for number in (2, 3):
        await results.end(number, Retry(1, "busy"))
    assert [(await results.stored(number))[0] for number in (2, 3, 4)] == ["cancelled", "queued", "sent"]
    assert (await results.stored(2))[5] == clock.now
    assert (await results.stored(3))[5] is None
    await put(results.store, item(5, "sending"))
    await results.store.write(lambda s: cancel_items(s, [5], clock.now))
    await results.end(5, "id")
    assert (await results.stored(5))[:2] == ("sent", "id"), "it was sent after all"


async def test_joined_jobs_end_with_their_host(results: Results) -> None:
    await put(
        results.store,
        item(2, body={"joined": [3, 4]}),
        item(3, body={"into": 2}),
        item(4, body={"into": 2, "joined": [5]}),
        item(5, body={"into": 4}),
    )
    await results.end(2, Retry(1, "busy"))
    assert [(await results.stored(number))[2] for number in (2, 3, 4, 5)] == ["busy", "", "", ""]
    await results.end(2, "id")
    assert [(await results.stored(number))[:2] for number in (2, 3, 4, 5)] == [("sent", "id")] * 4
    assert results.ended == [2, 3, 4, 5]
    assert results.told == [("sent", number) for number in (2, 3, 4, 5)]
    results.told.clear()
    assert await results.store.write(lambda s: results.results.fail_sent(s, 2, "wx:a", "deleted"))
    assert results.told == [("failed", number, GiveUp("deleted")) for number in (2, 3, 4, 5)]
    assert {(await results.stored(number))[0] for number in (2, 3, 4, 5)} == {"failed"}
    assert (await results.stored(1))[0] == "queued"


async def test_jobs_of_an_earlier_process_are_settled(results: Results, clock: Clock) -> None:
    await put(
        results.store,
        item(2, "sending"),
        item(3, "sending", Priority.BROADCAST),
        item(4, "queued", Priority.BROADCAST),
        item(5, "sent"),
        item(6, "sending", account="b"),
        item(7, "sending", Priority.BROADCAST, account="b"),
    )

    async def settle(accounts: list[str] | None) -> list[int | None]:
        return [
            row.id for row in await results.store.write(lambda s: results.results.settle(s, accounts))
        ]  # fmt: skip

    assert await settle(["a"]) == [1, 2, 4]
    interrupted = GiveUp("interrupted while sending", unknown=True)
    assert results.told == [("failed", 3, interrupted)]
    assert (await results.stored(3))[0::5] == ("unknown", clock.now)
    assert (await results.stored(3))[2] == "interrupted while sending"
    assert [(await results.stored(number))[0] for number in (2, 6, 7)] == ["queued", "sending", "sending"]
    assert await settle([]) == []
    assert await settle(None) == [1, 2, 4, 6]
    assert (await results.stored(7))[0] == "unknown"


async def test_only_a_sent_message_of_the_queue_fails_after_all(results: Results) -> None:
    await put(results.store, item(2, "sent"), item(3, "queued"), item(4, "failed"))

    async def fail(number: int, queue: str = "wx:a") -> bool:
        return await results.store.write(lambda s: results.results.fail_sent(s, number, queue, "deleted"))

    assert [await fail(2, "wx:b"), await fail(3), await fail(4), await fail(99)] == [False] * 4
    assert results.told == []
    seen: list[str] = []

    def look(session: Session, _job: Job, _gone: GiveUp) -> None:
        seen.append(session.connection().execute(text("SELECT state FROM outboxitem WHERE id = 2")).scalar_one())

    results.results.on_failed(look)
    assert [await fail(2), await fail(2)] == [True, False]
    assert seen == ["failed"], "listeners read the new state"


async def test_jobs_that_listeners_add_are_not_settled(results: Results) -> None:
    await put(results.store, item(2, "sending", Priority.BROADCAST))

    def notify(session: Session, _job: Job, _gone: GiveUp) -> None:
        session.add(item(9))
        session.flush()

    results.results.on_failed(notify)
    found = await results.store.write(lambda s: results.results.settle(s, None))
    assert [row.id for row in found] == [1], "it is taken after the commit, as any new one"


async def test_ends_of_a_queue_are_read(results: Results) -> None:
    await put(
        results.store,
        item(2, "sent", done_at=10.0),
        item(3, "sent", done_at=20.0),
        item(4, "failed", done_at=30.0),
        item(5, "sent", key="other", done_at=40.0),
        item(6, "sent", queue="wx:b", done_at=50.0),
        item(7, "sent", done_at=5.0),
    )

    async def last(key: str, since: float) -> int:
        return await results.store.read(lambda s: last_sent(s, "wx:a", key, since))

    assert [await last("k", 0), await last("k", 20.0), await last("k", 20.5)] == [7, 3, 0]
    assert [await last("other", 0), await last("none", 0)] == [5, 0]
    assert await results.store.read(lambda s: sent_since(s, ["wx:a"], 10.0)) == {"wx:a": [20.0, 30.0, 40.0]}


@pytest.mark.parametrize(("later", "number"), [("queued", 0), ("sending", 0), ("failed", 0), ("cancelled", 3)])
async def test_newest_job_is_found_if_it_was_sent(results: Results, later: str, number: int) -> None:
    async def newest(since: float) -> int:
        return await results.store.read(lambda s: sent_as_newest(s, "wx:a", "k", since))

    await put(results.store, item(2, "failed"), item(3, "sent", done_at=20.0), item(4, "queued", key="other"))
    assert [await newest(20.0), await newest(20.5)] == [3, 0]
    await put(results.store, item(5, later))
    assert await newest(20.0) == number


async def test_job_has_the_values_of_its_row(results: Results) -> None:
    row = item(2, attempts=3, run_at=4.0, created_at=5.0, priority=Priority.NOTICE)
    await put(results.store, row)
    job = job_of(row)
    assert job == Job(2, "wx:a", "k", {"n": 2}, Priority.NOTICE, 4.0, 5.0, 3, account="a")
    assert (job.state, job.due_at, job.dropped) == ("queued", 0, False)
    assert Job(1, "q", "k", {}) == Job(1, "q", "k", {}, "a-reply", 0, 0, 0, "queued", 0, "", False)
    assert Retry(1, "busy").counts is True
    assert GiveUp("no").unknown is False
    job.has_id((9,))
    assert job.id == 9
    rows = await results.store.read(lambda s: s.exec(select(OutboxItem)).all())
    assert len(rows) == 2


def test_open_jobs_are_found_by_id_and_account() -> None:
    jobs = OpenJobs()
    first, second, other = (Job(number, "q", "k", {}, account=name) for number, name in ((1, "a"), (2, "a"), (3, "b")))
    for job in (first, second, other):
        jobs.add(job)
    assert (len(jobs), 1 in jobs, 9 in jobs, list(jobs)) == (3, True, False, [first, second, other])
    assert (jobs.get(2), jobs.get(9)) == (second, None)
    assert (list(jobs.of("a")), list(jobs.of("none"))) == ([first, second], [])
    jobs.remove(1)
    jobs.remove(1)
    assert (list(jobs), list(jobs.of("a"))) == ([second, other], [second])
    jobs.drop("a")
    jobs.drop("a")
    assert (list(jobs), list(jobs.of("a")), 2 in jobs) == ([other], [], False)
