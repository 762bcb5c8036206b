"""What is answered by itself: keywords, the FAQ, and what is said when nothing is known."""

from __future__ import annotations

from functools import partial

from config.service import ReplyPart
from handlers.turn import Turn
from services.matching import without_mention, without_quote
from services.messages import Body, file, link, text
from wechat.events import GroupMessage, Link, Message, MessageKind, PrivateMessage

TALK = (MessageKind.IMAGE, MessageKind.FILE, MessageKind.AUDIO, MessageKind.VIDEO)  # what deserves a fallback


def said_to_me(event: Message, turn: Turn) -> str:
    """What is said, without the @ of the assistant and without what is quoted."""
    words, _ = without_quote(event.text)
    if not isinstance(event, GroupMessage):
        return words
    me = turn.wechat.directory.contacts.get(turn.wechat.self_id)
    return without_mention(words, me.name if me else "")


async def keyword(event: PrivateMessage | GroupMessage, turn: Turn) -> bool:
    """The reply of the first rule that fits; in a group only when the assistant is @-ed."""
    in_group = isinstance(event, GroupMessage)
    if not _may_answer(event, turn):
        return False
    words, number = said_to_me(event, turn), None
    if isinstance(event, GroupMessage):
        qun = turn.house.groups.by_room(event.account, event.room_id)
        number = qun.number if qun else None
    match = turn.house.keywords.find(event.account, words, number, group=in_group)
    if match is None:
        return False
    if not match.rule.equals and _goes_round(event, turn):
        return True
    mentions = [event.contact_id] if in_group else []
    for part in match.parts():
        turn.reply(_body(part, mentions))
        mentions = []
    return True


def _body(part: ReplyPart, mentions: list[str]) -> Body:
    if part.link is not None:
        return link(Link(part.link.title, part.link.url, part.link.description, part.link.thumbnail))
    if part.text:
        return text(part.text, mentions)
    return file(part.image or part.file)


async def question(event: PrivateMessage | GroupMessage, turn: Turn) -> bool:
    """The FAQ's answer, a menu of near questions, or (in private) that it was not understood."""
    if not _may_answer(event, turn):
        return False
    who, words = (event.account, event.conversation, event.contact_id), said_to_me(event, turn)
    mentions = [event.contact_id] if isinstance(event, GroupMessage) else []
    answer = turn.house.questions.listed(who, words)
    if answer is not None:
        if not _goes_round(event, turn):
            turn.reply(answer, mentions=mentions)
        return True
    if _goes_round(event, turn):
        return True
    decision = await turn.house.questions.other(who, words)
    if decision is not None:
        turn.reply(decision.words, mentions=mentions)
        if decision.write:
            turn.write(decision.write)
        return True
    return _not_understood(event, turn)


def _not_understood(event: PrivateMessage | GroupMessage, turn: Turn) -> bool:
    if isinstance(event, GroupMessage):
        turn.write(partial(turn.house.questions.missed, account=event.account, text=said_to_me(event, turn)))
        return True
    if turn.house.tickets.of(event.account, event.contact_id) is None:  # who waits for a person knows already
        turn.follow(turn.house.questions.fallback(event.account, event.contact_id, said_to_me(event, turn)))
    return True


async def something(event: PrivateMessage, turn: Turn) -> bool:
    """A picture, voice or file to nobody in particular: the same words as for what was not understood."""
    if event.kind not in TALK or turn.is_old or turn.house.tickets.of(event.account, event.contact_id):
        return False
    turn.follow(turn.house.questions.fallback(event.account, event.contact_id, ""))
    return True


def _may_answer(event: Message, turn: Turn) -> bool:
    """Not what is old, no text, not meant for the assistant, or what it said itself."""
    if turn.is_old or event.kind is not MessageKind.TEXT:
        return False
    if isinstance(event, GroupMessage) and not event.mentioned:
        return False
    if turn.house.tickets.has_open(event.account, event.contact_id) and isinstance(event, PrivateMessage):
        return False
    return not turn.house.echoes.is_echo(event.account, event.conversation, said_to_me(event, turn))


def _goes_round(event: Message, turn: Turn) -> bool:
    return turn.house.echoes.goes_round(event.account, event.conversation, event.contact_id, event.text)
