"""人工: what a customer with a ticket says, asking for a person, and the mark afterwards."""

from __future__ import annotations

from functools import partial
from typing import Any

from errors import WeChatError
from handlers.context import EventContext
from handlers.replies import said_to_me
from services.groups.join_tokens import find_token
from services.messaging.conversations import in_full
from services.support.marks import is_bare_digit, mark_in
from wechat.events import GroupMessage, MessageKind, PrivateMessage

COMMAND = ("/", "／")
NOT_SAID = (MessageKind.SYSTEM, MessageKind.RECALLED, MessageKind.PAT)
NOT_SHOWN = (MessageKind.SYSTEM, MessageKind.PAT)  # to the staff


async def heard(event: PrivateMessage, context: EventContext) -> bool:
    """Keep what is said, and relay it while a ticket is open. Official accounts and our own assistants end here."""
    container = context.container
    if not event.is_official and not container.accounts.is_own(event.contact_id):
        tell_received(event, context)
    ticket = container.tickets.of(event.account, event.contact_id)
    if ticket is None or event.kind in NOT_SHOWN:
        context.write(partial(container.conversations.heard, message=event))
        return event.is_official or container.accounts.is_own(event.contact_id)
    event, kept, follows = await container.files.at_once(context.wechat, event)
    if follows:
        context.write(partial(container.files.later, message=event))
    line = in_full(event, kept.name if kept else await _described(event, context))
    context.write(partial(container.conversations.heard, message=event, kept=kept, ticket=ticket.id))
    relay = partial(container.handover.relay, ticket=ticket, kind=event.kind, line=line, kept=kept, name=event.name)
    context.write(partial(relay, follows=follows))
    return False


def tell_received(event: PrivateMessage | GroupMessage, context: EventContext) -> None:
    """Tell business systems that asked for it what somebody said to the assistant."""
    container = context.container
    if event.kind in NOT_SAID or not container.webhook_events.wants("message.received"):
        return
    person = context.wechat.directory.contacts.get(event.contact_id)
    data: dict[str, Any] = {
        "assistant": event.account,
        "contact_id": event.contact_id,
        "name": person.name if person else "",
        "kind": event.kind,
        "text": event.text,
        **({"quoted": event.quoted} if event.quoted else {}),
        "at": event.at.isoformat(),
    }
    key = event.conversation
    if isinstance(event, GroupMessage):
        data["room_id"] = event.room_id
        if (qun := container.groups.by_room(event.account, event.room_id)) is not None:
            data["number"], key = qun.number, str(qun.number)
    context.write(lambda s: container.webhook_events.tell(s, "message.received", key, data))


async def _described(event: PrivateMessage, context: EventContext) -> str:
    """What a message that is neither text nor file says: as it says itself, else as far as WeChat tells."""
    wechat = context.wechat
    if event.target:
        lines = event.text.splitlines()
        return " ".join((*lines[:1], event.target)) if event.kind is MessageKind.LINK else " ".join(lines)
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


async def heard_in_group(event: GroupMessage, context: EventContext) -> bool:
    """Keep what is said to the assistant in a group; its own kind is not answered."""
    own = context.container.accounts.is_own(event.contact_id)
    if event.mentioned:
        context.write(partial(context.container.conversations.heard, message=event))
        if not own:
            tell_received(event, context)
    return own


async def held(event: PrivateMessage, context: EventContext) -> bool:
    """The assistant is silent while a person is asked, and to what is old; join tokens and commands still count."""
    if event.kind in NOT_SAID:
        return True
    if event.kind is MessageKind.TEXT and (find_token(event.text) or event.text.lstrip().startswith(COMMAND)):
        return False
    return context.is_old or context.container.tickets.has_open(event.account, event.contact_id)


async def asked(event: PrivateMessage, context: EventContext) -> bool:
    """“人工” opens a ticket."""
    support = context.container.handover
    if event.kind is not MessageKind.TEXT or not support.wants_person(said_to_me(event, context)):
        return False
    await support.look_for_room(event.account)
    name = event.name or "客户"
    if context.container.tickets.of(event.account, event.contact_id) is None:
        context.write(lambda s: context.container.files.recent(s, event.account, event.contact_id))
    context.write(lambda s: support.open(s, event.account, event.contact_id, name))
    return True


async def asked_in_group(event: GroupMessage, context: EventContext) -> bool:
    """A person is asked for in a group: that is talked about in private."""
    words = said_to_me(event, context)
    if not event.mentioned or context.is_old or not context.container.handover.wants_person(words):
        return False
    context.reply(context.container.config.texts.handoff_in_private, mentions=[event.contact_id])
    return True


async def marked(event: PrivateMessage, context: EventContext) -> bool:
    """The customer's mark, 1–5, within a day of the ticket's end; what was asked of them since then, by a menu or a
    flow, goes first."""
    container = context.container
    words = said_to_me(event, context)
    mark = mark_in(words) if event.kind is MessageKind.TEXT else None
    asked = container.tickets.mark_asked(event.account, event.contact_id)
    if mark is None or asked is None:
        return False
    who = (event.account, event.contact_id, event.contact_id)
    menu = container.questions.menu_since(who) if is_bare_digit(words) else 0.0
    if max(menu, await container.flows.asked_at(event.account, event.contact_id)) > asked.at:
        return False
    context.write(lambda s: container.ticket_actions.marked(s, event.account, event.contact_id, asked, mark))
    return True
