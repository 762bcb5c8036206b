"""/屏蔽词 /关键词: words of a group or, in private without a number, of all groups."""

from __future__ import annotations

import re
from typing import Final

from sqlmodel import Session

from config.texts import Texts, fill
from handlers.chat_commands.request import MAX, CommandReply, CommandRequest, first_word
from services.moderation.blocked_words import MAX_WORD, WordOutcome

ADD: Final = "加"
DROP: Final = "删"
CANCEL: Final = "取消"
ELSEWHERE: Final = (WordOutcome.EVERYWHERE, WordOutcome.CONFIGURED)
_EQUALS: Final = re.compile(r"[=＝]")


async def blocked(request: CommandRequest) -> CommandReply:
    """List the blocked words, add one, or remove one."""
    if not request.rest:
        words = request.container.blocked_words.of(request.account, request.number)
        words += request.container.blocked_words.of(request.account, None) if request.qun else []
        words += request.container.blocked_words.configured
        shown = "、".join(dict.fromkeys(words)) or request.texts.nothing
        return CommandReply(fill(request.texts.words_shown, scope=request.scope, words=shown))
    what, word = first_word(request.rest)
    if what not in (ADD, DROP) or not word:
        return request.misuse()
    book, texts = request.container.blocked_words, request.texts
    change, answers = (book.block, _blocked(texts)) if what == ADD else (book.allow, _allowed(texts))

    def act(session: Session) -> str:
        outcome = change(session, request.account, request.number, word, request.actor)
        scope = texts.scope_all if what == ADD and outcome in ELSEWHERE else request.scope
        return fill(answers[outcome], scope=scope, word=word, most=MAX_WORD)

    return CommandReply(act=act)


def _blocked(texts: Texts) -> dict[WordOutcome, str]:
    """What is answered to /屏蔽词 加."""
    return {
        WordOutcome.DONE: texts.word_added,
        WordOutcome.TOO_SHORT: texts.word_empty,
        WordOutcome.TOO_LONG: texts.too_long,
        WordOutcome.KNOWN: texts.word_known,
        WordOutcome.EVERYWHERE: texts.word_known,
        WordOutcome.CONFIGURED: texts.word_known,
    }


def _allowed(texts: Texts) -> dict[WordOutcome, str]:
    """What is answered to /屏蔽词 删."""
    return {
        WordOutcome.DONE: texts.word_removed,
        WordOutcome.UNKNOWN: texts.word_unknown,
        WordOutcome.EVERYWHERE: texts.word_everywhere,
        WordOutcome.CONFIGURED: texts.word_configured,
    }


async def keywords(request: CommandRequest) -> CommandReply:
    """List the added keyword replies, add or change one, or delete one."""
    if not request.rest:
        return await _listed(request)
    what, words = first_word(request.rest)
    word, *reply = (part.strip() for part in _EQUALS.split(words, maxsplit=1))
    if what == DROP and word:
        return _drop(request, words)
    if what != ADD or not word or not reply or not reply[0]:
        return request.misuse()
    if len(word) > MAX_WORD or len(reply[0]) > MAX:
        return CommandReply(fill(request.texts.too_long, most=MAX_WORD if len(word) > MAX_WORD else MAX))

    editor, texts = request.container.knowledge_editor, request.texts

    def act(session: Session) -> str:
        known = editor.set_reply(session, request.account, request.number, word, reply[0], request.actor)
        return fill(texts.keyword_changed if known else texts.keyword_added, scope=request.scope, word=word)

    return CommandReply(act=act)


def _drop(request: CommandRequest, word: str) -> CommandReply:
    editor, texts = request.container.knowledge_editor, request.texts

    def act(session: Session) -> str:
        known = editor.drop_word(session, request.account, request.number, word, request.actor)
        return fill(texts.keyword_removed if known else texts.keyword_unknown, scope=request.scope, word=word)

    return CommandReply(act=act)


async def _listed(request: CommandRequest) -> CommandReply:
    rows = await request.container.store.read(
        lambda s: request.container.keywords.listed(s, request.account, request.number)
    )
    lines = "\n".join(fill(request.texts.keyword_line, word=row.word, reply=row.reply) for row in rows)
    return CommandReply(fill(request.texts.keywords_shown, scope=request.scope, lines=lines or request.texts.nothing))
