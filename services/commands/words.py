"""/屏蔽词 /关键词: words of one group, or (in private, without a number) of all groups."""

from __future__ import annotations

import re
from typing import Final

from sqlmodel import Session

from config.texts import fill
from services.commands.ask import MOST, Answer, Ask, first_word
from services.offences import letters, plain

ADD: Final = "加"
DROP: Final = "删"
MOST_WORD: Final = 50
_EQUALS: Final = re.compile(r"[=＝]")


async def blocked(ask: Ask) -> Answer:
    """The blocked words: listed, one added, one allowed again."""
    if not ask.rest:
        words = ask.house.blocked.of(ask.account, ask.number)
        words += ask.house.blocked.of(ask.account, None) if ask.qun else []
        words += ask.house.blocked.configured
        shown = "、".join(dict.fromkeys(words)) or ask.texts.nothing
        return Answer(fill(ask.texts.words_shown, scope=ask.scope, words=shown))
    what, word = first_word(ask.rest)
    if what not in (ADD, DROP) or not word:
        return ask.misuse()
    if len(word) > MOST_WORD:
        return Answer(fill(ask.texts.too_long, most=MOST_WORD))
    return _block(ask, word) if what == ADD else _allow(ask, word)


def _block(ask: Ask, word: str) -> Answer:
    if not plain(word).strip() or (len(letters(plain(word))) == 1 and plain(word).isascii()):
        return Answer(ask.texts.word_empty)  # one Latin letter would block nearly everything
    if ask.house.blocked.has(ask.account, ask.number, word):
        return Answer(fill(ask.texts.word_known, scope=ask.scope, word=word))
    if ask.house.blocked.is_configured(word) or ask.house.blocked.has(ask.account, None, word):
        return Answer(fill(ask.texts.word_known, scope=ask.texts.scope_all, word=word))

    def act(session: Session) -> str:
        ask.house.blocked.add(session, ask.account, ask.number, word, ask.who)
        ask.note(session, "blocked_word", word=word)
        return fill(ask.texts.word_added, scope=ask.scope, word=word)

    return Answer(act=act)


def _allow(ask: Ask, word: str) -> Answer:
    if not ask.house.blocked.has(ask.account, ask.number, word):
        return Answer(fill(_why_not(ask, word), scope=ask.scope, word=word))

    def act(session: Session) -> str:
        ask.house.blocked.remove(session, ask.account, ask.number, word)
        ask.note(session, "allowed_word", word=word)
        return fill(ask.texts.word_removed, scope=ask.scope, word=word)

    return Answer(act=act)


def _why_not(ask: Ask, word: str) -> str:
    if ask.house.blocked.is_configured(word):
        return ask.texts.word_configured
    return ask.texts.word_everywhere if ask.house.blocked.has(ask.account, None, word) else ask.texts.word_unknown


async def keywords(ask: Ask) -> Answer:
    """The keyword replies added by chat: listed, one added or changed, one dropped."""
    if not ask.rest:
        return await _listed(ask)
    what, words = first_word(ask.rest)
    word, *reply = (part.strip() for part in _EQUALS.split(words, maxsplit=1))
    if what == DROP and word:
        return _drop(ask, words)
    if what != ADD or not word or not reply or not reply[0]:
        return ask.misuse()
    if len(word) > MOST_WORD or len(reply[0]) > MOST:
        return Answer(fill(ask.texts.too_long, most=MOST_WORD if len(word) > MOST_WORD else MOST))

    def act(session: Session) -> str:
        book = ask.house.keywords
        known = book.drop(session, ask.account, ask.number, word)
        book.add(session, ask.account, ask.number, word, reply[0], ask.who)
        ask.note(session, "keyword", word=word)
        return fill(ask.texts.keyword_changed if known else ask.texts.keyword_added, scope=ask.scope, word=word)

    return Answer(act=act)


def _drop(ask: Ask, word: str) -> Answer:
    def act(session: Session) -> str:
        known = ask.house.keywords.drop(session, ask.account, ask.number, word)
        if known:
            ask.note(session, "keyword_dropped", word=word)
        return fill(ask.texts.keyword_removed if known else ask.texts.keyword_unknown, scope=ask.scope, word=word)

    return Answer(act=act)


async def _listed(ask: Ask) -> Answer:
    rows = await ask.house.store.read(lambda s: ask.house.keywords.listed(s, ask.account, ask.number))
    lines = "\n".join(fill(ask.texts.keyword_line, word=row.word, reply=row.reply) for row in rows)
    return Answer(fill(ask.texts.keywords_shown, scope=ask.scope, lines=lines or ask.texts.nothing))
