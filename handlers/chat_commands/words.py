"""/屏蔽词: blocked words of a group or, in private without a number, of all groups."""

from __future__ import annotations

from typing import Final

from sqlmodel import Session

from config.texts import Texts, fill
from handlers.chat_commands.request import CommandReply, CommandRequest, first_word
from services.moderation.blocked_words import MAX_WORD, WordOutcome

ADD: Final = "加"
DROP: Final = "删"
CANCEL: Final = "取消"
BLOCKED_FOR_ALL: Final = (WordOutcome.EVERYWHERE, WordOutcome.CONFIGURED)


async def blocked(request: CommandRequest) -> CommandReply:
    """List the blocked words, add one, or remove one."""
    if not request.rest:
        words = request.container.blocked_words.of(request.account, request.number)
        words += request.container.blocked_words.of(request.account, None) if request.qun else []
        words += request.container.blocked_words.configured
        text = "、".join(dict.fromkeys(words)) or request.texts.nothing
        return CommandReply(fill(request.texts.words_shown, scope=request.scope, words=text))
    action, word = first_word(request.rest)
    if action not in (ADD, DROP) or not word:
        return request.usage_error()
    blocked_words, texts = request.container.blocked_words, request.texts
    change, answers = (
        (blocked_words.block, _blocked(texts)) if action == ADD else (blocked_words.allow, _allowed(texts))
    )

    def act(session: Session) -> str:
        outcome = change(session, request.account, request.number, word, request.actor)
        scope = texts.scope_all if action == ADD and outcome in BLOCKED_FOR_ALL else request.scope
        return fill(answers[outcome], scope=scope, word=word, most=MAX_WORD)

    return CommandReply(act=act)


def _blocked(texts: Texts) -> dict[WordOutcome, str]:
    """Return the reply to /屏蔽词 加."""
    return {
        WordOutcome.DONE: texts.word_added,
        WordOutcome.TOO_SHORT: texts.word_empty,
        WordOutcome.TOO_LONG: texts.too_long,
        WordOutcome.KNOWN: texts.word_known,
        WordOutcome.EVERYWHERE: texts.word_known,
        WordOutcome.CONFIGURED: texts.word_known,
    }


def _allowed(texts: Texts) -> dict[WordOutcome, str]:
    """Return the reply to /屏蔽词 删."""
    return {
        WordOutcome.DONE: texts.word_removed,
        WordOutcome.UNKNOWN: texts.word_unknown,
        WordOutcome.EVERYWHERE: texts.word_everywhere,
        WordOutcome.CONFIGURED: texts.word_configured,
    }
