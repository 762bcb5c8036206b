"""The outbox: jobs are queued in a transaction, executed after its commit, in order per key, despite crashes."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from models.db import Store
from models.durable import OutboxItem, Priority
from services.work import delivery_queue
from services.work.job import Cancelled, GiveUp, Job, Result, Retry
from services.work.outbox import Outbox
from services.work.outbox_rows import sent_since
from tests.services.clock import Clock
from tests.services.conftest import OpenStore, until

QUEUE = "wx:a"


class Post:
    """An outbox with configurable deliveries; a body is {"n": NAME}."""

    def __init__(self, store: Store, clock: Clock, concurrency: int = 16) -> None:
        self.store = store
        self.done: list[str] = []
        self.began: list[str] = []
        self.answers: dict[str, list[Any]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.open = True
        self.failed: list[str] = []
        self.outbox = Outbox(store, clock)
        self.outbox.serve("wx", self.deliver, concurrency=concurrency, is_open=lambda _name: self.open)
        self.outbox.results.on_failed(lambda _session, work, gone: self.failed.append(f"{work.body['n']}: {gone.why}"))

    async def deliver(self, work: Job) -> Result:
        name = work.body["n"]
        self.began.append(name)
        if work.priority == Priority.BROADCAST and not await self.outbox.mark_sending(work):
            return Cancelled()
        if name in self.gates:
            await self.gates[name].wait()
        if self.answers.get(name):
            answer: str | Retry | GiveUp | Exception = self.answers[name].pop(0)
            if isinstance(answer, Exception):
                raise answer
            if not isinstance(answer, str):
                return answer
        self.done.append(name)
        return f"id of {name}"

    def add(self, session: Session, name: str, key: str = "k", **how: Any) -> Job:
        return self.outbox.add(session, QUEUE, key, {"n": name}, **how)

    async def promise(self, *names: str, key: str = "k", **how: Any) -> None:
        for name in names:
            await self.store.write(partial(self.add, name=name, key=key, **how))

    async def start(self) -> None:
        await self.outbox.load()
        await self.outbox.start()

    async def rows(self) -> dict[str, str]:
        items = await self.store.read(lambda s: s.exec(select(OutboxItem)).all())
        return {item.body.split('"')[3]: item.state for item in items}

    async def ended(self, count: int) -> None:
        await until(lambda: len(self.done) == count, f"{count} done, not {self.done}")


Move = Callable[..., Awaitable[Post]]


@pytest.fixture
async def move_in(clock: Clock) -> AsyncIterator[Move]:
    posts: list[Post] = []

    async def move(store: Store, *, start: bool = True, **options: Any) -> Post:
        post = Post(store, clock, **options)
        posts.append(post)
        if start:
            await post.start()
        return post

    yield move
    for post in posts:
        await post.outbox.stop(0)


@pytest.fixture
async def post(sqlite_store: Store, move_in: Move) -> Post:
    return await move_in(sqlite_store)


async def test_a_promise_is_kept_once_its_transaction_is_in(store: Store, move_in: Move) -> None:
    post = await move_in(store)
    await post.promise("one")
    await post.ended(1)
    await post.outbox.stop(1)
    (item,) = await store.read(lambda s: s.exec(select(OutboxItem)).all())
    assert (item.state, item.result) == ("sent", "id of one")
    assert item.done_at is not None


async def test_a_promise_of_a_transaction_that_failed_was_never_made(post: Post) -> None:
    def write(session: Session) -> None:
        post.add(session, "one")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await post.store.write(write)
    await post.promise("two")
    await post.ended(1)
    assert post.done == ["two"]
    assert list(await post.rows()) == ["two"]


async def test_one_key_in_order_several_at_once(post: Post) -> None:
    post.gates = {"x0": asyncio.Event()}

    def write(session: Session) -> None:
        for i in range(10):
            post.add(session, f"x{i}", "x")
            post.add(session, f"y{i}", "y")

    await post.store.write(write)
    await post.ended(10)
    assert post.done == [f"y{i}" for i in range(10)]
    post.gates["x0"].set()
    await post.ended(20)
    assert [n for n in post.done if n[0] == "x"] == [f"x{i}" for i in range(10)]


async def test_the_most_urgent_goes_first(sqlite_store: Store, move_in: Move) -> None:
    post = await move_in(sqlite_store, start=False, concurrency=1)
    await post.promise("broadcast", key="a", priority=Priority.BROADCAST)
    await post.promise("notice", key="b", priority=Priority.NOTICE)
    await post.promise("reply", key="c", priority=Priority.REPLY)
    await post.start()
    await post.ended(3)
    assert post.done == ["reply", "notice", "broadcast"]


async def test_a_reply_overtakes_the_broadcasts_to_its_own_group(sqlite_store: Store, move_in: Move) -> None:
    post = await move_in(sqlite_store, start=False, concurrency=1)
    await post.promise("b1", "b2", key="g", priority=Priority.BROADCAST)
    await post.promise("other", key="h", priority=Priority.NOTICE)
    await post.promise("reply", key="g", priority=Priority.REPLY)
    await post.start()
    await post.ended(4)
    assert post.done == ["reply", "other", "b1", "b2"]


async def test_a_notice_before_a_reply_keeps_its_place_and_shares_its_urgency(
    sqlite_store: Store, move_in: Move
) -> None:
    post = await move_in(sqlite_store, start=False, concurrency=1)
    await post.promise("far", key="h", priority=Priority.NOTICE)
    await post.promise("welcome", key="g", priority=Priority.NOTICE)
    await post.promise("reply", key="g", priority=Priority.REPLY)
    await post.start()
    await post.ended(3)
    assert post.done == ["welcome", "reply", "far"]


async def test_a_retry_keeps_its_place(post: Post, clock: Clock) -> None:
    post.answers["one"] = [Retry(0.05, "busy"), Retry(0.05, "busy")]
    later = asyncio.create_task(_clock_runs(clock))
    await post.promise("one", "two")
    await post.ended(2)
    later.cancel()
    assert post.began == ["one", "one", "one", "two"]
    assert post.done == ["one", "two"]


async def test_tries_that_count_are_remembered_over_a_restart(open_store: OpenStore, move_in: Move) -> None:
    first = await move_in(await open_store())
    first.answers["one"] = [Retry(0, "refused"), Retry(100, "refused")]
    first.answers["two"] = [Retry(100, "offline", counts=False)]
    await first.promise("one", key="x")
    await first.promise("two", "three", key="y")
    await until(lambda: first.began.count("one") == 2 and "two" in first.began)
    await first.outbox.stop(1)
    store = await open_store()
    items = {i.body: i for i in await store.read(lambda s: s.exec(select(OutboxItem)).all())}
    assert items['{"n": "one"}'].attempts == 2
    second = await move_in(store)
    await second.ended(2)  # an attempt that does not count does not change run_at or the order
    assert second.done == ["two", "three"]
    assert "one" not in second.began, "its wait goes on"


async def test_given_up_is_failed_and_told(post: Post) -> None:
    post.answers["one"] = [GiveUp("no such person")]
    post.answers["two"] = [ValueError("bug")]
    await post.promise("one", "two", "three")
    await post.ended(1)
    await post.outbox.stop(1)
    assert await post.rows() == {"one": "failed", "two": "failed", "three": "sent"}
    assert post.failed == ["one: no such person", "two: ValueError"]


async def test_a_database_that_is_away_gives_nothing_up(
    post: Post, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(delivery_queue, "DATABASE_AWAY", 0.05)
    away = OperationalError("UPDATE", {}, sqlite3.OperationalError("disk I/O error"))
    post.answers["one"] = [away, away]
    running = asyncio.create_task(_clock_runs(clock))
    await post.promise("one", "two", priority=Priority.BROADCAST)
    await post.ended(2)
    running.cancel()
    await post.outbox.stop(1)
    assert post.done == ["one", "two"]
    assert (await post.rows(), post.failed) == ({"one": "sent", "two": "sent"}, [])


async def test_work_for_later_holds_nothing_up_and_comes_at_its_time(post: Post, clock: Clock) -> None:
    await post.promise("later", run_at=clock.now + 0.3)
    await post.promise("now")
    await post.ended(1)
    assert post.done == ["now"]
    clock.now += 0.3
    await post.ended(2)
    assert post.done == ["now", "later"]


async def test_timed_work_of_an_earlier_process_comes_at_its_time(
    open_store: OpenStore, move_in: Move, clock: Clock
) -> None:
    first = await move_in(await open_store(), start=False)
    await first.promise("later", run_at=clock.now + 0.3)
    await first.promise("missed", run_at=clock.now + 0.1)
    await first.promise("now")
    clock.now += 0.1
    second = await move_in(await open_store())
    await second.ended(2)
    assert sorted(second.done) == ["missed", "now"]
    clock.now += 0.2
    await second.ended(3)


async def test_a_clock_that_is_set_back_keeps_nobody_waiting(post: Post, clock: Clock) -> None:
    post.answers["one"] = [Retry(0.2, "offline", counts=False), Retry(0.2, "refused")]
    await post.promise("one", key="x")
    await post.promise("two", key="y", run_at=clock.now + 0.2)
    await until(lambda: post.began)
    clock.now -= 8 * 3600
    await post.ended(2)
    assert sorted(post.done) == ["one", "two"]


async def test_a_closed_queue_waits_until_it_is_poked(post: Post) -> None:
    post.open = False
    await post.promise("one")
    await asyncio.sleep(0.05)
    assert post.began == []
    post.open = True
    post.outbox.wake_account("a")
    await post.ended(1)


# ---- restarts ----


async def test_what_was_open_is_done_after_the_restart_in_order_and_before_what_is_new(
    open_store: OpenStore, move_in: Move
) -> None:
    first = await move_in(await open_store(), start=False)
    await first.promise("one", "two")
    second = await move_in(await open_store(), start=False)
    await second.outbox.load()
    await second.promise("three")  # queued during the start, e.g. for an event of the inbox
    await second.outbox.start()
    await second.ended(3)
    await asyncio.sleep(0.05)
    assert second.done == ["one", "two", "three"], "each once, in order"


async def test_a_reply_cut_off_is_sent_again_a_broadcast_is_not(open_store: OpenStore, move_in: Move) -> None:
    first = await move_in(await open_store())
    first.gates = {"reply": asyncio.Event(), "broadcast": asyncio.Event()}
    await first.promise("reply", key="x")
    await first.promise("broadcast", key="y", priority=Priority.BROADCAST)
    await until(lambda: len(first.began) == 2)
    for _ in range(500):
        if (await first.rows())["broadcast"] == "sending":
            break
        await asyncio.sleep(0.01)
    await first.outbox.stop(0)  # like a kill: both are running
    second = await move_in(await open_store())
    await second.promise("after", key="y", priority=Priority.BROADCAST)
    await second.ended(2)
    assert sorted(second.done) == ["after", "reply"]
    assert second.failed == ["broadcast: interrupted while sending"]
    assert (await second.rows())["broadcast"] == "unknown"


async def test_a_stop_lets_what_is_being_sent_finish_and_notes_it(sqlite_store: Store, move_in: Move) -> None:
    post = await move_in(sqlite_store)
    gate = post.gates["one"] = asyncio.Event()
    await post.promise("one", "two")
    await until(lambda: post.began)
    asyncio.get_running_loop().call_later(0.1, gate.set)
    await post.outbox.stop(5)
    assert await post.rows() == {"one": "sent", "two": "queued"}


async def test_work_for_an_account_that_is_gone_waits_and_stops_no_start(
    sqlite_store: Store, move_in: Move, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    old = Outbox(sqlite_store, clock)
    old.serve("fax", lambda _work: asyncio.sleep(0, "sent"), is_open=lambda _name: False)
    await sqlite_store.write(lambda s: old.add(s, "fax:1", "k", {"n": "x"}))
    post = await move_in(sqlite_store)
    assert "queue fax:1 has no worker" in caplog.text
    await post.promise("one")
    await post.ended(1)
    assert (await post.rows())["x"] == "queued"


async def test_one_key_is_one_promise(store: Store, move_in: Move) -> None:
    post = await move_in(store)
    await post.promise("one", idempotency_key="id-1")
    with pytest.raises(Exception, match=r"(?i)unique"):
        await post.promise("two", idempotency_key="id-1")
    await post.ended(1)
    assert post.done == ["one"]


async def test_how_long_the_oldest_has_waited(post: Post, clock: Clock) -> None:
    post.open = False
    await post.promise("one")
    clock.now += 30
    await post.promise("two")
    await post.promise("timed", run_at=clock.now + 3600)
    assert post.outbox.waiting() == {QUEUE: 2}
    assert post.outbox.oldest(QUEUE) == 30
    assert post.outbox.oldest("wx:nobody") == 0


async def test_a_thousand_promises_share_their_commits(post: Post) -> None:
    def write(session: Session) -> None:
        for i in range(1000):
            post.add(session, f"n{i}", f"k{i % 50}")

    await post.store.write(write)
    await post.ended(1000)
    await post.outbox.stop(1)
    left = await post.store.read(
        lambda s: s.connection().execute(text("select count(*) from outboxitem where state != 'sent'")).scalar()
    )
    assert left == 0


async def _clock_runs(clock: Clock) -> None:
    while True:
        await asyncio.sleep(0.01)
        clock.now += 0.01


async def test_lines_take_turns(sqlite_store: Store, move_in: Move) -> None:
    """Who comes last waits for a turn of each of the others, not for all that they cause; nobody is left out."""
    post = await move_in(sqlite_store, start=False, concurrency=1)
    crowd = "abcde"
    for key in crowd:
        await post.promise(*(f"{key}{n:02}" for n in range(20)), key=key)
    post.gates = {"c10": asyncio.Event()}
    await post.start()
    await until(lambda: "c10" in post.began, "half of it")
    await post.promise("customer", key="z")
    before = len(post.began)
    post.gates["c10"].set()
    await post.ended(101)
    assert post.began.index("customer") <= before + len(crowd)
    latest = {key: post.began.index(f"{key}10") for key in crowd}
    assert max(latest.values()) - min(latest.values()) <= len(crowd), "each has had as many turns"


# ---- ends that turn out to be none, and what is asked of it ----


async def sent_item(post: Post) -> OutboxItem:
    await post.promise("one")
    await post.ended(1)
    await post.outbox.stop(1)
    return await post.store.read(lambda s: s.exec(select(OutboxItem)).one())


async def test_what_was_sent_and_did_not_reach_anybody_has_failed(post: Post) -> None:
    item = await sent_item(post)
    number = item.id or 0
    assert not await post.store.write(lambda s: post.outbox.results.fail_sent(s, number, "wx:b", "gone")), (
        "another queue's"
    )
    assert not await post.store.write(lambda s: post.outbox.results.fail_sent(s, 99, QUEUE, "gone"))
    assert await post.store.write(lambda s: post.outbox.results.fail_sent(s, number, QUEUE, "gone"))
    assert not await post.store.write(lambda s: post.outbox.results.fail_sent(s, number, QUEUE, "gone")), "once"
    kept = await post.store.read(lambda s: s.get_one(OutboxItem, number))
    assert (kept.state, kept.error) == ("failed", "gone")
    assert post.failed == ["one: gone"]


async def test_work_given_up_is_promised_anew(post: Post, clock: Clock) -> None:
    post.answers["one"] = [Retry(0, "again"), GiveUp("no")]
    await post.promise("one")
    await until(lambda: post.failed)
    await until(lambda: not post.outbox._open)
    item = await post.store.read(lambda s: s.exec(select(OutboxItem)).one())
    assert (item.state, item.attempts) == ("failed", 1)
    clock.now += 100

    def again(session: Session) -> None:
        post.outbox.again(session, session.get_one(OutboxItem, item.id))

    await post.store.write(again)
    await post.ended(1)
    await until(lambda: not post.outbox._open)
    kept = await post.store.read(lambda s: s.get_one(OutboxItem, item.id))
    assert (kept.state, kept.attempts, kept.error, kept.created_at) == ("sent", 0, "", clock.now)


async def test_what_is_being_sent_is_told_from_memory(post: Post) -> None:
    post.gates["one"] = asyncio.Event()
    await post.promise("one")
    await until(lambda: post.began)
    item = await post.store.read(lambda s: s.exec(select(OutboxItem)).one())
    assert (item.state, post.outbox.state_of(item)) == ("queued", "sending")
    assert post.outbox.waiting() == {QUEUE: 1}
    post.gates["one"].set()
    await until(lambda: not post.outbox._open)
    assert post.outbox.state_of(await post.store.read(lambda s: s.exec(select(OutboxItem)).one())) == "sent"
    assert post.outbox.waiting() == {QUEUE: 0}


async def test_when_a_queue_s_work_was_done(post: Post, clock: Clock) -> None:
    began = clock.now
    for name in ("one", "two"):
        await post.promise(name)
        await until(lambda: not post.outbox._open)
        clock.now += 10
    assert await post.store.read(lambda s: sent_since(s, QUEUE, began - 1)) == [began, began + 10]
    assert await post.store.read(lambda s: sent_since(s, QUEUE, began)) == [began + 10]
    assert await post.store.read(lambda s: sent_since(s, "wx:b", 0)) == []


async def test_a_reply_cut_off_is_not_told_as_failed_and_a_broadcast_is(open_store: OpenStore, move_in: Move) -> None:
    first = await move_in(await open_store(), start=False)
    for name, priority in (("reply", Priority.REPLY), ("broadcast", Priority.BROADCAST)):
        await first.promise(name, priority=priority)

    def cut_off(session: Session) -> None:
        for item in session.exec(select(OutboxItem)):
            item.state = "sending"

    await first.store.write(cut_off)
    second = await move_in(await open_store())
    await second.ended(1)
    assert second.done == ["reply"]
    assert second.failed == ["broadcast: interrupted while sending"]
    await until(lambda: not second.outbox._open)
    assert await second.rows() == {"reply": "sent", "broadcast": "unknown"}


async def test_ends_are_counted(post: Post, clock: Clock) -> None:
    post.answers |= {"bad": [GiveUp("no")], "again": [Retry(0, "again")]}
    await post.promise("good", "bad", "again")
    post.gates["late"] = asyncio.Event()
    await post.promise("late")
    await until(lambda: "late" in post.began)
    clock.now += 61
    post.gates["late"].set()
    await until(lambda: not post.outbox._open)
    counts = {result.value: number for (_queue, result), number in post.outbox.results.counts.counts.items()}
    assert counts == {"sent": 2, "failed": 1, "retried": 1, "late": 1}


async def test_a_refresh_beside_the_end_of_a_delivery_does_not_repeat_it(store: Store, clock: Clock) -> None:
    post = Post(store, clock)
    await post.outbox.start()
    post.gates["1"] = asyncio.Event()
    await store.write(lambda s: post.add(s, "1"))
    await until(lambda: post.began, "it is being delivered")
    holds, goes_on = threading.Event(), threading.Event()

    def hold(_session: Session) -> None:
        holds.set()
        goes_on.wait(10)

    held = store.write_soon(hold)
    await asyncio.to_thread(holds.wait, 10)
    refreshing = asyncio.create_task(post.outbox.refresh("a"))
    await asyncio.sleep(0)  # its read is queued; the end of the delivery comes behind it, into the same commit
    post.gates["1"].set()
    await until(lambda: post.done, "it was delivered")
    await asyncio.sleep(0)
    goes_on.set()
    await asyncio.gather(held, refreshing)
    await until(lambda: not post.outbox.waiting()[QUEUE], "nothing is left to do")
    assert post.done == ["1"]
    await post.outbox.stop(1)


# ---- cancelling ----


async def _cancel(post: Post) -> int:
    def write(session: Session) -> int:
        ids = [item.id or 0 for item in session.exec(select(OutboxItem)).all()]
        return post.outbox.cancel(session, ids, ["a"])

    return await post.store.write(write)


async def test_what_has_not_been_attempted_is_cancelled(store: Store, move_in: Move, clock: Clock) -> None:
    """The job that runs is not interrupted; cancelled jobs are neither waited for nor loaded after a restart."""
    post = await move_in(store)
    post.gates["one"] = asyncio.Event()
    await post.promise("one", "two", priority=Priority.BROADCAST)
    await post.promise("later", priority=Priority.BROADCAST, run_at=clock() + 3600)
    await until(lambda: post.began == ["one"], "the first one runs")
    assert await _cancel(post) == 2
    assert await _cancel(post) == 0
    assert post.outbox.waiting() == {QUEUE: 1}
    await post.promise("three", priority=Priority.BROADCAST)
    post.gates["one"].set()
    await post.ended(2)
    await post.outbox.stop(1)
    assert await post.rows() == {"one": "sent", "two": "cancelled", "later": "cancelled", "three": "sent"}
    assert post.failed == []
    again = await move_in(store)
    assert again.outbox.waiting() == {}


async def test_a_job_cancelled_while_it_runs_is_not_retried(post: Post) -> None:
    post.gates["one"] = asyncio.Event()
    post.answers["one"] = [Retry(0, "too fast")]
    await post.promise("one", priority=Priority.BROADCAST)
    await until(lambda: post.began == ["one"], "it runs")
    assert await _cancel(post) == 0
    post.gates["one"].set()
    await until(lambda: len(post.began) == 2 and not post.outbox.waiting()[QUEUE], "it is over")
    await post.outbox.stop(1)
    assert post.done == []
    assert await post.rows() == {"one": "cancelled"}


async def test_a_job_cancelled_by_another_process_is_not_sent(store: Store, move_in: Move, clock: Clock) -> None:
    """Its holder drops it when it is told to look, and finds out before it sends it in any case."""
    holder = await move_in(store)
    holder.open = False
    await holder.promise("one", priority=Priority.BROADCAST)
    other = await move_in(store, start=False)
    assert await _cancel(other) == 1
    await holder.outbox.refresh("a")
    assert holder.outbox.waiting() == {QUEUE: 0}
    await holder.promise("two", priority=Priority.BROADCAST)
    assert await _cancel(other) == 1
    holder.open = True
    holder.outbox.wake(QUEUE)
    await until(lambda: holder.began == ["two"] and not holder.outbox.waiting()[QUEUE], "its turn came")
    assert holder.done == []


async def test_jobs_of_others_stay_when_an_account_is_dropped(store: Store, move_in: Move) -> None:
    """Also in a receiver's queue that has the name of the account."""
    post = await move_in(store)
    post.outbox.serve("webhook", post.deliver, shared=True)
    gate = post.gates["hangs"] = asyncio.Event()

    def promise(session: Session) -> None:
        post.outbox.add(session, "webhook:a", "g1", {"n": "hangs"}, account="b")
        post.outbox.add(session, "webhook:a", "g1", {"n": "of b"}, account="b")
        post.outbox.add(session, "webhook:a", "g2", {"n": "of a"}, account="a")

    post.gates["of a"] = post.gates["to a"] = asyncio.Event()
    await store.write(promise)
    await post.promise("to a", "behind")
    await until(lambda: len(post.began) == 3, "those that hang have begun")
    await post.outbox.drop("a", 0.05)
    assert post.outbox.waiting() == {"webhook:a": 2}
    gate.set()
    await post.ended(2)
    assert post.done == ["hangs", "of b"]
    await post.outbox.load(["a"])  # it is served here again
    post.gates["to a"].set()
    await post.ended(5)
    assert set(post.done[2:]) == {"of a", "to a", "behind"}
    assert post.done.index("to a") < post.done.index("behind")
