"""人工: what a customer with a ticket says, asking for a person, and the mark afterwards."""

from __future__ import annotations

from functools import partial

from errors import WeChatError
from handlers.answers import said_to_me
from handlers.turn import Turn
from services.faq import plain
from services.tokens import find_token
from wechat.events import GroupMessage, MessageKind, PrivateMessage

MARKS = {
    f"{digit}{unit}": mark
    for mark in range(1, 6)
    for digit in (mark, "一二三四五"[mark - 1])
    for unit in ("", "分", "星")
}
COMMAND = ("/", "／")
NOT_SAID = (MessageKind.SYSTEM, MessageKind.RECALLED)


async def heard(event: PrivateMessage, turn: Turn) -> bool:
    """Keep what is said, and relay it while a ticket is open. Official accounts and our own assistants end here."""
    house = turn.house
    ticket = house.tickets.of(event.account, event.contact_id)
    if ticket is None or event.kind is MessageKind.SYSTEM:
        turn.write(partial(house.conversations.heard, message=event))
        return event.is_official or house.accounts.is_own(event.contact_id)
    event, kept = await house.media.of(turn.wechat, event)
    line = kept.name if kept else await _described(event, turn)
    turn.write(partial(house.conversations.heard, message=event, kept=kept, ticket=ticket.id))
    turn.write(partial(house.support.relay, ticket=ticket, kind=event.kind, line=line, kept=kept))
    return False


async def _described(event: PrivateMessage, turn: Turn) -> str:
    """What a message that is neither text nor file says, as far as WeChat tells."""
    wechat = turn.wechat
    try:
        if event.kind is MessageKind.LINK:
            card = await wechat.link(event.id)
            return f"{card.title} {card.url}"
        if event.kind is MessageKind.CARD:
            person = await wechat.contact(await wechat.card(event.id))
            return f"{person.name}（{person.weixin or person.id}）"
        if event.kind is MessageKind.MINI_PROGRAM:
            return await wechat.program_title(event.id)
        if event.kind is MessageKind.LOCATION:
            return await wechat.place(event.id)
    except WeChatError:
        return event.text
    return event.text


async def heard_in_group(event: GroupMessage, turn: Turn) -> bool:
    """Keep what is said to the assistant in a group; its own kind is not answered."""
    if event.mentioned:
        turn.write(partial(turn.house.conversations.heard, message=event))
    return turn.house.accounts.is_own(event.contact_id)


async def held(event: PrivateMessage, turn: Turn) -> bool:
    """The assistant is silent while a person is asked, and to what is old; join tokens and commands still count."""
    if event.kind in NOT_SAID:
        return True
    if event.kind is MessageKind.TEXT and (find_token(event.text) or event.text.lstrip().startswith(COMMAND)):
        return False
    return turn.is_old or turn.house.tickets.has_open(event.account, event.contact_id)


async def asked(event: PrivateMessage, turn: Turn) -> bool:
    """“人工” opens a ticket."""
    support = turn.house.support
    if event.kind is not MessageKind.TEXT or not support.wants_person(said_to_me(event, turn)):
        return False
    await support.look_for_room(event.account)
    await support.fetch_recent(event.account, event.contact_id)
    name = event.name or "客户"
    turn.write(lambda s: support.open(s, event.account, event.contact_id, name))
    return True


async def asked_in_group(event: GroupMessage, turn: Turn) -> bool:
    """A person is asked for in a group: that is talked about in private."""
    words = said_to_me(event, turn)
    if not event.mentioned or turn.is_old or not turn.house.support.wants_person(words):
        return False
    turn.reply(turn.house.config.texts.handoff_in_private, mentions=[event.contact_id])
    return True


async def marked(event: PrivateMessage, turn: Turn) -> bool:
    """The customer's mark, 1–5, within a day of the ticket's end; what was asked of them since then, by a menu or a
    flow, goes first."""
    house = turn.house
    mark = MARKS.get(plain(said_to_me(event, turn)).removeprefix("回复")) if event.kind is MessageKind.TEXT else None
    asked = house.tickets.mark_asked(event.account, event.contact_id)
    if mark is None or asked is None:
        return False
    menu = house.questions.menu_since((event.account, event.contact_id, event.contact_id))
    if max(menu, await house.flows.asked_at(event.account, event.contact_id)) > asked.at:
        return False
    turn.write(lambda s: house.desk.marked(s, event.account, event.contact_id, asked, mark))
    return True
