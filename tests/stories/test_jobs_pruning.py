"""Pruning of finished rows, also when the clock jumps."""

from __future__ import annotations

import json

from sqlmodel import Session, col, select

from models.durable import Action, EventState, InboxEvent, OutboxItem, WorkState
from models.rules import Broadcast
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.daily_reports import DAY


async def test_old_finished_rows_are_pruned(make_env: MakeEnv) -> None:
    env = await make_env(keep_days=10)
    old = env.bot.container.clock() - 11 * DAY

    def put(session: Session) -> None:
        for number in range(450):
            state = EventState.NEW if number == 0 else EventState.DONE
            event = InboxEvent(
                account="gone", event_id=f"{number}", kind="message", data="{}", state=state, received_at=old
            )
            session.add(event)
        session.add(OutboxItem(queue="wx:gone", key="a", body=json.dumps({}), state=WorkState.SENT, done_at=old))
        session.add(
            OutboxItem(queue="wx:gone", key="b", body=json.dumps({}), state=WorkState.SENT, done_at=old + 5 * DAY)
        )
        session.add(Action(account="gone", kind="add", who="x", at=old))
        for at in (old, old + 5 * DAY):
            session.add(Broadcast(account="gone", by="x", text="好", expires_at=at, created_at=at))

    await env.bot.container.store.write(put)
    await env.bot.jobs.run("prune")

    def left(session: Session) -> list[int]:
        rows = (
            select(InboxEvent).where(InboxEvent.account == "gone"),
            select(OutboxItem).where(col(OutboxItem.queue) == "wx:gone"),
            select(Action).where(Action.account == "gone"),
            select(Broadcast).where(Broadcast.account == "gone"),
        )
        return [len(session.exec(wanted).all()) for wanted in rows]

    assert await env.bot.container.store.read(left) == [1, 1, 0, 1]
    assert env.bot.container.job_log.last["prune"].result == "452"


async def test_jumping_clock_prunes_nothing(env: BotEnvironment) -> None:
    """Nor after a restart; set right again, it prunes as before."""
    env.say("黑旋风", "你好")
    await env.wait_idle()

    async def kept() -> int:
        return len(await env.bot.container.store.read(lambda s: s.exec(select(InboxEvent)).all()))

    before = await kept()
    env.ahead = 400 * DAY
    for _ in range(2):
        for job in ("prune", "prune_media"):
            await env.bot.jobs.run(job)
            assert env.bot.container.job_log.last[job].result == "refused: the clock has jumped ahead"
        assert await kept() == before
        await env.restart_bot()
    env.ahead = 0
    await env.bot.jobs.run("prune")
    assert env.bot.container.job_log.last["prune"].result == "0"
