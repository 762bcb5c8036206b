"""Ticket actions of agents in the console, which are also shown in the staff room."""

from __future__ import annotations

from functools import partial

import pytest

from errors import AssistantOffline, InvalidParameter, NotFound, NotSupported, WeChatRefused
from models.durable import Outcome
from models.support import Ticket, TicketState
from services.messaging.messages import Body, file, text
from services.support.agent_actions import Agent, AgentActions
from tests.services.parts import ACCOUNT, SONG, XUAN, Parts
from tests.services.staffed import ROOM, audited, close, in_memory, open_staff_room, open_ticket, stored
from wechat.interface import PUPPET, Capability, State

AGENT = Agent("wxid_song", "宋公明", "console:wxid_song")


def desk(parts: Parts) -> AgentActions:
    return parts.container.agent_actions


async def reply(parts: Parts, ticket: Ticket, body: Body, key: str = "k1") -> None:
    await parts.write(lambda s: desk(parts).reply(s, ticket.id or 0, AGENT, body, key))


async def test_reply_is_sent_once_and_shown_in_the_staff_room(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    for _ in range(2):
        await reply(parts, ticket, text("马上处理"))
    assert await parts.queued_texts(XUAN) == ["马上处理"]
    texts = parts.container.config.texts
    assert await parts.queued_texts(ROOM) == [
        "#1 由 宋公明 接待",
        texts.ticket_answered_in_console.format(staff="宋公明", number=1, words="马上处理"),
    ]
    shown = [job.body for job in await parts.queued() if job.key == ROOM]
    assert [body["relays"] for body in shown] == [1, 1]
    (action,) = await audited(parts, "ticket_reply")
    assert (action.account, action.who, action.target, action.outcome) == (ACCOUNT, AGENT.actor, "1", Outcome.DONE)
    await reply(parts, ticket, text("还有一句"), "k2")
    assert await parts.queued_texts(XUAN) == ["马上处理", "还有一句"]
    assert in_memory(parts, ticket).staff_id == SONG


async def test_file_in_a_reply_is_named_in_the_staff_room(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    await reply(parts, ticket, file("/media/a1b2.pdf", "合同.pdf"))
    assert (await parts.queued_texts(ROOM))[-1].endswith("[文件] 合同.pdf")


async def test_reply_goes_to_the_current_staff_room_if_the_ticket_has_none(parts: Parts) -> None:
    await open_staff_room(parts)
    ticket = await open_ticket(parts, room_id="")
    await reply(parts, ticket, text("您好"))
    assert len(await parts.queued_texts(ROOM)) == 2
    assert in_memory(parts, ticket).room_id == ROOM


async def test_reply_without_a_staff_room(parts: Parts) -> None:
    ticket = await open_ticket(parts, room_id="")
    await reply(parts, ticket, text("您好"))
    assert [job.key for job in await parts.queued()] == [XUAN]


async def test_actions_on_unknown_and_closed_tickets_are_refused(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    await close(parts, ticket)
    actions = (
        partial(desk(parts).reply, agent=AGENT, body=text("您好"), key="k"),
        partial(desk(parts).assign, agent=AGENT, staff_id=SONG, staff_name="宋公明"),
        partial(desk(parts).close, agent=AGENT),
    )
    for action in actions:
        for number, error in ((1, InvalidParameter), (99, NotFound)):
            with pytest.raises(error):
                await parts.write(partial(action, number=number))
    for other in (partial(desk(parts).add_note, agent=AGENT, note="x"), partial(desk(parts).reopen, agent=AGENT)):
        with pytest.raises(NotFound):
            await parts.write(partial(other, number=99))
    assert await parts.queued() == []
    assert await audited(parts, "ticket_reply", "ticket_note", "ticket_assign", "ticket_close", "ticket_reopen") == []


async def test_closed_ticket_can_get_a_note(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    await close(parts, ticket)
    await parts.write(partial(desk(parts).add_note, number=1, agent=AGENT, note="老客户"))
    notes = await parts.read(lambda s: parts.container.conversations.notes(s, ACCOUNT, XUAN, 5))
    assert notes == ["老客户"]
    assert [action.who for action in await audited(parts, "ticket_note")] == [AGENT.actor]
    assert await parts.queued() == []


async def test_assignment_is_announced_and_audited(parts: Parts) -> None:
    ticket = await open_ticket(parts, staff_id="wxid_old", staff_name="老张")
    await parts.write(partial(desk(parts).assign, number=1, agent=AGENT, staff_id=SONG, staff_name="宋公明"))
    assert (in_memory(parts, ticket).staff_id, in_memory(parts, ticket).staff_name) == (SONG, "宋公明")
    (told,) = await parts.queued()
    assert (told.key, told.body["mentions"]) == (ROOM, [SONG])
    (action,) = await audited(parts, "ticket_assign")
    assert action.detail == {"before": "wxid_old", "after": SONG}


async def test_close_is_announced_and_audited(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    await parts.write(partial(desk(parts).close, number=1, agent=AGENT))
    row = await stored(parts, ticket)
    assert (row.state, row.closed_by) == (TicketState.CLOSED, AGENT.id)
    texts = parts.container.config.texts
    assert await parts.queued_texts(ROOM) == [texts.ticket_closed_in_console.format(staff="宋公明", number=1)]
    assert await parts.queued_texts(XUAN) == [texts.handoff_closed]
    assert len(await audited(parts, "ticket_close")) == 1


async def test_closed_ticket_is_reopened(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    with pytest.raises(InvalidParameter):
        await parts.write(partial(desk(parts).reopen, number=1, agent=AGENT))
    await close(parts, ticket)
    await parts.write(partial(desk(parts).reopen, number=1, agent=AGENT))
    assert in_memory(parts, ticket).state == TicketState.OPEN
    assert len(await audited(parts, "ticket_reopen")) == 1
    await close(parts, ticket)
    await open_ticket(parts)
    with pytest.raises(InvalidParameter):
        await parts.write(partial(desk(parts).reopen, number=1, agent=AGENT))
    assert len(await audited(parts, "ticket_reopen")) == 1


async def test_remark_is_set_and_audited(parts: Parts) -> None:
    parts.wechat.knows(XUAN, "黑旋风", alias="旧备注")
    ticket = await open_ticket(parts)
    await desk(parts).set_remark(ticket, AGENT, "新备注")
    assert parts.wechat.directory.contacts[XUAN].alias == "新备注"
    (action,) = await audited(parts, "alias")
    assert (action.who, action.target, action.outcome) == (AGENT.actor, XUAN, Outcome.DONE)
    assert action.detail == {"before": "旧备注", "after": "新备注"}


async def test_refused_remark_is_audited_as_failed(parts: Parts) -> None:
    ticket = await open_ticket(parts, "wxid_unknown")
    parts.wechat.fails["set_alias"] = WeChatRefused("Alias", "no")
    with pytest.raises(WeChatRefused):
        await desk(parts).set_remark(ticket, AGENT, "备注")
    (action,) = await audited(parts, "alias")
    assert (action.outcome, action.detail["before"]) == (Outcome.FAILED, "")
    assert action.seen == str(parts.wechat.fails["set_alias"])


async def test_remark_needs_an_account_that_can_set_it(parts: Parts) -> None:
    ticket = await open_ticket(parts)
    parts.wechat.state = State.CONNECTING
    with pytest.raises(AssistantOffline):
        await desk(parts).set_remark(ticket, AGENT, "备注")
    parts.wechat.capabilities = PUPPET - {Capability.SET_ALIAS}
    with pytest.raises(NotSupported):
        await desk(parts).set_remark(ticket, AGENT, "备注")
    assert await audited(parts, "alias") == []
