"""Accounts and webhooks removed from the config leave jobs and groups behind; the bot starts nevertheless."""

from __future__ import annotations

import json

from sqlmodel import Session, col, select

from models.durable import InboxEvent, OutboxItem, WorkState
from models.groups import Membership, MemberState, Qun, QunRoom, QunState
from models.support import Ticket, TicketState
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.service import service


async def test_jobs_of_removed_accounts_wait(env: BotEnvironment) -> None:
    """Their jobs are neither lost nor sent from another account, and other accounts work."""

    def leave_behind(session: Session) -> None:
        body = json.dumps({"type": "text", "text": "x"})
        session.add(OutboxItem(queue="wx:gone", key="wxid_songgongming", body=body))
        session.add(OutboxItem(queue="accept:gone", key="a", body=json.dumps({"friendship": "f", "contact": "c"})))
        session.add(OutboxItem(queue="remove:gone", key="a", body=json.dumps({"number": 1, "contact": "c"})))
        session.add(InboxEvent(account="gone", event_id="1", kind="message", data="{}"))

    await env.bot.container.store.write(leave_behind)
    await env.restart_bot()
    env.say("黑旋风", "绑定")
    await env.receives("黑旋风", "抱歉，我没听懂")
    states = await env.bot.container.store.read(
        lambda s: s.exec(select(OutboxItem.state).where(col(OutboxItem.queue).endswith(":gone"))).all()
    )
    assert set(states) == {WorkState.QUEUED}
    assert not env.seen("宋公明") or all(m.text != "x" for m in env.seen("宋公明"))


async def test_event_of_removed_webhook_does_not_block_start(env: BotEnvironment) -> None:
    event = {"id": "evt_1", "type": "member.joined", "timestamp": "2026-01-01T00:00:00+00:00", "data": {}}
    await env.bot.container.store.write(
        lambda s: s.add(OutboxItem(queue="hook:http://127.0.0.1:1/gone", key="1", body=json.dumps(event)))
    )
    await env.restart_bot()
    status, answer, _ = await env.call("GET", "/readyz")
    assert (status, answer["ready"]) == (200, True)


async def test_groups_and_tickets_of_removed_account_are_shown(make_env: MakeEnv) -> None:
    """They are shown from the database; actions on them fail, and all jobs run."""
    env = await make_env(customer_service=service())
    qun = Qun(
        number=100900, code="gone", account="gone", owner="宋公明", owner_id="wxid_songgongming", companion_id="c",
        topic="旧群", token="RTA5REU3NEY5MTU3", public_id="MTIzNDU2Nzg5MDEy", state=QunState.ACTIVE, wants_report=True,
    )  # fmt: skip
    member = Membership(
        number=100900, who="w", account="gone", contact_id="w", name="某人", state=MemberState.REQUESTED
    )

    def leave_behind(session: Session) -> None:
        session.add(qun)
        session.flush()
        session.add(QunRoom(number=100900, account="gone", room_id="r@chatroom", topic="旧群", state=QunState.ACTIVE))
        session.add(member)
        for state in (TicketState.WAITING, TicketState.OPEN):
            session.add(
                Ticket(account="gone", contact_id=state, name="某人", state=state, room_id="r", opened_at=1, last_at=1)
            )

    await env.bot.container.store.write(leave_behind)
    await env.restart_bot()
    for name in env.bot.container.job_log.names:
        await env.bot.jobs.run(name)
        assert env.bot.container.job_log.last[name].ok, name
    status, answer, _ = await env.call("GET", "/wxbot/qun/100900")
    assert (status, answer["qun"]["members"]) == (200, 0)
    status, answer, _ = await env.join("RTA5REU3NEY5MTU3", "黑旋风")
    assert (status, answer["error"]["code"]) == (404, 2001)
    for path, expected in (("/metrics", 200), ("/weiqun/MTIzNDU2Nzg5MDEy", 200), ("/readyz", 200)):
        assert (await env.call("GET", path))[0] == expected, path
