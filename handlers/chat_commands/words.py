"""/屏蔽词 /关键词: words of a group or, in private without a number, of all groups."""

from __future__ import annotations

import re
from typing import Final

from sqlmodel import Session

from config.texts import fill
from handlers.chat_commands.request import MAX, CommandReply, CommandRequest, first_word
from services.moderation.offences import letters, plain

ADD: Final = "加"
DROP: Final = "删"
MAX_WORD: Final = 50
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
    if len(word) > MAX_WORD:
        return CommandReply(fill(request.texts.too_long, most=MAX_WORD))
    return _block(request, word) if what == ADD else _allow(request, word)


def _block(request: CommandRequest, word: str) -> CommandReply:
    if not plain(word).strip() or (len(letters(plain(word))) == 1 and plain(word).isascii()):
        return CommandReply(request.texts.word_empty)  # a single Latin letter would block nearly everything
    if request.container.blocked_words.has(request.account, request.number, word):
        return CommandReply(fill(request.texts.word_known, scope=request.scope, word=word))
    if request.container.blocked_words.is_configured(word) or request.container.blocked_words.has(
        request.account, None, word
    ):
        return CommandReply(fill(request.texts.word_known, scope=request.texts.scope_all, word=word))

    def act(session: Session) -> str:
        request.container.blocked_words.add(session, request.account, request.number, word, request.who)
        request.note(session, "blocked_word", word=word)
        return fill(request.texts.word_added, scope=request.scope, word=word)

    return CommandReply(act=act)


def _allow(request: CommandRequest, word: str) -> CommandReply:
    if not request.container.blocked_words.has(request.account, request.number, word):
        return CommandReply(fill(_why_not(request, word), scope=request.scope, word=word))

    def act(session: Session) -> str:
        request.container.blocked_words.remove(session, request.account, request.number, word)
        request.note(session, "allowed_word", word=word)
        return fill(request.texts.word_removed, scope=request.scope, word=word)

    return CommandReply(act=act)


def _why_not(request: CommandRequest, word: str) -> str:
    if request.container.blocked_words.is_configured(word):
        return request.texts.word_configured
    return (
        request.texts.word_everywhere
        if request.container.blocked_words.has(request.account, None, word)
        else request.texts.word_unknown
    )


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

    def act(session: Session) -> str:
        book = request.container.keywords
        known = book.drop(session, request.account, request.number, word)
        book.add(session, request.account, request.number, word, reply[0], request.who)
        request.note(session, "keyword", word=word)
        return fill(
            request.texts.keyword_changed if known else request.texts.keyword_added, scope=request.scope, word=word
        )

    return CommandReply(act=act)


def _drop(request: CommandRequest, word: str) -> CommandReply:
    def act(session: Session) -> str:
        known = request.container.keywords.drop(session, request.account, request.number, word)
        if known:
            request.note(session, "keyword_dropped", word=word)
        return fill(
            request.texts.keyword_removed if known else request.texts.keyword_unknown, scope=request.scope, word=word
        )

    return CommandReply(act=act)


async def _listed(request: CommandRequest) -> CommandReply:
    rows = await request.container.store.read(
        lambda s: request.container.keywords.listed(s, request.account, request.number)
    )
    lines = "\n".join(fill(request.texts.keyword_line, word=row.word, reply=row.reply) for row in rows)
    return CommandReply(fill(request.texts.keywords_shown, scope=request.scope, lines=lines or request.texts.nothing))
