"""What is answered by itself: keywords, the FAQ, and what is said when nothing is known."""

from __future__ import annotations

from functools import partial

from config.customer_service import ReplyPart
from handlers.context import EventContext
from services.messaging.messages import Body, choices, file, link, text
from services.support.manners import courtesy_in
from services.text import without_mention, without_quote
from wechat.events import GroupMessage, Link, Message, MessageKind, PrivateMessage

TALK = (MessageKind.IMAGE, MessageKind.FILE, MessageKind.AUDIO, MessageKind.VIDEO)  # what deserves a fallback


def said_to_me(event: Message, context: EventContext) -> str:
    """What is said, without the @ of the assistant and without what is quoted."""
    words, _ = without_quote(event.text)
    if not isinstance(event, GroupMessage):
        return words
    me = context.wechat.directory.contacts.get(context.wechat.self_id)
    return without_mention(words, event.own_name, me.name if me else "")


async def keyword(event: PrivateMessage | GroupMessage, context: EventContext) -> bool:
    """The reply of the first rule that fits; in a group only when the assistant is @-ed."""
    in_group = isinstance(event, GroupMessage)
    if not _may_answer(event, context):
        return False
    words, number = said_to_me(event, context), None
    if isinstance(event, GroupMessage):
        qun = context.container.groups.by_room(event.account, event.room_id)
        number = qun.number if qun else None
    match = context.container.keywords.find(event.account, words, number, group=in_group)
    if match is None:
        return False
    if not match.rule.equals and _goes_round(event, context):
        return True
    mentions = [event.contact_id] if in_group else []
    for part in match.parts():
        context.reply(_body(part, mentions))
        mentions = []
    return True


def _body(part: ReplyPart, mentions: list[str]) -> Body:
    if part.link is not None:
        return link(Link(part.link.title, part.link.url, part.link.description, part.link.thumbnail))
    if part.text:
        return text(part.text, mentions)
    return file(part.image or part.file)


async def question(event: PrivateMessage | GroupMessage, context: EventContext) -> bool:
    """The FAQ's answer, a menu of near questions, or (in private) that it was not understood."""
    if not _may_answer(event, context):
        return False
    who, words = (event.account, event.conversation, event.contact_id), said_to_me(event, context)
    mentions = [event.contact_id] if isinstance(event, GroupMessage) else []
    answer = context.container.questions.listed(who, words)
    if answer is not None:
        if not _goes_round(event, context):
            context.reply(answer, mentions=mentions)
        return True
    if _goes_round(event, context):
        return True
    courtesy = courtesy_in(words)
    if courtesy is not None:
        context.reply(getattr(context.container.config.texts, f"courtesy_{courtesy}"), mentions=mentions)
        return True
    decision = await context.container.questions.other(who, words)
    if decision is not None:
        offered = decision.choices and not mentions
        context.reply(choices(decision.words, decision.choices) if offered else decision.words, mentions=mentions)
        if decision.write:
            context.write(decision.write)
        return True
    if not mentions and await context.container.friends.asked_with(event.account, event.contact_id, words):
        return True
    return _not_understood(event, context)


def _not_understood(event: PrivateMessage | GroupMessage, context: EventContext) -> bool:
    if isinstance(event, GroupMessage):
        context.write(
            partial(context.container.questions.missed, account=event.account, text=said_to_me(event, context))
        )
        return True
    if context.container.tickets.of(event.account, event.contact_id) is None:  # who waits for a person knows already
        context.follow(
            context.container.questions.fallback(event.account, event.contact_id, said_to_me(event, context))
        )
    return True


async def something(event: PrivateMessage, context: EventContext) -> bool:
    """A picture, voice or file to nobody in particular: the same words as for what was not understood."""
    if event.kind not in TALK or context.is_old or context.container.tickets.of(event.account, event.contact_id):
        return False
    context.follow(context.container.questions.fallback(event.account, event.contact_id, ""))
    return True


def _may_answer(event: Message, context: EventContext) -> bool:
    """Not what is old, no text, not meant for the assistant, or what it said itself."""
    if context.is_old or event.kind is not MessageKind.TEXT:
        return False
    if isinstance(event, GroupMessage) and not event.mentioned:
        return False
    if context.container.tickets.has_open(event.account, event.contact_id) and isinstance(event, PrivateMessage):
        return False
    return not context.container.loop_detector.is_echo(event.account, event.conversation, said_to_me(event, context))


def _goes_round(event: Message, context: EventContext) -> bool:
    return context.container.loop_detector.goes_round(event.account, event.conversation, event.contact_id, event.text)
