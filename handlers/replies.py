"""Automatic replies: keywords, FAQ and fallback."""

from __future__ import annotations

from functools import partial

from config.customer_service import ReplyPart
from handlers.context import EventContext
from services.messaging.budgets import Budget, Verdict
from services.messaging.messages import Body, choices, file, link, text
from services.support.courtesies import courtesy_in
from services.text import without_mention, without_quote
from wechat.entities import Link
from wechat.events import GroupMessage, Message, MessageKind, PrivateMessage

# message kinds that get the fallback
FALLBACK_KINDS = (MessageKind.IMAGE, MessageKind.FILE, MessageKind.AUDIO, MessageKind.VIDEO)


def text_to_assistant(event: Message, context: EventContext) -> str:
    """Return the text without the mention of the assistant and without quotes."""
    reply, _ = without_quote(event.text)
    if not isinstance(event, GroupMessage):
        return reply
    me = context.wechat.directory.contacts.get(context.wechat.self_id)
    return without_mention(reply, event.own_name, me.name if me else "")


async def answer_by_keyword(event: PrivateMessage | GroupMessage, context: EventContext) -> bool:
    """Reply with the first matching keyword rule; in groups only if the assistant is mentioned."""
    in_group = isinstance(event, GroupMessage)
    if not _may_answer(event, context):
        return False
    question, number = text_to_assistant(event, context), None
    if isinstance(event, GroupMessage):
        qun = context.container.groups.by_room(event.account, event.room_id)
        number = qun.number if qun else None
    match = context.container.keywords.find(event.account, question, number, group=in_group)
    if match is None:
        return False
    if (not match.rule.equals and _is_loop(event, context)) or _exceeds(event, context):
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


async def answer_question(event: PrivateMessage | GroupMessage, context: EventContext) -> bool:
    """Reply with the FAQ's answer, a menu of similar questions, or (in private) the fallback."""
    if not _may_answer(event, context):
        return False
    person, question = (event.account, event.conversation, event.contact_id), text_to_assistant(event, context)
    mentions = [event.contact_id] if isinstance(event, GroupMessage) else []
    answer = context.container.questions.answer_listed(person, question)
    if answer is not None:
        if not _is_loop(event, context) and not _exceeds(event, context):
            context.reply(answer, mentions=mentions)
        return True
    if _is_loop(event, context) or _exceeds(event, context):
        return True
    courtesy = courtesy_in(question)
    if courtesy is not None:
        context.reply(getattr(context.container.config.texts, f"courtesy_{courtesy}"), mentions=mentions)
        return True
    decision = await context.container.questions.answer_unlisted(person, question)
    if decision is not None:
        offered = decision.choices and not mentions
        context.reply(choices(decision.reply, decision.choices) if offered else decision.reply, mentions=mentions)
        if decision.write:
            context.write(decision.write)
        return True
    if not mentions and await context.container.request_texts.matches(event.account, event.contact_id, question):
        return True
    return _not_understood(event, context)


def _not_understood(event: PrivateMessage | GroupMessage, context: EventContext) -> bool:
    if isinstance(event, GroupMessage):
        context.write(
            partial(
                context.container.missed_questions.count, account=event.account, text=text_to_assistant(event, context)
            )
        )
        return True
    # customers with a ticket get no fallback
    if context.container.tickets.of(event.account, event.contact_id) is None:
        context.execute(
            context.container.fallbacks.reply(event.account, event.contact_id, text_to_assistant(event, context))
        )
    return True


async def acknowledge(event: PrivateMessage, context: EventContext) -> bool:
    """Reply to a picture, voice message or file with the fallback."""
    if (
        event.kind not in FALLBACK_KINDS
        or context.is_old
        or context.container.tickets.of(event.account, event.contact_id)
    ):
        return False
    hint = context.container.config.texts.voice_unread if event.kind is MessageKind.AUDIO else ""
    context.execute(context.container.fallbacks.reply(event.account, event.contact_id, "", hint=hint))
    return True


def _may_answer(event: Message, context: EventContext) -> bool:
    """Whether the message may be answered: recent, a text, addressed to the assistant, and not an echo."""
    if context.is_old or event.kind is not MessageKind.TEXT:
        return False
    if isinstance(event, GroupMessage) and not event.mentioned:
        return False
    if context.container.tickets.has_open(event.account, event.contact_id) and isinstance(event, PrivateMessage):
        return False
    return not context.container.loop_detector.is_echo(
        event.account, event.conversation, text_to_assistant(event, context)
    )


def _exceeds(event: Message, context: EventContext) -> bool:
    """Whether the person has exceeded the limit of replies; they are notified once."""
    budgets = context.container.budgets
    person = (event.account, event.contact_id)
    if budgets.repeat(*person, text_to_assistant(event, context)) is not Verdict.ALLOWED:
        return True
    verdict = budgets.spend(Budget.REPLIES, *person)
    if verdict is Verdict.EXCEEDED:
        mentions = [event.contact_id] if isinstance(event, GroupMessage) else []
        context.reply(context.container.config.texts.too_many_messages, mentions=mentions)
    return verdict is not Verdict.ALLOWED


def _is_loop(event: Message, context: EventContext) -> bool:
    return context.container.loop_detector.is_looping(event.account, event.conversation, event.contact_id, event.text)
