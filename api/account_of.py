"""The account that a request is about.

In a cluster its holder answers; routes not listed here are answered by any process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from aiohttp import web
from sqlmodel import Session, select

from api.app_keys import CONTAINER
from api.body import read_ahead, read_object
from errors import InvalidParameter
from models.conversations import StoredMessage
from models.durable import OutboxItem
from models.flows import FlowCallback, FlowRun
from models.groups import Membership, Qun
from models.row_id import MAX_ROW_ID
from models.rules import TimedMessage
from models.schema import MAX_ID
from models.support import Ticket

Find = Callable[[web.Request], Awaitable[str | None]]


class Forwarding(NamedTuple):
    """How a route is forwarded.

    `repeatable`: idempotent, so it may be retried at the next holder; `wait_seconds`: how long to wait for a holder;
    `without_holder`: answered from the database if there is none; `large`: the body may contain a file.
    """

    find: Find
    repeatable: bool = True
    wait_seconds: float = 2.0
    without_holder: bool = False
    large: bool = False


def _in_body(name: str = "assistant", *, large: bool = False) -> Find:
    async def find(request: web.Request) -> str | None:
        await read_ahead(request, large=large)
        try:
            value = (await read_object(request)).get(name)
        except InvalidParameter:
            return None  # the handler rejects the body
        return value if isinstance(value, str) else None

    return find


def _in_query(name: str = "assistant") -> Find:
    async def find(request: web.Request) -> str | None:
        return request.query.get(name) or None

    return find


def _in_path(name: str = "account") -> Find:
    async def find(request: web.Request) -> str | None:
        return request.match_info[name]

    return find


def _stored(find_account: Callable[[Session, web.Request], str | None]) -> Find:
    async def find(request: web.Request) -> str | None:
        return await request.app[CONTAINER].store.read(lambda s: find_account(s, request))

    return find


def _of_row(table: Any, name: str = "id", maximum: int = MAX_ID) -> Find:
    """Return the account of the row whose number is in the path."""

    def find_account(session: Session, request: web.Request) -> str | None:
        number = int(request.match_info[name])
        row = session.get(table, number) if number <= maximum else None
        return (row.account or None) if row is not None else None

    return _stored(find_account)


def _group(column: Any, value: Callable[[web.Request], Any]) -> Find:
    def find_account(session: Session, request: web.Request) -> str | None:
        expected = value(request)
        return None if expected is None else session.exec(select(Qun.account).where(column == expected)).first()

    return _stored(find_account)


def _number(request: web.Request) -> int | None:
    number = int(request.match_info["number"])
    return number if number <= MAX_ID else None


async def _by_token(request: web.Request) -> str | None:
    token = await _in_body("token")(request)
    if token is None:
        return None
    return await request.app[CONTAINER].store.read(
        lambda s: s.exec(select(Qun.account).where(Qun.token == token)).first()
    )


async def _by_code(request: web.Request) -> str | None:
    code = request.query.get("code")
    if code is None:
        return request.query.get("assistant") or None
    return await request.app[CONTAINER].store.read(
        lambda s: s.exec(select(Qun.account).where(Qun.code == code)).first()
    )


async def _by_number_in_body(request: web.Request) -> str | None:
    await read_ahead(request, large=False)
    try:
        number = (await read_object(request)).get("number")
    except InvalidParameter:
        return None
    if type(number) is not int or not 0 < number <= MAX_ID:
        return None
    return await request.app[CONTAINER].store.read(
        lambda s: s.exec(select(Qun.account).where(Qun.number == number)).first()
    )


def _of_message(session: Session, request: web.Request) -> str | None:
    number = int(request.match_info["id"])
    row = session.get(StoredMessage, number) if number <= MAX_ID else None
    return row.account if row is not None else None


def _callback(session: Session, request: web.Request) -> str | None:
    secret = request.match_info["secret"]
    joined = select(FlowRun.account).join(FlowCallback, FlowCallback.run_id == FlowRun.id)  # type: ignore[arg-type]
    return session.exec(joined.where(FlowCallback.secret == secret)).first()


def _timed(session: Session, request: web.Request) -> str | None:
    number = int(request.match_info["id"])
    row = session.get(TimedMessage, number) if number <= MAX_ID else None
    qun = session.get(Qun, row.number) if row is not None else None
    return qun.account if qun is not None else None


async def _knowledge(request: web.Request) -> str | None:
    """Return the named assistant, or the first one."""
    account = request.query.get("assistant")
    if account:
        return account
    container = request.app[CONTAINER]
    first_account = next(iter(sorted(container.accounts.names())), None)
    return first_account or next((assistant.account for assistant in container.config.assistants), None)


_QUN, _TICKET, _ITEM = _group(Qun.number, _number), _of_row(Ticket), _of_row(OutboxItem, maximum=MAX_ROW_ID)
_API: Final = "/console/api"
CALLBACK_TIMEOUT: Final = 12.0  # seconds: a business system may call only once

FORWARDINGS: Final[dict[tuple[str, str], Forwarding]] = {
    ("POST", "/wxbot/qun"): Forwarding(_in_body()),
    ("GET", "/wxbot/qun"): Forwarding(_by_code),
    ("GET", "/wxbot/qun/{number}"): Forwarding(_QUN),
    ("PATCH", "/wxbot/qun/{number}"): Forwarding(_QUN),
    ("DELETE", "/wxbot/qun/{number}"): Forwarding(_QUN),
    ("GET", "/wxbot/qun/{number}/members"): Forwarding(_QUN),
    ("POST", "/wxbot/qun/membership"): Forwarding(_by_token),
    ("DELETE", "/wxbot/qun/membership/{id}"): Forwarding(_of_row(Membership)),
    ("POST", "/wxbot/message"): Forwarding(_in_body(large=True), large=True),
    ("POST", "/wxbot/broadcast"): Forwarding(_in_body(large=True), large=True),
    ("POST", "/wxbot/callback/{secret}"): Forwarding(_stored(_callback), wait_seconds=CALLBACK_TIMEOUT),
    ("POST", "/wxbot/webhook/{id}/resend"): Forwarding(_ITEM),
    ("GET", "/wecom/callback/{account}"): Forwarding(_in_path()),
    ("POST", "/wecom/callback/{account}"): Forwarding(_in_path(), wait_seconds=CALLBACK_TIMEOUT),
    ("GET", "/weiqun/{id}"): Forwarding(_group(Qun.public_id, lambda request: request.match_info["id"])),
    ("GET", f"{_API}/assistant/{{account}}/login.svg"): Forwarding(_in_path()),
    ("GET", f"{_API}/assistant/{{account}}/room"): Forwarding(_in_path()),
    ("POST", f"{_API}/assistant/{{account}}/logout"): Forwarding(_in_path(), repeatable=False),
    ("POST", f"{_API}/assistant/{{account}}/staff-room"): Forwarding(_in_path()),
    ("GET", f"{_API}/blocked-word"): Forwarding(_knowledge),
    ("POST", f"{_API}/blocked-word"): Forwarding(_knowledge, repeatable=False),
    ("POST", f"{_API}/blocked-word/remove"): Forwarding(_knowledge, repeatable=False),
    ("GET", f"{_API}/media/{{id}}"): Forwarding(_stored(_of_message)),  # its file is on the holder's disk
    ("GET", f"{_API}/ticket/{{id}}"): Forwarding(_TICKET, without_holder=True),
    **{
        ("POST", f"{_API}/ticket/{{id}}/{action}"): Forwarding(_TICKET, repeatable=False)
        for action in ("note", "assign", "close", "reopen", "remark", "presence")
    },
    ("POST", f"{_API}/ticket/{{id}}/reply"): Forwarding(_TICKET, large=True),  # it has its own key
    ("GET", f"{_API}/qun/{{number}}"): Forwarding(_QUN),
    ("GET", f"{_API}/qun/{{number}}/members"): Forwarding(_QUN),
    ("GET", f"{_API}/qun/{{number}}/qr.svg"): Forwarding(_QUN),
    ("PATCH", f"{_API}/qun/{{number}}"): Forwarding(_QUN, repeatable=False),
    ("POST", f"{_API}/qun/{{number}}/{{action}}"): Forwarding(_QUN, repeatable=False),
    ("GET", f"{_API}/knowledge"): Forwarding(_knowledge),
    ("POST", f"{_API}/knowledge/try"): Forwarding(_knowledge),
    ("GET", f"{_API}/knowledge/{{what}}.yaml"): Forwarding(_knowledge),
    ("POST", f"{_API}/knowledge/{{what}}.yaml"): Forwarding(_knowledge, repeatable=False, large=True),
    ("POST", f"{_API}/keyword"): Forwarding(_knowledge, repeatable=False),
    ("POST", f"{_API}/timed"): Forwarding(_by_number_in_body, repeatable=False),
    ("DELETE", f"{_API}/timed/{{id}}"): Forwarding(_stored(_timed), repeatable=False),
    ("POST", f"{_API}/webhook/{{id}}/resend"): Forwarding(_ITEM),
    ("POST", f"{_API}/message/{{id}}/resend"): Forwarding(_ITEM),
    ("POST", f"{_API}/flow/{{id}}/end"): Forwarding(_of_row(FlowRun)),
    ("GET", f"{_API}/qun"): Forwarding(_in_query()),
}
