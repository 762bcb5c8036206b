"""群: words that are blocked in every group of an account. 客服: canned replies 快捷回复."""

from __future__ import annotations

from aiohttp import web
from sqlmodel import Session

from api.app_keys import CONTAINER
from api.body import field, read_object, text
from api.query import text_parameter
from api.responses import json_response
from console.access import VISITOR
from errors import InvalidParameter
from services.moderation.blocked_words import WordOutcome


async def blocked(request: web.Request) -> web.Response:
    """GET /console/api/blocked-word?assistant=: the added ones and those of the config."""
    blocked_words, account = request.app[CONTAINER].blocked_words, _account(request)
    return json_response({"words": blocked_words.of(account, None), "configured": blocked_words.configured})


async def block(request: web.Request) -> web.Response:
    """POST /console/api/blocked-word?assistant= {word}."""
    container, actor, account = request.app[CONTAINER], request[VISITOR].actor, _account(request)
    blocked_word = field(await read_object(request), "word")
    check(await container.store.write(lambda s: container.blocked_words.block(s, account, None, blocked_word, actor)))
    return await blocked(request)


async def allow(request: web.Request) -> web.Response:
    """POST /console/api/blocked-word/remove?assistant= {word}."""
    container, actor, account = request.app[CONTAINER], request[VISITOR].actor, _account(request)
    allowed_word = field(await read_object(request), "word")
    check(await container.store.write(lambda s: container.blocked_words.allow(s, account, None, allowed_word, actor)))
    return await blocked(request)


def check(outcome: WordOutcome) -> None:
    """Raise InvalidParameter for a word that cannot be blocked or allowed; repetitions are accepted."""
    if outcome not in (WordOutcome.DONE, WordOutcome.KNOWN, WordOutcome.UNKNOWN):
        raise InvalidParameter(outcome)


def _account(request: web.Request) -> str:
    name = text_parameter(request, "assistant") or next(iter(request.app[CONTAINER].accounts.names()), "")
    return request.app[CONTAINER].accounts.get(name).account


# ---- canned replies ----


async def canned(request: web.Request) -> web.Response:
    """GET /console/api/canned."""
    canned_replies = request.app[CONTAINER].canned_replies
    replies = [
        {"name": name, "text": text, "added": canned_replies.is_added(name)}
        for name, text in sorted(canned_replies.all.items())
    ]
    return json_response({"canned": replies})


async def put_canned(request: web.Request) -> web.Response:
    """POST /console/api/canned {name, text}; it takes precedence over one of the config."""
    container, actor, body = request.app[CONTAINER], request[VISITOR].actor, await read_object(request)
    name, content = field(body, "name").strip(), text(body, "text")
    await container.store.write(lambda s: container.canned_replies.put(s, name, content, actor))
    return await canned(request)


async def remove_canned(request: web.Request) -> web.Response:
    """POST /console/api/canned/remove {name}."""
    container, actor = request.app[CONTAINER], request[VISITOR].actor
    name = field(await read_object(request), "name")

    def write(session: Session) -> None:
        container.canned_replies.remove(session, name, actor)

    await container.store.write(write)
    return await canned(request)
