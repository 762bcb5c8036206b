"""/关键词: keyword replies of a group or, in private without a number, of all groups and private chats."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sqlmodel import Session

from config.customer_service import KeywordRule, ReplyPart
from config.texts import Texts, fill
from handlers.chat_commands.request import MAX_TEXT, CommandReply, CommandRequest, first_word
from handlers.chat_commands.words import ADD, DROP
from services.moderation.blocked_words import MAX_WORD
from services.support.keywords import rule_of
from services.text import normal

MAX_SHOWN: Final = 40
MAX_REPLY: Final = 100  # characters of a reply that are shown
_EQUALS: Final = re.compile(r"[=＝]")


async def keywords(request: CommandRequest) -> CommandReply:
    """List the keyword replies, add or change one, or delete one."""
    if not request.rest:
        return await _list_keywords(request)
    action, argument = first_word(request.rest)
    word, *reply = (part.strip() for part in _EQUALS.split(argument, maxsplit=1))
    if action == DROP and word:
        return _remove(request, argument)
    if action != ADD or not word or not reply or not reply[0]:
        return request.usage_error()
    if len(word) > MAX_WORD or len(reply[0]) > MAX_TEXT:
        return CommandReply(fill(request.texts.too_long, most=MAX_WORD if len(word) > MAX_WORD else MAX_TEXT))

    editor, texts = request.container.knowledge_editor, request.texts

    def act(session: Session) -> str:
        existed = editor.set_reply(session, request.account, request.number, word, reply[0], request.actor)
        return fill(texts.keyword_changed if existed else texts.keyword_added, scope=_scope(request), word=word)

    return CommandReply(act=act)


def _scope(request: CommandRequest) -> str:
    """Return the group's topic, or that the keywords are answered everywhere."""
    return request.scope if request.qun else request.texts.scope_everywhere


def _remove(request: CommandRequest, word: str) -> CommandReply:
    container, texts = request.container, request.texts

    def act(session: Session) -> str:
        if container.knowledge_editor.drop_word(session, request.account, request.number, word, request.actor):
            return fill(texts.keyword_removed, scope=_scope(request), word=word)
        general_rows = container.keywords.added_rows(session, request.account, None) if request.qun else ()
        if any(row.word == normal(word) for row in general_rows):
            return fill(texts.keyword_everywhere, word=word)
        if any(normal(word) in _pattern_and_regex(rule) for rule in container.config.customer_service.keywords):
            return fill(texts.keyword_configured, word=word)
        return fill(texts.keyword_unknown, scope=_scope(request), word=word)

    return CommandReply(act=act)


def _pattern_and_regex(rule: KeywordRule) -> tuple[str, str]:
    return normal(rule.equals or rule.contains or rule.regex), rule.regex


async def _list_keywords(request: CommandRequest) -> CommandReply:
    """List the applicable rules in order of precedence: of the group, of all conversations, of the config."""
    texts, added_rows = request.texts, request.container.keywords.added_rows

    def read(session: Session) -> list[str]:
        group_rows = added_rows(session, request.account, request.number)
        general_rows = added_rows(session, request.account, None) if request.qun else ()
        configured = request.container.config.customer_service.keywords
        return [
            *_lines(texts, [rule_of(row) for row in group_rows], ""),
            *_lines(texts, [rule_of(row) for row in general_rows], texts.scope_everywhere),
            *_lines(texts, configured, texts.keyword_from_file),
        ]

    lines = await request.container.store.read(read)
    omitted = [fill(texts.keywords_more, count=len(lines) - MAX_SHOWN)] if len(lines) > MAX_SHOWN else []
    text = "\n".join([*lines[:MAX_SHOWN], *omitted]) or texts.nothing
    return CommandReply(fill(texts.keywords_shown, scope=_scope(request), lines=text))


def _lines(texts: Texts, rules: Sequence[KeywordRule], scope: str) -> list[str]:
    """Format rules, one per line, with the conversations they apply to and the group they belong to (`scope`)."""
    lines = []
    for rule in rules:
        conversations = {"private": texts.keyword_private, "group": texts.keyword_group, "both": ""}[rule.where]
        kind = "equals" if rule.equals else "contains" if rule.contains else "regex"
        word = fill(getattr(texts, f"keyword_{kind}"), word=getattr(rule, kind))
        place = "，".join(filter(None, [conversations, scope]))
        template = texts.keyword_line_elsewhere if place else texts.keyword_line
        lines.append(fill(template, word=word, reply=_reply(texts, rule), scope=place))
    return lines


def _reply(texts: Texts, rule: KeywordRule) -> str:
    parts = [rule.reply] if isinstance(rule.reply, str) else rule.reply
    text = " ".join(_part(texts, part) for part in parts)
    return text if len(text) <= MAX_REPLY else f"{text[:MAX_REPLY]}…"


def _part(texts: Texts, part: str | ReplyPart) -> str:
    if isinstance(part, str):
        return part
    if part.link:
        return part.link.url
    return part.text or (texts.reply_image if part.image else texts.reply_file)
